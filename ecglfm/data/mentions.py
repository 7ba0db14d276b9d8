"""Mentions in a report's text: what a pattern finds, unless the sentence denies it.

After NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029), as far as machine statements need it: words before or
behind a mention deny it, or make it only possible, inside its own statement. A statement ends with `;`, a full stop, a
new line, ` - `, a comma (but not in a list with `or`: "no flutter, block or infarct") and before `but` and its like.
"""

from __future__ import annotations

import re
from typing import Literal

from ecglfm.config import Selector

Certainty = Literal["said", "uncertain", "negated"]

_SENTENCES = re.compile(
    r";|[.!](?=\s|$)|[\r\n]+|\s[-\u2013\u2014]+\s|\b(?:but|however|although|though|except|apart from|aside from)\b"
)
_COMMA = re.compile(r",")
_LIST = re.compile(r"\bn?or\b")
#: Denials of something else than what follows: "no change in atrial fibrillation" has it.
_NO_DENIAL = re.compile(
    r"\b(?:no|not|without|nor)\s+(?:(?:any|much|further|significantly|significant|definite)\s+)*"
    r"(?:changed?|increased?|decreased?|only|necessarily|further)\b"
)
_UNCERTAIN_BEFORE = re.compile(
    r"\b(?:possibl[ey]|probabl[ey]|likely|consider|questionable|suspect(?:ed)?|suspicious|suggest(?:s|ive|ing)?|"
    r"may|might|could|can ?not (?:be )?(?:rule|exclude|ruled|excluded)(?: out)?|can't (?:rule out|exclude)|"
    r"(?:not|un)able to (?:rule out|exclude)|rule out|r/o|versus|vs)\b"
)
_UNCERTAIN_BEHIND = re.compile(
    r"\b(?:can ?not|can't|could not|not) (?:be )?(?:entirely |completely )?(?:ruled out|excluded)|"
    r"\b(?:is |are |remains? )?(?:possible|probable|likely|suspected|questionable|to be considered)\b|\bunlikely\b|\?"
)
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|denies|absence of|absent|negative for|free of|lacks?|never|nor|neither)\b"
)
_DENIED_BEHIND = re.compile(
    r"\b(?:(?:no longer|not) (?:be )?(?:present|seen|found|evident|noted|detected|visible|identified|confirmed)|absent|"
    r"ruled out|excluded|resolved|gone|replaced by)\b"
)


def certainty(text: str, start: int, end: int) -> Certainty:
    """How a report says what stands at `text[start:end]`.

    Parameters
    ----------
    text : str
        The report.
    start, end : int
        The mention.

    Returns
    -------
    {"said", "uncertain", "negated"}
    """
    first, last = _statement(text, start, end)
    before, behind = text[first:start].casefold(), text[end:last].casefold()
    before = _NO_DENIAL.sub(" ", before)
    if _DENIED_BEHIND.search(_UNCERTAIN_BEHIND.sub(" ", behind)) or _DENIED_BEFORE.search(
        _UNCERTAIN_BEFORE.sub(" ", before)
    ):
        return "negated"
    if _UNCERTAIN_BEFORE.search(before) or _UNCERTAIN_BEHIND.search(behind):
        return "uncertain"
    return "said"


def _statement(text: str, start: int, end: int) -> tuple[int, int]:
    """Begin and end of the statement around a mention."""
    first, last = _between(_SENTENCES, text, 0, len(text), start, end)
    if _LIST.search(text[first:last].casefold()):
        return first, last
    return _between(_COMMA, text, first, last, start, end)


def _between(stops: re.Pattern[str], text: str, first: int, last: int, start: int, end: int) -> tuple[int, int]:
    """The part of `text[first:last]` around `text[start:end]` that no stop divides."""
    for stop in stops.finditer(text.casefold() if len(text.casefold()) == len(text) else text, first, last):
        if stop.end() <= start:
            first = stop.end()
        elif stop.start() >= end:
            return first, stop.start()
    return first, last


class Mentions:
    """Whether a report carries a label.

    Parameters
    ----------
    selector : Selector
        `report`, `not_report`, `negated`, `uncertain`.
    """

    def __init__(self, selector: Selector) -> None:
        self._patterns = [re.compile(pattern, re.IGNORECASE) for pattern in selector.report]
        self._stop = [re.compile(pattern, re.IGNORECASE) for pattern in selector.not_report]
        self._passed_over = {
            word
            for word, passed_over in (
                ("negated", selector.negated == "negative"),
                ("uncertain", selector.uncertain == "negative"),
            )
            if passed_over
        }

    def __call__(self, report: str) -> bool:
        """True where one mention at least counts."""
        return any(
            self._counts(report, found.start(), found.end())
            for pattern in self._patterns
            for found in pattern.finditer(report)
        )

    def _counts(self, report: str, start: int, end: int) -> bool:
        if self._stop:
            first, last = _statement(report, start, end)
            if any(stop.search(report[first:last]) for stop in self._stop):
                return False
        return not self._passed_over or certainty(report, start, end) not in self._passed_over
