"""Which two recordings are compared to tell whether they are of one person: genuine pairs and impostor pairs.

Genuine (in ISO/IEC 19795-1: mated) pairs are two recordings of one patient, impostor (non-mated) pairs recordings of
two patients of the same source: a hospital's device must not tell people apart.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pandas as pd

#: Pairs scored at once; more would only take more memory.
_TOGETHER = 2**16


class Pairs(NamedTuple):
    """Two rows of a table of records each, the first above the second.

    Attributes
    ----------
    first, second : ndarray of int, shape (pairs,)
    possible : int
        How many there are, of which these are all or a sample.
    """

    first: np.ndarray
    second: np.ndarray
    possible: int

    def __len__(self) -> int:
        return len(self.first)

    def without(self, dropped: np.ndarray) -> Pairs:
        """All but some of them, bool (pairs,)."""
        return Pairs(self.first[~dropped], self.second[~dropped], self.possible - int(dropped.sum()))


def choose_pairs(records: pd.DataFrame, most: int, seed: int) -> tuple[Pairs, Pairs]:
    """Genuine and impostor pairs of some records.

    Every pair has a number from 0, so that a sample is a draw of numbers and no table of all pairs is ever made; which
    pairs are drawn depends on the records, `most` and `seed` alone.

    Parameters
    ----------
    records : DataFrame
        `source` and `patient_id`, sorted by both.
    most : int
        Largest number of pairs of each sort; of more, so many are drawn without replacement.
    seed : int

    Returns
    -------
    genuine, impostor : Pairs
    """
    row = np.arange(len(records))
    patient_end = _ends(records[["source", "patient_id"]])
    source_end = _ends(records[["source"]])
    genuine = _numbered(row + 1, patient_end, most, np.random.default_rng([seed, 0]))
    impostor = _numbered(patient_end, source_end, most, np.random.default_rng([seed, 1]))
    return genuine, impostor


def _ends(keys: pd.DataFrame) -> np.ndarray:
    """Row behind the last one of each row's group, shape (n,)."""
    size = keys.groupby(list(keys.columns), sort=False)[keys.columns[0]].transform("size").to_numpy(np.int64)
    first = ~keys.duplicated().to_numpy()
    start = np.flatnonzero(first)[np.cumsum(first) - 1] if len(keys) else np.zeros(0, np.int64)
    return start + size


def _numbered(begin: np.ndarray, end: np.ndarray, most: int, rng: np.random.Generator) -> Pairs:
    """Pairs of each row with the rows from `begin` up to `end`, all or a sample."""
    upto = np.cumsum(end - begin)
    total = int(upto[-1]) if len(upto) else 0
    # numpy keeps a table of all numbers only where `most` is 2 % of them or more
    number = np.arange(total) if total <= most else np.sort(rng.choice(total, most, replace=False, shuffle=False))
    first = np.searchsorted(upto, number, side="right")
    second = begin[first] + number - (upto[first] - (end - begin)[first])
    return Pairs(first, second, total)


def is_copy(pairs: Pairs, record_id: np.ndarray, copies: Collection[tuple[str, str]]) -> np.ndarray:
    """Which pairs are copies of one recording, bool (pairs,); it would be no test to tell that they are alike.

    Parameters
    ----------
    pairs : Pairs
    record_id : ndarray of str, shape (n,)
    copies : collection of (str, str)
        Pairs of record ids, in either order.
    """
    row_of = {name: row for row, name in enumerate(record_id)}
    found = {tuple(sorted((row_of[a], row_of[b]))) for a, b in copies if a in row_of and b in row_of}
    number = pairs.first.astype(np.int64) * len(record_id) + pairs.second
    return np.isin(number, [low * len(record_id) + high for low, high in sorted(found)])


def cosines(vectors: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Cosine of the angle between the vectors of each pair.

    A pair's score does not depend on which others are scored with it, so blocks and samples change nothing.

    Parameters
    ----------
    vectors : ndarray of float, shape (n, dim)
    pairs : Pairs

    Returns
    -------
    ndarray of float32, shape (pairs,)
        A vector of zeros has no direction: 0 with every other.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    unit = unit.astype(np.float32)
    out = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _TOGETHER):
        block = slice(start, start + _TOGETHER)
        out[block] = np.einsum("pd,pd->p", unit[pairs.first[block]], unit[pairs.second[block]])
    return out
