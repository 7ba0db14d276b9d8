"""A table with a row per person, such as UK Biobank's main data set: age and sex by the person's id."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.sources import TableColumn
from ecglfm.config.wording import counted
from ecglfm.sources.tables import fail_at, parse_column, parse_sex, read_pieces, years_column

logger = logging.getLogger(__name__)

INSTANCE = "{instance}"
#: UK Biobank's field 31 under the names of its exports: `31-0.0`, `f.31.0.0`, `p31`, `participant.p31`.
_FIELD_31 = re.compile(r"(.*\W)?[fp]?\.?31([-.]0\.0)?", re.ASCII)
_CODING_9 = {"0": "female", "1": "male"}


class People:
    """Age and sex of the people of a table, all of them in memory: some ten MB for UK Biobank's half a million.

    Parameters
    ----------
    path : path
        The CSV.
    columns : mapping
        Our name of a column (`patient_id`, `age`, `sex`): the CSV's, where they differ. `{instance}` in that of `age`
        stands for the instance of a recording: `p21003_i{instance}`.

    Raises
    ------
    UserError
        The CSV is missing, lacks a column that `columns` names, has a person twice or a cell that cannot be read.
    """

    def __init__(self, path: Path, columns: Mapping[TableColumn, str]) -> None:
        self._path = path
        names = {ours: columns.get(ours, ours) for ours in ("patient_id", "age", "sex")}
        header = list(next(read_pieces(path, [])).columns)
        self._ages = _of_instances(header, names["age"])
        wanted = [name for name in (names["sex"],) if name in header or "sex" in columns]
        if "age" in columns and not self._ages:
            raise UserError(f"{path}: no column {columns['age']!r}; the file has: {', '.join(header[:12])}")
        only = [names["patient_id"], *wanted, *self._ages.values()]
        table = pd.concat(read_pieces(path, only, list(dict.fromkeys(only))))
        ids = table[names["patient_id"]].str.strip()
        fail_at(path, ids.isna(), f"{names['patient_id']} is empty", ids)
        fail_at(path, ids.duplicated(), "this person stands in an earlier row already", ids)
        self._frame = pd.DataFrame(
            {instance: years_column(table, name, path).astype("float32") for instance, name in self._ages.items()}
        )
        parse = _coded_sex if _FIELD_31.fullmatch(names["sex"]) else parse_sex
        self._frame["sex"] = parse_column(
            table, names["sex"] if wanted else None, path, parse, "male or female, M or F"
        ).astype("category")
        self._frame.index = pd.Index(ids)
        self._records = self._missing = 0

    def of(self, ids: pd.Series, instances: pd.Series) -> pd.DataFrame:
        """`age` and `sex` of recordings, by their people's ids and the instances at which they were made."""
        self._records, self._missing = (
            self._records + len(ids),
            self._missing + int((~ids.isin(self._frame.index)).sum()),
        )
        rows = self._frame.reindex(ids.fillna("")).set_axis(ids.index)
        age = pd.Series(float("nan"), index=ids.index)
        for instance in self._ages:
            here = slice(None) if instance == "" else (instances == instance).fillna(False)
            age.loc[here] = rows.loc[here, instance].astype("float64")
        return pd.DataFrame({"age": age, "sex": rows["sex"].astype("string")})

    def warn(self, source: str) -> None:
        """Say how many recordings were of people who are not in the table."""
        if self._missing:
            logger.warning(
                "source %s: %s of people who are not in %s; the files say their age and sex",
                source, counted(
                    self._missing, f"of {self._records} recordings is", f"of {self._records} recordings are"
                ), self._path,
            )  # fmt: skip


def _of_instances(header: list[str], name: str) -> dict[str, str]:
    """Column of the age at each instance; under the key '' one for all."""
    if INSTANCE not in name:
        return {"": name} if name in header else {}
    form = re.compile(r"(\d+)".join(map(re.escape, name.split(INSTANCE, 1))), re.ASCII)
    return {match[1]: column for column in header if (match := form.fullmatch(column))}


def _coded_sex(text: str) -> str | None:
    """As `parse_sex`, and in UK Biobank's data-coding 9: 0 is female, 1 male."""
    return _CODING_9.get(text.strip()) or parse_sex(text)
