"""One vector a person: whose recordings take part, and which of them stands for the person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import FeaturesConfig, UserError
from ecglfm.config.wording import counted
from ecglfm.evaluation.serial import days_of

#: Columns of a person beside the vector.
ABOUT = ["patient_id", "record_id", "source", "split", "age", "sex", "recordings"]


def read_people(
    config: FeaturesConfig, records: pd.DataFrame, vectors: Sequence[Path], days: pd.Series
) -> tuple[pd.DataFrame, list[str]]:
    """People with the vector of each, in the order of their ids.

    Parameters
    ----------
    config : FeaturesConfig
    records : DataFrame
        Rows of the manifest: `record_id, patient_id, source, split, age, sex`.
    vectors : sequence of path
        `embed/{encoder}/{source}.parquet`, joined by the id of the record.
    days : Series of float
        When each recording was made, by `record_id`; NaN: unknown.

    Returns
    -------
    DataFrame
        `patient_id, record_id, source, split, age, sex, recordings` (how many there were), `vector.0000`, … in float64.
    list of str
        Names of the columns of the vector.

    Raises
    ------
    UserError
        A recording has no vector, or nobody is left.
    """
    for key, wanted in (("source", config.sources), ("split", config.splits)):
        records = records[records[key].isin(wanted)] if wanted is not None else records
    table = pd.concat([pd.read_parquet(path) for path in vectors]).drop(columns="patient_id")
    names = [name for name in map(str, table) if name.startswith("vector.")]
    rows = records.merge(table, left_on="record_id", right_on="record", how="left", validate="one_to_one")
    lacking = rows["record"].isna()
    if lacking.any():
        raise UserError(
            f"{vectors[0].parent}: no vector of {rows['record_id'][lacking].iloc[0]}"
            f" ({counted(int(lacking.sum()), 'recording')} of the manifest): run the stage `embed` again"
        )
    rows[names] = rows[names].astype(np.float64)
    rows = rows[np.isfinite(rows[names]).all(axis=1)].assign(
        days=lambda known: days.reindex(known["record_id"]).to_numpy()
    )
    rows["recordings"] = rows.groupby("patient_id")["record_id"].transform("size")
    people = _chosen(config, rows, names)
    if people.empty:
        raise UserError("discover.features: nobody is left: see its `sources`, `splits` and `baseline`")
    return people[[*ABOUT, *names]].reset_index(drop=True), names


def _chosen(config: FeaturesConfig, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """One row a person, in the order of ids."""
    order = ["patient_id", "days", "record_id"]
    if config.baseline is not None:
        days = rows["patient_id"].map(_baseline(config.baseline))
        rows = rows.assign(distance=(rows["days"] - days).abs()).dropna(subset="distance")
        order.insert(1, "distance")
    people = rows.sort_values(order, na_position="last").drop_duplicates("patient_id")
    if config.record == "mean":
        means = rows.sort_values(order).groupby("patient_id", sort=True)[names].mean()
        people = people.drop(columns=names).merge(means, left_on="patient_id", right_index=True, validate="one_to_one")
    return people


def _baseline(path: str) -> pd.Series:
    """Each person's date, in days as the databases' own."""
    table = read_table(path, "patient_id", "date")
    if table["patient_id"].duplicated().any():
        twice = table["patient_id"][table["patient_id"].duplicated()].iloc[0]
        raise UserError(f"{path}: {twice} stands twice; a row a person")
    try:
        return days_of(table["date"]).set_axis(table["patient_id"])
    except UserError as error:
        raise UserError(f"{path}: date: {error}") from None


def read_table(path: str | Path, *columns: str) -> pd.DataFrame:
    """A user's CSV or TSV, by its ending, as text; raises `UserError` where it or one of these columns is missing."""
    try:
        table = pd.read_csv(path, sep="," if str(path).endswith(".csv") else "\t", dtype=str, encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table: {' '.join(str(error).split())}; *.csv has commas, others tabs") from None
    missing = [name for name in columns if name not in table]
    if missing:
        separated = "; *.csv has commas, others tabs" if len(table.columns) == 1 else ""
        raise UserError(f"{path}: no column {missing[0]!r}; it has {', '.join(table.columns[:10])}{separated}")
    return table
