"""Whether something that must go stands in a text all the same, however it is spelled.

Texts are compared without accents, case and what divides words; `Müller` is `mueller` and `muller`, too. What one file
holds is searched for in what is made of it, also inside other words; names and ids of all files as words. An id that is
too short for that is searched for, as a word of texts, where somebody lists it: a number that is all that a cell or an
element holds is a measurement.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from ecglfm.app.deidentification.dates import dates_in, without_months

_WORD = re.compile(r"[^\W_]+")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_OTHERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_UMLAUT = re.compile("(a|o|u)e")
_SHORT = 3  # letters of a name that is a word of its file's output
_WITHIN = 4  # letters of one that is searched for in all files, and inside words
_PARTED = re.compile(r"(?<![\d.,])\d+(?:[-\u2010-\u2013]\d+)+(?![.,]?\d)", re.ASCII)  # 123-45-6789, 4815-1623
_PARTED_DIGITS = 7  # of one that is cut out of a text: a number of a person or of a telephone
_ADDRESS = re.compile(r"[\w.+-]++(?P<host>@[\w-]+(?:\.[\w-]+)+)?")  # or a word: none is gone through twice
_DIGITS = 6  # of a number: shorter ones are everywhere
_NUMBERS = re.compile(r"[-+\d.,;:/\s]*", re.ASCII)
_CODE = 5  # characters of an id with letters and digits
_OWN = 3  # characters of a shorter one that is cut out of its own file's texts
_PHRASE = 8  # letters and digits of a free text or name of a place

#: What is removed, and how it is searched for: by word, as an id, listed or not, as a date, as a whole.
KINDS = {
    "name": "words", "staff": "words", "id": "id", "birth date": "date", "date": "date", "age": "", "contact": "whole",
    "site": "whole", "text": "whole", "vendor": "whole", "file name": "id", "unknown": "whole", "part of a text": "",
    "listed": "listed", "unclear date": "date", "unread date": "date",
}  # fmt: skip


def _without_host(match: re.Match[str]) -> str:
    return "[removed]" if match["host"] else match[0]


class Removed(NamedTuple):
    """Something that was in a file: of which of `KINDS`, and what; a date is a date where it could be read."""

    kind: str
    value: str | date


def fold(text: str) -> str:
    """The same for spellings of a text: no case, no accents, letters of one alphabet as plain as they can be."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold().translate(_OTHERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """Words and numbers of a text, folded."""
    return _WORD.findall(fold(text))


def forms(text: str) -> set[str]:
    """Folded spellings of a name, with and without the second letter of an umlaut."""
    folded = fold(text)
    return {folded, fold(unicodedata.normalize("NFC", text).casefold().translate(_GERMAN)), _UMLAUT.sub(r"\1", folded)}


def _is_id(word: str) -> bool:
    return len(word) >= (_DIGITS if word.isdigit() else _CODE) and any(map(str.isdigit, word)) and len(set(word)) > 1


@dataclass
class Forbidden:
    """What must not be left.

    Attributes
    ----------
    words : set of str
        Names and ids, folded.
    inside : set of str
        Those that must not stand inside a word either.
    phrases : set of str
        What is several words, a space between them and around.
    days : set of date
    listed, own : set of str
        Short ids: those that somebody lists, which no text may have, and the file's own, which are cut out of its
        texts.
    short : int
        Values that are too short to be told from others, and are not searched for.
    """

    words: set[str] = field(default_factory=set)
    inside: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    short: int = 0

    def add(self, removed: Iterable[Removed], harmless: Collection[str]) -> Forbidden:
        """Take what was removed from a file, less harmless words; gives itself."""
        for kind, value in removed:
            if isinstance(value, date):
                self.days.add(value)
                continue
            how, found = KINDS[kind], words(value)
            if how == "words":
                parts = {form for part in re.split(r"[\W_]+", value) for form in forms(part) if form} - set(harmless)
                long = {part for part in parts if _is_id(part) or (_size(part) >= _SHORT and part.isalpha())}
                self.words |= long
                self.inside.update(part for part in long if _size(part) >= _WITHIN)
                self.short += bool(parts) and not long
            elif how == "date":
                self.days.update(day for _, _, days in dates_in(value) for day in days)
            elif how in {"id", "listed"}:
                long = {part for part in ["".join(found), *found] if _is_id(part)} - set(harmless)
                self.words |= long
                self.inside |= long
                self.phrases.update(self._phrase(found) if long and len(found) > 1 else ())
                if how == "listed" and len(found) == 1:
                    self.listed.update(set(found) - long)
                    continue
                self.own.update(part for part in found[:1] if len(found) == 1 and len(part) >= _OWN)
                self.short += not long
            elif how == "whole" and len("".join(found)) >= _PHRASE and not set(found) <= set(harmless):
                self.phrases.update(self._phrase(found))
        return self

    @staticmethod
    def _phrase(found: list[str]) -> list[str]:
        return [f" {' '.join(found)} "]

    def of_all(self) -> set[str]:
        """Names and ids that are searched for in the output of every file."""
        return {word for word in self.words if _size(word) >= _WITHIN}

    def found_in(self, text: str, everybody: Collection[str] = (), allowed: Collection[date] = ()) -> str | None:
        """What of it a text has, in words; None where nothing.

        Parameters
        ----------
        text : str
        everybody : set of str
            Words of `of_all` of all files.
        allowed : set of date
            Days that were put in place of others.
        """
        found = words(text)
        if any(word in self.words or word in everybody for word in found):
            return "a name or an id"
        if any(part in word for part in self.inside for word in found):
            return "a name or an id"
        joined = f" {' '.join(found)} "
        if any(phrase in joined for phrase in self.phrases):
            return "a text or the name of a place"
        if any(_joined(match[0]) in self.words for match in _PARTED.finditer(text)):
            return "a name or an id"
        if self.days and any(days & self.days - set(allowed) for _, _, days in dates_in(text)):
            return "a date"
        return None

    def has_listed(self, values: Iterable[str]) -> bool:
        """Whether one of some values, each a text of its own, has a short id that somebody lists."""
        return any(not _NUMBERS.fullmatch(value) and not self.listed.isdisjoint(words(value)) for value in values)

    def cut(self, text: str, everybody: Collection[str] = ()) -> str:
        """A text less names, ids, whatever looks like a date, addresses of mail, and long numbers, also in parts."""
        begun = len(text)
        for start, end, days in sorted(dates_in(text), key=lambda found: found[:2], reverse=True):
            if days and end <= begun:  # of two that overlap the first's rest is a number by itself
                text, begun = f"{text[:start]}[date]{text[end:]}", start
        text = _ADDRESS.sub(_without_host, without_months(text, "[date]"))
        text = _PARTED.sub(lambda match: "[removed]" if self._is_number(match[0], everybody) else match[0], text)
        parts: list[str] = []
        last = 0
        for start, end, word in _with_places(text):
            folded = fold(word)
            bad = any(folded in known for known in (self.words, self.listed, self.own, everybody))
            bad = bad or any(part in folded for part in self.inside)
            if bad or _is_id(folded):
                parts += [text[last:start], "[removed]"]
                last = end
        return "".join(parts) + text[last:]

    def _is_number(self, parted: str, everybody: Collection[str]) -> bool:
        digits = _joined(parted)
        return len(digits) >= _PARTED_DIGITS or digits in self.words or digits in everybody


def _joined(number: str) -> str:
    """Digits of a number in parts."""
    return "".join(filter(str.isdigit, number))


def _size(name: str) -> int:
    """Letters of a name, of which an ideograph is worth two: two are a whole name."""
    return len(name) + sum("\u3400" <= letter <= "\u9fff" for letter in name)


def _with_places(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _WORD.finditer(text):
        yield match.start(), match.end(), match[0]
