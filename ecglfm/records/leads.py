"""Leads by name: the standard spelling of what a file calls them, and which of its columns give the twelve."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from ecglfm.config import LEADS
from ecglfm.records.errors import RecordError

#: How a person names leads, for messages.
NAME_LEADS = "say which they are with `leads: {THEIR NAME: V1, …}` in the source's YAML"

#: `Lead I`, `EKG_I`, `ECG Lead I`, `MDC_ECG_LEAD_I` (the nomenclature of DICOM and HL7) before the name itself.
_BEFORE = re.compile(r"(mdc[\s_]*)?((ecg|ekg|lead)([\s_:.]+|-)?)*")
#: The name: `d` is French and Spanish, `ml` a monitor's.
_LEAD = re.compile(
    r"((?:d|ml)[\s_.-]*)?(?P<limb>i{1,3})|d[\s_.-]*(?P<number>[1-3])"
    r"|a[\s_.-]*v[\s_.-]*(?P<augmented>[rlf])|v[\s_.-]*0?(?P<chest>[1-6])"
)
_LONGEST = 100  # characters of a name that is looked at; a nomenclature's have 20
#: `I (mV)`, `I [uV]`, `I/mV`, `Lead I (Einthoven)` after it.
_AFTER = re.compile(r"(\s*\(einthoven\)|\s*[(\[]\s*(n|u|µ|m|)v\s*[)\]]|[\s_/]+(n|u|µ|m)v)$")


@lru_cache(maxsize=4096)
def normalize_lead(name: str) -> str:
    """Standard spelling of a lead name: `AVR`, `avr`, `Lead aVR`, `EKG_aVR`, `aVR (mV)` give `aVR`; `V01` gives `V1`.

    Names that are not known return stripped. `-aVR` is another lead.
    """
    if len(name) > _LONGEST:
        return name.strip()
    key = unicodedata.normalize("NFKC", name).strip().lower().replace("μ", "µ")
    start = _BEFORE.match(key)
    match = _LEAD.fullmatch(_AFTER.sub("", key[start.end() if start else 0 :]))
    if match is None:
        return name.strip()
    if match["augmented"]:
        return f"aV{match['augmented'].upper()}"
    return f"V{match['chest']}" if match["chest"] else (match["limb"] or "i" * int(match["number"])).upper()


def _spelled_like(name: str) -> set[str]:
    """Standard leads that a name which is none has within it: `III filtered` has III; `-aVR` is another lead."""
    return {normalize_lead(word) for word in re.split(r"[\s_/:;,()\[\]]+|(?<=\w)-", name)} & set(LEADS)


class LeadChoice(NamedTuple):
    """Where the standard leads come from in a file.

    `recorded` are the leads in the file, as numbers in `LEADS`, and `columns` the file's columns that hold them; `sums`
    are the leads to compute: (lead, two recorded leads, their weights).
    """

    recorded: tuple[int, ...]
    columns: tuple[int, ...]
    sums: tuple[tuple[int, tuple[int, int], tuple[float, float]], ...]
    ignored: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """All twelve are in the file."""
        return len(self.recorded) == len(LEADS)

    @property
    def derived(self) -> tuple[str, ...]:
        """Names of the leads to compute."""
        return tuple(LEADS[lead] for lead, _, _ in self.sums)

    @property
    def lead_mask(self) -> int:
        """Bit i is set where `LEADS[i]` is in the file or can be computed."""
        return sum(1 << lead for lead in [*self.recorded, *(lead for lead, _, _ in self.sums)])


#: Limb leads as sums of I and II: III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
_LIMB = ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0))


def limb_weights(lead: str, first: str, second: str) -> tuple[float, float]:
    """What two leads of the limbs are multiplied by, so that their sum is another."""
    (a, b), (c, d), (x, y) = (_LIMB[LEADS.index(each)] for each in (first, second, lead))
    determinant = a * d - b * c  # never 0: no two limb leads point the same way
    return (x * d - y * c) / determinant, (a * y - b * x) / determinant


@lru_cache(maxsize=256)
def choose_leads(names: tuple[str, ...]) -> LeadChoice:
    """Find the standard leads among the normalized lead names of a file; raises as `Record.standard`."""
    repeated = [lead for lead in LEADS if names.count(lead) > 1]
    if repeated:
        raise RecordError(
            "lead_repeated",
            f"{' '.join(repeated)} in {' '.join(names)[:200]}; name the leads in their order with `file_leads`",
        )
    recorded = tuple(number for number, lead in enumerate(LEADS) if lead in names)
    columns = tuple(names.index(LEADS[number]) for number in recorded)
    if not recorded:
        raise RecordError(
            "lead_missing", f"none of {' '.join(LEADS)} among {' '.join(names)[:200]}; {NAME_LEADS}, or `file_leads`"
        )
    ignored = tuple(name for name in names if name not in LEADS)
    unclear = set().union(*map(_spelled_like, ignored))  # recorded, though not under a name that is known
    limb = [lead for lead in recorded if lead < len(_LIMB)]
    sums = []
    if len(limb) >= 2:
        first, second = limb[:2]
        for lead in range(len(_LIMB)):
            if lead not in recorded and LEADS[lead] not in unclear:
                weights = limb_weights(LEADS[lead], LEADS[first], LEADS[second])
                sums.append((lead, (first, second), weights))
    return LeadChoice(recorded, columns, tuple(sums), ignored)
