"""Words that are harmless, and what the names of fields say about their content."""

from __future__ import annotations

import re

from ecglfm.app.deidentification.spelling import words


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What elements and attributes of XML may hold where a word is expected, in lower case.
WORDS = _set(
    "resting rhythm median continuous_samples none endsline userinsert prevqrs postqrs true false yes no normal stat "
    "male female unknown unspecified other medians interval mean confirmed unconfirmed restingecg restecg "
    "caucasian black white asian oriental hispanic aleut hawaiian mongolian "
    "microvolts millivolts uv mv uvperlsb years months weeks days hours hz ms msec s sec bpm degrees deg mmhg cm kg"
) | {"american indian", "pacific islander", "asian indian"}  # fmt: skip
#: Channels beside the twelve leads.
CHANNELS = (
    _set("x y z vx vy vz ecg ecg1 ecg2 ecg3 ekg mcl1 mcl6 mv1 mv2 mv5 es as ai")
    | _set("resp abp art pap cvp icp pleth ppg spo2 eeg emg eog co2 temp hr bp")
    | {f"c{number}" for number in range(1, 10)}
    | {f"v{number}" for number in range(7, 10)}
    | {f"v{number}r" for number in range(1, 10)}
    | {f"{number}" for number in range(1, 13)}
)
#: Words that are never searched for, though somebody may be called so.
HARMLESS = CHANNELS | {"age", "sex"} | {word for phrase in WORDS for word in words(phrase)}

_HINTS = {
    "birth date": r"birth|\bdob\b",
    "staff": r"(overread|edit|order|refer|attend|admit|confirm|acquir|consult|\bmd).*(name|id|initial|last|first)"
    r"|physician|technician|operator|doctor|nurse|md(his)?id",
    "contact": r"phone|fax|mail|address|street|city|zip|postal|country|state\b",
    "site": r"site|location|room|\bbed\b|facility|department|hospital|ward|institution|cart|service|clinic",
    "name": r"name|initials|patient$|prefix|suffix",
    "text": r"reason|text|comment|remark|history|statement|conclusion|report|note|medicat|drug|^[hrs]x$|interpret",
    "vendor": r"version|software|device|manufacturer|model|serial|path|file|vendor|muse|analysis",
    "date": r"date(?!d)|time|year|month|day\b",
    "id": r"\bid\b|id$|number|mrn|pid|ssn|requisition|accession|order|account|uid|code",
}


def kind_of(field: str) -> str:
    """Which kind of `spelling.KINDS` the name of a field speaks of, the first that fits; `unknown` where none does."""
    return next((kind for kind, hint in _HINTS.items() if re.search(hint, field, re.IGNORECASE)), "unknown")
