"""What becomes of a value, by what it is: the one place that all formats ask, and that notes what was removed."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ecglfm.app.deidentification.dates import back, coarse, dates_in, read_date, shifted, without_months
from ecglfm.app.deidentification.secret import Secret
from ecglfm.app.deidentification.spelling import Forbidden, Removed, fold, words
from ecglfm.app.deidentification.vocabulary import CHANNELS, HARMLESS, kind_of
from ecglfm.config import LEADS
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.records import RecordError, normalize_lead
from ecglfm.sources.patients import UNSTATED, normal_number, normal_text
from ecglfm.sources.tables import OLDEST, parse_age, parse_sex

#: Endings of files that belong to a record of this name, or are a recording or a table.
ENDINGS = (".hea", ".dat", ".mat", ".xml", ".csv")
#: Names of UK Biobank's files, which begin with the participant.
UKB = re.compile(r"(?P<eid>[0-9A-Za-z]+)(?P<rest>_(?:20205|6025)_\d{1,2}_\d{1,2})", re.ASCII)
_PARTED = re.compile(r"\d+(?:[-_. ]\d+)+", re.ASCII)  # rec_4815_1623
_CODES = re.compile(r"[\d\s,;]{1,200}", re.ASCII)


@dataclass(frozen=True)
class Names:
    """New names of files and folders; the same name is the same everywhere, in tables and headers too.

    Attributes
    ----------
    rules, secret
    known : set of str
        Words of names and ids of all files; with `names: keep` a name that has one is replaced.
    """

    rules: DeidentificationRules
    secret: Secret
    known: Collection[str] = frozenset()

    def normal(self, identifier: str) -> str:
        """An id, the same for its spellings; empty where it says that nobody knows it."""
        text = identifier.strip()
        if text.casefold() in UNSTATED:
            return ""
        if self.rules.ids == "as_written":
            return text
        return normal_number(text) if self.rules.ids == "number" else normal_text(text)

    def pseudonym(self, identifier: str) -> str:
        """What stands for an id of a person or of anything else; empty for an empty one."""
        normal = self.normal(identifier)
        return self.secret.pseudonym(normal) if normal else ""

    def stem(self, name: str) -> str:
        """What stands for the name of a record or folder."""
        match = UKB.fullmatch(name)
        if match:
            return self.pseudonym(match["eid"]) + match["rest"]
        if self.rules.names == "keep" and not self._tells(name):
            return name
        return self.secret.name(name)

    def _tells(self, name: str) -> bool:
        found = words(name)
        return (
            any(word in self.known or (word.isdigit() and len(word) > 5) for word in [*found, "".join(found)])
            or any(letters in self.known for letters in re.findall(r"[^\W\d_]+|\d+", fold(name)))
            or any(re.sub(r"\D", "", number) in self.known for number in _PARTED.findall(name))
            or any(True for _ in dates_in(name))
            or without_months(name, "") != name
        )

    def file(self, name: str) -> str:
        """What stands for the name of a file, with its ending where that is one of ours."""
        ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
        stem = name[: len(name) - len(ending)]
        if ending == ".csv" and not self._tells(stem):  # a table is known by its name, and somebody wrote rules for it
            return name
        return self.stem(stem) + ending

    def path(self, path: str) -> str:
        """What stands for a path relative to the folder, or for the part of one that a table has."""
        *folders, name = path.split("/")
        return "/".join([*(part if part in {"", ".", ".."} else self.stem(part) for part in folders), self.file(name)])


@dataclass
class Cleaner:
    """Says what becomes of the values of one file, and notes what was removed.

    Attributes
    ----------
    names : Names
    person : str
        Whose dates these are; of a table, row by row.
    known : Forbidden
        What texts that are kept must not have: what the file's other fields hold.
    everybody : set of str
        Names and ids of all files.
    removed : list of Removed
    new_days : set of date
        Days that were put in place of others.
    """

    names: Names
    person: str = ""
    known: Forbidden = field(default_factory=Forbidden)
    everybody: Collection[str] = frozenset()
    removed: list[Removed] = field(default_factory=list)
    new_days: set[datetime.date] = field(default_factory=set)

    @property
    def rules(self) -> DeidentificationRules:
        """Rules of the run."""
        return self.names.rules

    @property
    def harmless(self) -> set[str]:
        """Words that are never searched for: those of the formats, and those that the rules name."""
        return {fold(word) for word in self.rules.words} | HARMLESS

    @property
    def days(self) -> int:
        """By how many days the person's dates go back."""
        return self.names.secret.days(self.person, self.rules.shift_days)

    def drop(self, kind: str, value: str | datetime.date) -> None:
        """Note that something is not written."""
        if isinstance(value, datetime.date) or value.strip():
            self.removed.append(Removed(kind, value))

    def rule(self, rule: str, text: str, key: str = "") -> str | None:
        """What a rule of a column or a comment makes of a value; None where nothing of it stays."""
        word, _, form = rule.partition(" ")
        if not text.strip():
            return ""
        if word in {"patient", "id"}:
            return self.identifier(text)
        if word == "path":
            self.drop("file name", text)
            return self.names.path(text)
        if word == "date":
            return self.date(text, form)
        if word == "age":
            return self.age(text, 365.2425 if form == "days" else 1)
        if word == "text":
            return self.text(text)
        if word == "keep":
            return text
        kind = {"birth": "birth date", "name": "name"}.get(word) or kind_of(key)
        day = read_date(text, form) if kind == "birth date" else None  # else it is searched for as all it may be
        self.drop(kind, day or text)
        return None

    def identifier(self, text: str) -> str:
        """A pseudonym."""
        self.drop("id", text)
        return self.names.pseudonym(text)

    def date(self, text: str, form: str = "") -> str | None:
        """A date, with or without a time of day, the person's days earlier; None where it is none."""
        day = read_date(text, form)
        self.drop("date", day or text)
        if day is not None:
            self.new_days.add(back(day, self.days))
        return shifted(text, self.days, self.rules.time, form)

    def day(self, day: datetime.date) -> datetime.date:
        """A day, the person's days earlier."""
        self.drop("date", day)
        earlier = back(day, self.days)
        self.new_days.add(earlier)
        return earlier

    def time(self, text: str) -> str | None:
        """A time of day."""
        new = coarse(text, self.rules.time)
        if new != text.strip():
            self.drop("date", text)
        return new

    def age(self, text: str, in_year: float = 1) -> str | None:
        """An age, 90 years where it is above 89; None where it is none. `in_year`: units of it in a year."""
        try:
            years = parse_age(text) if in_year == 1 else float(text) / in_year
        except ValueError:
            self.drop("unknown", text)
            return None
        if years > OLDEST - 1:
            if text.strip() != f"{OLDEST:g}":
                self.drop("age", text)
            return f"{OLDEST * in_year:.0f}"
        return text.strip()

    def sex(self, text: str) -> str | None:
        """A sex that is understood."""
        try:
            parse_sex(text)
        except ValueError:
            self.drop("unknown", text)
            return None
        return text.strip()

    def codes(self, text: str) -> str | None:
        """Numbers of statements, such as SNOMED's; anything else is text."""
        return text.strip() if _CODES.fullmatch(text.strip()) else self.text(text)

    def text(self, text: str) -> str | None:
        """Free text: nothing of it, or it less what must go."""
        if self.rules.text == "drop":
            self.drop("text", text)
            return None
        new = self.known.cut(text, self.everybody)
        if new != text:
            self.removed.append(Removed("part of a text", text))
        return new

    def lead(self, text: str, where: str) -> str:
        """The name of a channel; raises RecordError where it is none that is known to be harmless."""
        name = text.strip()
        if normalize_lead(name) in LEADS or name.lower() in CHANNELS or name in self.rules.leads:
            return name
        raise RecordError(
            "lead_unknown", f"{where}: is {name[:40]!r} a lead? `leads: [{name[:40]}]` in --rules says so"
        )
