"""What of a recording is not the patient: its source, device, site, year, rate, filter and noise.

Databases say these things in columns of their own. What none of them says is missing with a reason, never in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import UserError
from ecglfm.records import DATES, made_at

#: Columns of `index/{source}.parquet` that say a variable, each of some databases and devices.
COLUMNS = {
    "device": ("native.device", "native.cart_id", "native.AcquisitionDevice", "native.model"),
    "site": ("native.site", "native.Site", "native.database"),
    "year": tuple(f"native.{name}" for name in (*DATES, "year")),
    "filter": ("native.filtering", "native.bandwidth"),
}
#: Columns in which a person has noted noise; empty: there was none.
NOTED = ("native.baseline_drift", "native.static_noise", "native.burst_noise", "native.electrodes_problems")
#: Years of electrocardiograms. MIMIC moves dates by centuries, each patient's by another number of years.
_YEARS = (1950, 2050)
_NUMBERS = 10  # more different numbers than this are a quantity


class Variable(NamedTuple):
    """One variable of some records.

    Attributes
    ----------
    values : Series
        By `record_id`; NaN where unknown. Text is a class, numbers are a quantity.
    column : str
        Where it stands.
    """

    values: pd.Series
    column: str

    @property
    def is_quantity(self) -> bool:
        """Numbers, not classes."""
        return pd.api.types.is_float_dtype(self.values)


def read_variables(
    records: pd.DataFrame, names: Sequence[str], *, index: Sequence[Path], ingested: Path
) -> tuple[dict[str, Variable], dict[str, str]]:
    """Variables of records, and why others are missing.

    Parameters
    ----------
    records : DataFrame
        Rows of the manifest.
    names : sequence of str
        `confounders.variables`: `source`, `device`, `site`, `year`, `rate`, `filter`, `noise` (one of each flag), a
        column of the manifest, or `native.{column}` of the databases' tables.
    index : sequence of path
        `index/{source}.parquet`.
    ingested : path
        Folder `ingest/`, whose tables say the rate of a recording before it was resampled.

    Returns
    -------
    dict of Variable
        In the order of `names`.
    dict of str
        By name, why it is not there.

    Raises
    ------
    UserError
        A name is no variable, and no column of any of the tables.
    """
    records = records.set_index("record_id", drop=False)
    native = _native(records, index, names)
    found, missing = dict[str, Variable](), dict[str, str]()
    for name in names:
        if name == "source":
            own = {name: Variable(records["source"].astype(object), "source")}
        elif name == "noise":
            own = _noise(records, native)
        elif name == "rate":
            own = {name: Variable(_rates(records, ingested), "sampling_rate of ingest/")}
        elif name in COLUMNS:
            there = [column for column in COLUMNS[name] if column in native]
            own = {name: Variable(_joined(name, native[there]), ", ".join(there))} if there else {}
        else:
            column = next((table[name] for table in (native, records) if name in table), None)
            if column is None:
                raise UserError(
                    f"confounders.variables: {name!r} is none of source, device, site, year, rate, filter, noise,"
                    " and no column of the manifest or of any index (native.COLUMN)"
                )
            own = {name: Variable(_typed(column), name)}
        known = {key: one for key, one in own.items() if one.values.notna().any()}
        found |= known
        if not known:
            missing[name] = _why(name, records)
    return found, missing


def _why(name: str, records: pd.DataFrame) -> str:
    sources = ", ".join(sorted(records["source"].unique()))
    said = " or ".join(column.removeprefix("native.") for column in COLUMNS.get(name, ()))
    return f"no record of {sources} says it" + (f" (columns looked for: {said})" if said else "")


def _native(records: pd.DataFrame, index: Sequence[Path], names: Sequence[str]) -> pd.DataFrame:
    """Columns of the databases' own that are wanted, text, by record."""
    wanted = {column for name in names for column in (*COLUMNS.get(name, ()), name)}
    wanted |= set(NOTED) if "noise" in names else set()
    tables = []
    for path in index:
        there = [column for column in pq.read_schema(path).names if column in wanted and column.startswith("native.")]
        if there:
            tables.append(pd.read_parquet(path, columns=["record_id", *there]).set_index("record_id"))
    joined = pd.concat(tables) if tables else pd.DataFrame(index=records.index[:0])
    return joined[~joined.index.duplicated()].reindex(records.index)


def _joined(name: str, table: pd.DataFrame) -> pd.Series:
    """The first column that is known of a record; of filters all of them, of dates the year."""
    if name == "filter":
        known = [_text(table[column]) for column in table]
        rows = zip(*known, strict=True)
        texts = ["; ".join(str(text) for text in row if isinstance(text, str)) or None for row in rows]
        return pd.Series(texts, index=table.index, dtype=object)
    if name == "year":
        return pd.concat([_year(table[column]) for column in table], axis=1).bfill(axis=1).iloc[:, 0]
    return pd.concat([_text(table[column]) for column in table], axis=1).bfill(axis=1).iloc[:, 0]


def _text(column: pd.Series) -> pd.Series:
    """Stripped texts; None where there is none."""
    texts = [str(value).strip() if isinstance(value, str) else None for value in column]
    return pd.Series([text or None for text in texts], index=column.index, dtype=object)


def _year(column: pd.Series) -> pd.Series:
    """Years of dates, of a time when there were electrocardiograms."""
    years = made_at(column).dt.year.astype(np.float64)
    return years.where(years.between(*_YEARS))


def _typed(column: pd.Series) -> pd.Series:
    """Numbers where a column has many different ones and nothing else, texts otherwise."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    if numbers.nunique() > _NUMBERS and bool((numbers.notna() | column.isna()).all()):
        return numbers
    return pd.Series([None if pd.isna(value) else str(value) for value in column], index=column.index, dtype=object)


def _rates(records: pd.DataFrame, ingested: Path) -> pd.Series:
    """Rate of each recording as its file has it, a class; unknown where tables of `ingest` were put away."""
    rates = pd.Series(None, index=records.index, dtype=object)
    for source, shard in records[["source", "shard"]].drop_duplicates().itertuples(index=False):
        path = ingested / str(source) / f"{int(shard):03d}.parquet"
        if path.is_file():
            table = pd.read_parquet(path, columns=["record_id", "sampling_rate"]).set_index("record_id")
            here = table["sampling_rate"].map(lambda rate: f"{rate:g} Hz")
            own = records.index.intersection(here.index)
            rates[own] = here[own]
    return rates


def _noise(records: pd.DataFrame, native: pd.DataFrame) -> dict[str, Variable]:
    """A variable for each quality flag that some record has, and for each kind of noise that a person noted."""
    found = {}
    flags = records.get("flags", pd.Series("", index=records.index)).fillna("").str.split(",")
    for flag in sorted({flag for row in flags for flag in row if flag}):
        has = [("flagged" if flag in row else "clean") for row in flags]
        found[f"noise.{flag}"] = Variable(pd.Series(has, index=records.index, dtype=object), "flags")
    for column in NOTED:
        if column in native and (noted := _text(native[column]).notna()).any():
            # A database that has the column at all says of its other records that there was no such noise.
            sources = records.loc[noted.to_numpy(), "source"].unique()
            known = records["source"].isin(sources)
            values = pd.Series(np.where(noted, "noted", "none"), index=records.index, dtype=object).where(known, None)
            found[f"noise.{column.removeprefix('native.')}"] = Variable(values, column)
    return found
