"""Mentions in a report's text: what a pattern finds, unless the sentence denies it.

After NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029) and what ConText (Harkema et al. 2009,
doi:10.1016/j.jbi.2009.05.002) adds for other times, as far as machine statements need it: words before or behind a
mention deny it, or make it only possible, inside its own statement. A statement ends with `;`, a full stop, a new line,
` - `, a comma (but not in a list with `or`: "no flutter, block or infarct") and before `but` and its like; a predicate
alone behind a dash or comma belongs to what stands before it ("infarct, not seen"). docs/labels.md says how often this
reads right.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Literal

from ecglfm.config import Selector

Certainty = Literal["said", "uncertain", "negated"]

_NOT_ABBREVIATED = r"(?<!\bvs)(?<!\bneg)(?<!\bposs)(?<!\bprob)"
_SHOWN = (
    r"(?:present|seen|found|evident|noted|detected|visible|identified|confirmed|demonstrated|documented|observed|"
    r"appreciated|apparent|met|fulfilled|satisfied|reached|reported|recorded)"
)
_EARLIER = r"(?:previous|prior|old|older|earlier|last|preceding|former)"
_TRACING = r"(?:ecgs?|ekgs?|tracings?|stud(?:y|ies)|recordings?|records?|reports?|exams?)"
_AVAILABLE = r"(?:\s+(?:is|was|are|were))?\s+(?:available|found|on file)"
#: Behind a dash or a comma: says something of what stands before it, and names nothing new.
_PREDICATE = (
    rf"(?=(?:can ?not|can't|could not|no longer {_SHOWN}|not (?:previously |be )?{_SHOWN}|"
    r"(?:possible|probable|likely|unlikely|suspected|questionable|resolved|absent|excluded|ruled out)\s*(?:$|[;.,]))\b)"
)
_SENTENCES = re.compile(
    rf";|{_NOT_ABBREVIATED}[.!](?=\s|$)|[\r\n]+|\s[-\u2013\u2014]+\s(?!{_PREDICATE})|"
    r"\b(?:but|however|although|though|nevertheless|except|apart from|aside from)\b"
)
_COMMA = re.compile(rf",(?!\s*{_PREDICATE})")
_REACH = 1000  # characters around a mention in which words deny it; no statement of a report is as long
_MOST = 1000  # mentions of a label in a report that are looked at; what has more is no report
_LIST = re.compile(r"\bn?or\b")
#: Denials of something else than what follows: "no change in atrial fibrillation" and "no previous tracing" have it.
_NO_DENIAL = re.compile(
    r"\b(?:no|not|without|nor)\s+(?:(?:any|much|further|significantly|significant|definite|interval)\s+)*"
    r"(?:changed?|increased?|decreased?|different|only|necessarily|doubt|further)\b|"
    rf"\bno\s+{_TRACING}{_AVAILABLE}|\bno\s+{_EARLIER}\s+{_TRACING}(?:{_AVAILABLE})?(?:\s+for comparison)?"
)
#: "not present on the previous ECG", "not previously seen": now it is.
_NOT_BEFORE = re.compile(
    rf"\b(?:not|no|never)\s+(?:\w+\s+)?(?:previously|before|earlier)(?:\s+{_SHOWN})?|"
    rf"\bnot\s+(?:yet\s+)?(?:{_SHOWN}\s+)?(?:previously|before|earlier|(?:on|in|at)\s+(?:the\s+|an?\s+|any\s+)?{_EARLIER})\b"
)
_CANNOT_EXCLUDE = (
    r"(?:can ?not|can't|could not|may not|(?:not|un)able to|impossible to|difficult to|preclud\w+|prevents?)\s+"
    r"(?:be\s+|the\s+|an?\s+|entirely\s+|completely\s+|reliabl[ey]\s+)*(?:exclu\w+|rul(?:e|ed|ing)\s+out|rule)\b"
)
_UNCERTAIN_BEFORE = re.compile(
    rf"{_CANNOT_EXCLUDE}|\b(?:possibl[ey]|poss\.|probabl[ey]|prob\.|(?<!un)likely|consider|questionable|suspect(?:ed)?|suspicious|"
    r"suggest(?:s|ive|ing)?|may|might|could|question of|rule out|r/o)\b|"
    r"\b(?:versus|vs)\b\.?(?!\s*\d)|\?\s*$|(?<=\w)\s+or\s+$"
)
_UNCERTAIN_BEHIND = re.compile(
    rf"{_CANNOT_EXCLUDE}|\bnot (?:be )?(?:entirely |completely )?(?:ruled out|excluded)|"
    r"\b(?:is |are |remains? )?(?:possible|probable|likely|suspected|questionable|(?:to|must|should) be considered)\b|"
    r"\?|\b(?:versus|vs)\b\.?(?!\s*(?:\d|previous|prior))|^\s+or\s+(?!more|less|higher|greater|longer|older)\w"
)
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|denies|absence of|absent|neg(?:ative|\.)? for|free of|lacks?|lacking|never|nor|neither|"
    r"unlikely|rather than|instead of|insufficient for|fail(?:s|ed)? to|excludes|(?:ruled|rules) out|history of|h/o)\b|"
    r"\bw/o\b|\b(?:resolution|disappearance|cessation|termination) of\b|\bresolved\s+$|\breplac(?:ed|es|ing)\b(?! by)|"
    r"\b(?:conver(?:sion|ted)|rever(?:sion|ted)|change[sd]?|transition) from\b(?!.*\bto\b)|\b(?:non|pseudo)[\s-]*$"
)
_DENIED_BEHIND = re.compile(
    rf"\b(?:(?:no longer|not) (?:be )?{_SHOWN}|absent|unlikely|"
    r"ruled out|excluded|resolved|normali[sz]ed|disappeared|subsided|gone|replaced by|"
    r"(?:has|have|now) (?:converted|reverted|changed|given way) to)\b|^\s*:\s*(?:none|no|not|absent|negative)\b"
)
#: "on the previous ECG" right behind a mention: that was then, unless it stays.
_THEN = re.compile(
    rf"^\s*(?:(?:was|were|{_SHOWN})\s+)*(?:on|in)\s+(?:the\s+|an?\s+)?{_EARLIER}\b(?!.*\b(?:unchanged|persists?|remains?|still)\b)"
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
    before, behind = _NO_DENIAL.sub(" ", _NOT_BEFORE.sub(" ", before)), _NOT_BEFORE.sub(" ", behind)
    if (
        _THEN.search(behind)
        or _DENIED_BEHIND.search(_UNCERTAIN_BEHIND.sub(" ", behind))
        or _DENIED_BEFORE.search(_UNCERTAIN_BEFORE.sub(" ", before))
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
            for found in islice(pattern.finditer(report), _MOST)
        )

    def _counts(self, report: str, start: int, end: int) -> bool:
        first = max(0, start - _REACH)
        report, start, end = report[first : end + _REACH], start - first, end - first
        if self._stop:
            first, last = _statement(report, start, end)
            if any(stop.search(report[first:last]) for stop in self._stop):
                return False
        return not self._passed_over or certainty(report, start, end) not in self._passed_over
