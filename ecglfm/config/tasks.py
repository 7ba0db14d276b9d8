"""What a user may say about a label set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from ecglfm.config.base import Name, Section
from ecglfm.config.expression import Condition, parse_condition
from ecglfm.config.kinds import KINDS, TaskKind
from ecglfm.config.label_file import LabelFile
from ecglfm.config.one_of import OneOf
from ecglfm.config.text import as_codes, split_codes

#: Clauses that choose records, any of which is enough.
CLAUSES = ("scp", "scp_class", "scp_subclass", "snomed", "statement", "report", "column", "codes", "where")
_OF_THE_DATABASE = ("scp", "scp_class", "scp_subclass", "snomed", "statement", "report")
_LONGEST = 200  # characters of a label
_LIKELIHOODS = ("scp", "scp_class", "scp_subclass")


class Selector(Section):
    """Which records of a source kind carry a label: any listed clause is enough."""

    scp: list[str] = Field([], description="`ptbxl`: SCP-ECG codes")
    scp_class: list[str] = Field(
        [], description="`ptbxl`: diagnostic classes of scp_statements.csv (NORM MI STTC CD HYP)"
    )
    scp_subclass: list[str] = Field(
        [], description="`ptbxl`: diagnostic subclasses of scp_statements.csv (IMI, LAFB/LPFB, …)"
    )
    min_likelihood: float = Field(
        0.0,
        ge=0,
        le=100,
        description="`ptbxl`: smallest likelihood that counts; 0: any listed code, as the benchmark does",
    )
    max_likelihood: float = Field(100.0, ge=0, le=100, description="`ptbxl`: largest likelihood that counts")
    snomed: list[str] = Field(
        [],
        description="`challenge2021`, and `wfdb_folder` whose headers have `#Dx:`: SNOMED CT codes; those that the "
        "Challenge scores as one diagnosis count as one",
    )
    statement: list[str] = Field(
        [],
        description="`heedb`: numbers of 12SL statements; where the table has no row of a recording they are unknown",
    )
    read_by: Literal["physician", "software", "v24"] = Field(
        "physician",
        description="whose `statement` counts: the physician's or the software's at the time, or that of version 24 of"
        " the software",
    )
    report: list[str] = Field([], description="regular expressions searched in the report text, case ignored")
    not_report: list[str] = Field(
        [], description="a mention by `report` does not count in a statement where one of these is found"
    )
    negated: Literal["negative", "count"] = Field(
        "negative", description="mentions by `report` that English words deny (no, without, no longer present, …)"
    )
    uncertain: Literal["count", "negative"] = Field(
        "count", description="mentions by `report` that are only possible (possible, consider, cannot rule out, …)"
    )
    column: dict[str, list[str]] = Field(
        {}, description="column of the database's own table, or of `file`: values that count"
    )
    codes: dict[str, list[str]] = Field(
        {},
        description="column likewise, with several codes in a cell (between them `,`, `;`, `|` or blanks): those that "
        "count; `I48*` is every code that begins so",
    )
    where: str | None = Field(None, description="condition on columns, e.g. `age >= 18 and sex == 'female'`")
    value: str | None = Field(None, description="`kind: regression`: column with the number")
    time: str | None = Field(
        None, description="`kind: survival`: column with the time of the event or of the last news"
    )
    event: str | None = Field(
        None, description="`kind: survival`: whether it was the event, a column (true/false, 1/0) or a condition"
    )
    since: str | None = Field(
        None,
        description="`kind: survival`: column of the database that says when a recording was made; `time` and `event` "
        "are then dates, of the last news and of the event (empty: it has not come), and times are years between",
    )
    competing: str | None = Field(
        None,
        description="with `time` and `event`: whether something came first after which the event cannot come, such as "
        "death: as `event`, and with `since` a date; whom it is true of has no event until follow-up would have ended",
    )
    follow_up_end: str | None = Field(
        None,
        description="with `competing`: until when such a person would have been followed: with `since` a date "
        "(2022-10-31) or a column of dates, else a time or a column of times; null: as those who were lost later",
    )
    within: float | None = Field(
        None,
        gt=0,
        description="`kind: binary`, `multilabel`: with `time` and `event` as of `kind: survival`, the label is "
        "whether the event came within so much time; unknown where the last news is earlier, or it had come before",
    )
    file: LabelFile | None = Field(
        None, description="CSV of your own, to whose columns `column`, `where`, `value`, `time` and `event` then refer"
    )
    among: str | None = Field(
        None, description="condition on columns of the database: of other records nothing is known here"
    )

    @field_validator("codes", mode="before")
    @classmethod
    def _unquoted_in_columns(cls, codes: Any) -> Any:
        """As those of `snomed`."""
        return {name: as_codes(own) for name, own in codes.items()} if isinstance(codes, dict) else codes

    @model_serializer(mode="wrap")
    def _without_unused_codes(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is not used of newer clauses is left out: labels from before there were such stay what they are."""
        content: dict[str, Any] = write(self)
        newer = ("codes", "statement", "since", "within", "competing", "follow_up_end")
        needs = {key: key for key in newer} | {"read_by": "statement"}
        return {key: value for key, value in content.items() if key not in needs or content[needs[key]]}

    @field_validator("snomed", "statement", mode="before")
    @classmethod
    def _unquoted_codes(cls, codes: Any) -> Any:
        """Codes are numbers to YAML unless they are quoted; both are meant as text."""
        return as_codes(codes)

    @field_validator("follow_up_end", mode="before")
    @classmethod
    def _unquoted_end(cls, end: Any) -> Any:
        """A date or a number to YAML."""
        return str(end) if isinstance(end, int | float | date) else end

    @model_validator(mode="after")
    def _is_sound(self) -> Selector:
        if not self.clauses and self.value is None and self.time is None and self.event is None:
            raise ValueError(f"empty selector: give one of {', '.join(CLAUSES)}")
        for key in ("report", "not_report"):
            for pattern in getattr(self, key):
                try:
                    re.compile(pattern)
                except (re.error, OverflowError, RecursionError) as error:
                    raise ValueError(f"{key} pattern {pattern!r} is not a regular expression: {error}") from None
        for name, codes in self.codes.items():
            odd = [code for code in codes if not code or code != "".join(split_codes(code)) or "*" in code[:-1]]
            if odd or not codes:
                raise ValueError(f"codes.{name}: {odd or codes}: each is one code, without blanks; `*` only at its end")
        odd = [number for number in self.statement if not number.isdecimal()]
        if odd:
            raise ValueError(f"statement {odd[0]!r}: 12SL statements are numbers, e.g. 161")
        if self.read_by != "physician" and not self.statement:
            raise ValueError("`read_by` says whose `statement` counts, which is missing")
        for key in ("where", "among"):
            if getattr(self, key) is not None:
                parse_condition(getattr(self, key))
        bounds = self.min_likelihood > 0 or self.max_likelihood < 100
        if bounds and not any(getattr(self, key) for key in _LIKELIHOODS):
            raise ValueError(f"`min_likelihood` and `max_likelihood` count for {', '.join(_LIKELIHOODS)} only")
        if self.since and not self.time:
            raise ValueError("`since` says where the dates of `time` and `event` are counted from, which are missing")
        if self.competing and not self.time:
            raise ValueError("`competing` comes before the `event` of a `time`, which are missing")
        if self.follow_up_end and not self.competing:
            raise ValueError("`follow_up_end` is of those whom `competing` is true of, which is missing")
        if self.min_likelihood > self.max_likelihood:
            raise ValueError("`min_likelihood` is above `max_likelihood`: no code can count")
        if self.not_report and not self.report:
            raise ValueError("`not_report` only narrows `report`, which is missing")
        if self.file is not None:
            wrong = [key for key in _OF_THE_DATABASE if getattr(self, key)]
            if wrong:
                raise ValueError(f"`{wrong[0]}` asks the database and `file` a table of your own; write one of them")
        return self

    @property
    def clauses(self) -> list[str]:
        """Names of the clauses that it has."""
        return [key for key in CLAUSES if getattr(self, key)]

    def condition(self, key: Literal["event", "competing"]) -> Condition | None:
        """The condition that a key is; None where it names a column, or is not there."""
        written = getattr(self, key)
        if written is None:
            return None
        try:
            return parse_condition(written)
        except ValueError:
            return None


