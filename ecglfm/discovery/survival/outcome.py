"""Time and event of people: from the databases' own columns, or from a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import UserError
from ecglfm.discovery.features import read_table

_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}


def read_outcome(
    people: pd.DataFrame, time: str, event: str, *, index: Sequence[Path] = (), table: Path | None = None
) -> pd.DataFrame:
    """Follow-up of people.

    A column of a database says something of the recording in its row (in CODE-15 of a patient's first), so it counts
    for a person whose chosen recording that is, and for nobody else: time would run from another day than the ECG's.

    Parameters
    ----------
    people : DataFrame
        `patient_id`, `record_id`.
    time, event : str
        Columns, of the databases' tables without `native.`.
    index : sequence of path
        `index/{source}.parquet`; read where there is no `table`.
    table : path, optional
        CSV, TSV or Parquet with `record_id` or `patient_id`, once each.

    Returns
    -------
    DataFrame
        A row per person, in their order: `time` and `event` (1 or 0), NaN where unknown or where time is not above 0.

    Raises
    ------
    UserError
        The table is missing or none, a column is missing, an id is there twice, an event is neither yes nor no, or
        nobody has both.
    """
    found = _of_index(index, time, event) if table is None else _of_table(table, time, event)
    key = found.columns[0]
    where = "the databases' tables" if table is None else str(table)
    if (twice := found[key].duplicated()).any():
        raise UserError(f"{where}: {key} {found.loc[twice, key].iloc[0]} is there twice; once each, please")
    of_people = found.set_index(key).reindex(people[key].astype(str))
    times = pd.to_numeric(of_people[time], errors="coerce").to_numpy(np.float64)
    events = _events(of_people[event], where)
    known = np.isfinite(times) & (times > 0) & np.isfinite(events)
    if not known.any():
        raise UserError(
            f"discover.survival: of {len(people)} people nobody has {time!r} above 0 and {event!r} in {where}; where a"
            " database has them at a first recording only (CODE-15), `features.record` is `first`"
        )
    return pd.DataFrame({"time": np.where(known, times, np.nan), "event": np.where(known, events, np.nan)})


def _of_index(index: Sequence[Path], time: str, event: str) -> pd.DataFrame:
    columns = ["record_id", f"native.{time}", f"native.{event}"]
    there = [path for path in index if set(columns) <= set(pq.read_schema(path).names)]
    if not there:
        raise UserError(
            f"discover.survival: no database has the columns {time!r} and {event!r}; those of a database are the"
            " `native.` ones of index/SOURCE.parquet, those of a table of yours are named with `table`"
        )
    parts = [pd.read_parquet(path, columns=columns).astype("string") for path in there]
    return pd.concat(parts, ignore_index=True).rename(columns=lambda name: name.removeprefix("native."))


def _of_table(path: Path, time: str, event: str) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"discover.survival.table: {path}: no such file")
    if path.suffix == ".parquet":
        try:
            table = pd.read_parquet(path).astype("string")
        except pa.ArrowInvalid as error:
            raise UserError(f"{path}: not a table: {' '.join(str(error).split())}") from None
    else:
        table = read_table(path).astype("string")
    key = next((name for name in ("record_id", "patient_id") if name in table), None)
    missing = [name for name in (time, event) if name not in table]
    if key is None or missing:
        what = "record_id or patient_id" if key is None else ", ".join(missing)
        raise UserError(f"{path}: no column {what}; it has {', '.join(map(str, table.columns[:20]))}")
    return table[[key, time, event]]


def _events(said: pd.Series, where: str) -> np.ndarray:
    text = said.astype("string").str.strip().str.lower()
    odd = text.notna() & (text != "") & ~text.isin(_YES | _NO)
    if odd.any():
        raise UserError(f"{where}: {said.name} is {said[odd].iloc[0]!r}; write 1 or 0 (true, false)")
    yes, no = text.isin(_YES).to_numpy(bool), text.isin(_NO).to_numpy(bool)
    return np.select([yes, no], [1.0, 0.0], np.nan)
