"""Which leads recordings have in common, where not all have the same: a copy may lack some of the leads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecglfm.data.manifest.duplicates.recordings import Recordings
from ecglfm.sources.tables import ROWS_TOGETHER


class Kinds(NamedTuple):
    """Which leads each record has.

    Attributes
    ----------
    of : ndarray of int16, shape (n_records,)
        Kind of each record.
    columns : ndarray of bool, shape (n_kinds, n_leads)
        Columns of the samples that the records of a kind have; a missing lead is zeros. No two kinds are alike.
    """

    of: np.ndarray
    columns: np.ndarray


def record_kinds(masks: Iterable[pd.Series], recordings: Recordings) -> Kinds:
    """Kinds of records by their `lead_mask`: records of one have the columns in which one of them is not zero.

    Parameters
    ----------
    masks : iterable of Series
        `lead_mask` of all records, in pieces.
    recordings : Recordings
        Their samples, row by row. They are read until every lead of the mask was found; a column of zeros in the
        first ones may be a flat lead.
    """
    numbers: dict[int, int] = {}
    parts = [np.array([numbers.setdefault(mask, len(numbers)) for mask in piece], np.int16) for piece in masks]
    of = np.concatenate([np.empty(0, np.int16), *parts])
    n_leads = recordings[0].shape[1] if len(of) else 0
    columns = np.zeros((len(numbers), n_leads), bool)
    for mask, number in numbers.items():
        if len(numbers) == 1:
            columns[number] = True
            break
        most = min(n_leads, mask.bit_count())
        for row in _rows(of, number):
            columns[number] |= recordings[row].any(axis=0)
            if columns[number].sum() == most:
                break
    columns, kinds = np.unique(columns, axis=0, return_inverse=True)
    return Kinds(kinds.reshape(-1).astype(np.int16)[of], columns)


def _rows(of: np.ndarray, number: int) -> Iterator[int]:
    for start in range(0, len(of), ROWS_TOGETHER):
        yield from (start + np.flatnonzero(of[start : start + ROWS_TOGETHER] == number)).tolist()


def linking_leads(columns: np.ndarray) -> list[int]:
    """Few leads, one of which any two records have in common that have different leads and share some.

    Parameters
    ----------
    columns : ndarray of bool, shape (n_kinds, n_leads)
        As in `Kinds`.

    Returns
    -------
    list of int
        Empty where all records have the same leads.
    """
    kinds = np.unique(columns, axis=0)
    shared = np.unique(np.concatenate([kinds[:0], *(kinds[k] & kinds[k + 1 :] for k in range(len(kinds) - 1))]), axis=0)
    shared = shared[shared.any(axis=1)]
    chosen = []
    while len(shared):
        lead = int(shared.sum(axis=0).argmax())  # the greedy choice, at most a logarithm from the fewest
        chosen.append(lead)
        shared = shared[~shared[:, lead]]
    return chosen