class TaskConfig(Section):
    """One label set (`config/tasks/{task}.yaml`)."""

    kind: Annotated[str, OneOf(lambda: KINDS)] = Field(
        description="what the labels are: " + "; ".join(kind.description for kind in KINDS.values())
    )
    description: str = Field("", description="one sentence for the report")
    sources: list[Name] | None = Field(
        None, min_length=1, description="sources to take records from; null: all of config.yaml"
    )
    labels: dict[str, dict[str, Selector]] = Field(
        description="label: {source kind: selector}; a source kind without selector leaves the label unknown there"
    )
    exclude: dict[str, Selector] = Field({}, description="source kind: selector of records to leave out")
    missing: Literal["negative", "ignore", "drop"] = Field(
        "negative",
        description="records without a label: negatives; unknown where the record says nothing at all about it (no "
        "codes, no report, a cell that is empty or `NA`, no row in the file); or dropped if they have no label of all "
        "(PTB-XL benchmark)",
    )
    # Left out of every dump: an edit makes only fits of `zero_shot` anew.
    prompts: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {},
        exclude=True,
        description="`finetune.modes: [zero_shot]` only, label: sentences that say it; without any, its name",
    )
    min_positives: int = Field(
        1, ge=1, description="training records that must carry a label (events, known numbers) for it to be used"
    )
    rare: Literal["error", "leave_out"] = Field(
        "error", description="a label with fewer, or that all training records carry: stop, or go on without it"
    )

    @model_validator(mode="after")
    def _labels_fit_kind(self) -> TaskConfig:
        if not self.labels:
            raise ValueError("`labels` is empty")
        self.task_kind.check_number(len(self.labels))
        for label, selectors in self.labels.items():
            if not label or re.search(r"[\s/{}.]", label):
                raise ValueError(f"label {label!r}: no spaces, dots, slashes or braces, please")
            if len(label) > _LONGEST or not label.isprintable():  # else the model that learns it could not be read
                raise ValueError(f"label {label[:40]!r}: up to {_LONGEST} characters that can be printed, please")
            for kind, selector in selectors.items():
                self._check_keys(f"labels.{label}.{kind}", self.task_kind, selector)
        for kind, selector in self.exclude.items():
            self._check_keys(f"exclude.{kind}", KINDS["binary"], selector)
        said = {label for label, texts in self.prompts.items() if all(map(str.strip, texts))} & set(self.labels)
        if odd := [label for label in self.prompts if label not in said]:
            raise ValueError(f"prompts.{odd[0]}: no label of the task, or an empty sentence")
        return self

    @property
    def task_kind(self) -> TaskKind:
        """What its kind says."""
        return KINDS[self.kind]

    @staticmethod
    def _check_keys(where: str, kind: TaskKind, selector: Selector) -> None:
        """Raise where a selector lacks what its kind of label is read from, or has something else."""
        wanted = kind.read_from
        if selector.within is not None:
            if not kind.independent or where.startswith("exclude"):
                raise ValueError(f"{where}: `within` makes a label of `kind: binary` or `multilabel`, and nothing else")
            wanted = ("time", "event")
        for key in ("value", "time", "event"):
            if (getattr(selector, key) is not None) != (key in wanted):
                what = "needs" if key in wanted else "has no"
                raise ValueError(f"{where}: `kind: {kind.name}` {what} `{key}`")
        if wanted and selector.clauses:
            raise ValueError(
                f"{where}: `{selector.clauses[0]}` is no number; `among` chooses the records that have one"
            )
        if not wanted and not selector.clauses:
            raise ValueError(f"{where}: empty selector: give one of {', '.join(CLAUSES)}")

    def selectors(self) -> Iterator[tuple[str, str, Selector]]:
        """Yield every selector with its place below the task and its source kind."""
        for label, selectors in self.labels.items():
            for kind, selector in selectors.items():
                yield f"labels.{label}.{kind}", kind, selector
        for kind, selector in self.exclude.items():
            yield f"exclude.{kind}", kind, selector

    @property
    def files(self) -> list[str]:
        """Every file of the user's own that the task reads, once."""
        return list(dict.fromkeys(f for _, _, s in self.selectors() if s.file is not None for f in s.file.files))

    def located(self, folder: Path) -> TaskConfig:
        """The same task with the paths of its files starting in `folder`."""

        def moved(selector: Selector) -> Selector:
            if selector.file is None:
                return selector
            return selector.model_copy(update={"file": selector.file.located(folder)})

        labels = {label: _each(selectors, moved) for label, selectors in self.labels.items()}
        return self.model_copy(update={"labels": labels, "exclude": _each(self.exclude, moved)})


def _each(selectors: dict[str, Selector], change: Callable[[Selector], Selector]) -> dict[str, Selector]:
    return {kind: change(selector) for kind, selector in selectors.items()}
