"""Counts and quantiles over tables of millions of records, read some thousand rows at a time."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from ecglfm.data.tables import TableReader, sorted_pieces
from ecglfm.records import SPLITS
from ecglfm.sources.tables import merge_join

#: Stands for all sources, or all splits; `NONE` for no split.
ALL, NONE = "all", "none"


class Tallies(NamedTuple):
    """Records and patients by source and split, either of which may be `ALL`."""

    records: Counter[tuple[str, str]]
    patients: Counter[tuple[str, str]]

    def of(self, source: str) -> dict[str, tuple[int, int]]:
        """Records and patients of each split, of none and of all, of a source."""
        return {split: (self.records[source, split], self.patients[source, split]) for split in (*SPLITS, NONE, ALL)}

    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return sorted({source for source, split in self.records if split == ALL} - {ALL})


def tallies(records: TableReader) -> Tallies:
    """Count a table with `patient_id`, `source` and `split`."""
    found = Tallies(Counter(), Counter())
    for (table,) in merge_join([sorted_pieces(records(["patient_id", "source", "split"]), "patient_id")], "patient_id"):
        rows = table.to_pandas().fillna({"split": NONE})
        for more in ({}, {"split": ALL}, {"source": ALL}, {"source": ALL, "split": ALL}):
            part = rows.assign(**more)
            found.records.update(zip(part["source"], part["split"], strict=True))
            part = part.drop_duplicates()  # all rows of a patient are in this table
            found.patients.update(zip(part["source"], part["split"], strict=True))
    return found


def count_rows(records: TableReader, columns: Sequence[str]) -> Counter[tuple[Any, ...]]:
    """How many rows there are of each combination of some columns' values; null text counts as `NONE`."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for piece in records(list(columns)):
        texts = [name for name, kind in piece.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
        numbers = piece.fillna(dict.fromkeys(texts, NONE)).value_counts(dropna=False)
        counts.update(dict(zip(numbers.index, numbers, strict=True)))
    return counts


class Quantiles(NamedTuple):
    """How many values there are, and their quantiles."""

    known: int
    quantiles: list[float]


def spreads(
    records: TableReader, columns: Sequence[str], by: Sequence[str], at: Sequence[float]
) -> dict[tuple[str, ...], Quantiles]:
    """Quantiles of a column of numbers in each group of records.

    Parameters
    ----------
    records : TableReader
    columns : sequence of str
        The column; of two, the first divided by the second.
    by : sequence of str
        Columns of text that tell the groups; null counts as `NONE`.
    at : sequence of float
        Which quantiles, from 0 to 1; between two values linear, as pandas has them.

    Returns
    -------
    dict
        By group, sorted; a group without a known value is left out.
    """
    counts: Counter[tuple[str, ...]] = Counter()

    def known() -> Iterator[pd.DataFrame]:
        for piece in records([*by, *columns]):
            values = piece[columns[0]] if len(columns) == 1 else piece[columns[0]] / piece[columns[1]]
            rows = piece[list(by)].fillna(NONE).assign(value=values.astype("float64"))[values.notna()]
            counts.update(rows[list(by)].itertuples(index=False, name=None))
            yield rows

    tables = sorted_pieces(known(), *by, "value")
    first = next(tables)  # before the first one comes out, all went in, and were counted
    groups = sorted(counts)
    starts = dict(zip(groups, np.cumsum([0, *(counts[group] for group in groups)]).tolist(), strict=False))
    places = {group: [(counts[group] - 1) * share for share in at] for group in groups}
    rows = {starts[group] + round_(place) for group in groups for place in places[group] for round_ in (floor, ceil)}
    values = _picked(itertools.chain([first], tables), sorted(rows))

    def between(start: int, place: float) -> float:
        two = values[start + floor(place)], values[start + ceil(place)]
        return float(np.quantile(two, place % 1))

    return {group: Quantiles(counts[group], [between(starts[group], p) for p in places[group]]) for group in groups}


def _picked(tables: Iterable[pa.Table], rows: list[int]) -> dict[int, float]:
    """Values of some rows of a table in pieces."""
    values: dict[int, float] = {}
    start = 0
    for table in tables:
        here = rows[bisect_left(rows, start) : bisect_left(rows, start + len(table))]
        values |= {row: table["value"][row - start].as_py() for row in here}
        start += len(table)
    return values
