"""Tables: a rule for every column, each row with the shift of its own person, in pieces however long the table is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.app.deidentification.cleaning import Cleaner
from ecglfm.app.deidentification.spelling import Forbidden
from ecglfm.config import UserError
from ecglfm.config.wording import counted
from ecglfm.records import RecordError
from ecglfm.sources.tables import read_pieces, row_number

_GONE = {"birth", "name", "drop"}


class Columns:
    """What becomes of the columns of a table.

    Parameters
    ----------
    path : path
        The table.
    cleaner : Cleaner
        Its rules.

    Raises
    ------
    UserError
        The table cannot be read, a column has no rule, or dates have no patient whose they are.
    """

    def __init__(self, path: Path, cleaner: Cleaner) -> None:
        self.path = path
        names = [str(name) for name in next(read_pieces(path, []))]
        unknown = [name for name in names if name not in cleaner.rules.columns]
        if unknown:
            lines = ", ".join(f"{name!r}" for name in unknown)
            raise UserError(
                f"{path}: no rule for {counted(len(unknown), 'column')}: {lines}; say in the file of --rules what each"
                f" is, `columns: {{{unknown[0]}: drop}}`: patient, id, path, date, birth, age, name, text, keep or drop"
            )
        self.rules = {name: cleaner.rules.columns[name] for name in names}
        people = [name for name, rule in self.rules.items() if rule == "patient"]
        dated = [name for name, rule in self.rules.items() if rule.startswith("date")]
        if len(people) > 1 or (dated and not people and not self.of("path")):
            raise UserError(
                f"{path}: {len(people)} columns have the rule `patient`; one says whose the dates of a row are"
            )
        self.patient = people[0] if people else None

    def of(self, rule: str) -> list[str]:
        """Columns with a rule."""
        return [name for name, one in self.rules.items() if one == rule]

    def kept(self, text: str) -> list[str]:
        """Columns of the output, by the rule for texts."""
        return [name for name, rule in self.rules.items() if rule not in _GONE and (rule != "text" or text == "keep")]


def linked(columns: Columns, cleaner: Cleaner) -> Iterator[tuple[str, str]]:
    """Path and patient of each row that has both."""
    if columns.patient is None:
        return
    for piece in read_pieces(columns.path, []):
        people = piece[columns.patient].fillna("").tolist()
        for name in columns.of("path"):
            for path, person in zip(piece[name].fillna("").tolist(), people, strict=True):
                if path and cleaner.names.normal(person):
                    yield path, cleaner.names.normal(person)


def pieces(columns: Columns, cleaner: Cleaner, person_of: Any) -> Iterator[tuple[pd.DataFrame, list[Forbidden]]]:
    """Rows that may be given away, some thousand at a time, and what each of them must not have.

    Parameters
    ----------
    columns : Columns
    cleaner : Cleaner
        Notes what was removed of all rows.
    person_of : callable
        Person of the recording at a path, for rows without a patient.
    """
    shown = columns.kept(cleaner.rules.text)
    harmless = cleaner.harmless
    for piece in read_pieces(columns.path, []):
        rows, forbidden = [], []
        for label, row in zip(piece.index, piece.fillna("").to_dict("records"), strict=True):
            person = _person(columns, row, cleaner, person_of) or f"row {label} of {columns.path.name}"
            own = Cleaner(cleaner.names, person=person, everybody=cleaner.everybody)
            new = _row(columns, row, own, int(label))
            own.known = Forbidden().add(own.removed, harmless)
            if cleaner.rules.text == "keep":
                new |= {name: own.text(row[name]) for name in columns.of("text")}
            rows.append([new[name] for name in shown])
            own.known.days -= own.new_days
            forbidden.append(own.known)
            cleaner.removed += own.removed
            cleaner.new_days |= own.new_days
        yield pd.DataFrame(rows, columns=shown, dtype="str"), forbidden


def _person(columns: Columns, row: dict[Any, Any], cleaner: Cleaner, person_of: Any) -> str:
    person = cleaner.names.normal(row[columns.patient]) if columns.patient else ""
    paths = [row[name] for name in columns.of("path") if row[name]]
    return person or (person_of(paths[0]) if paths else "")


def _row(columns: Columns, row: dict[Any, Any], own: Cleaner, label: int) -> dict[str, str | None]:
    """New cells, but for texts."""
    new: dict[str, str | None] = {}
    for name, rule in columns.rules.items():
        text = str(row[name])
        if rule == "text":
            if own.rules.text == "drop":
                own.text(text)
            continue
        new[name] = own.rule(rule, text, name)
        if new[name] is None and rule not in _GONE:
            where = f"{columns.path}: row {row_number(columns.path, label)}"
            raise RecordError("cell_unreadable", f"{where}: {name} is not what its rule `{rule}` reads")
    return new
