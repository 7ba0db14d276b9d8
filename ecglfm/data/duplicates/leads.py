"""Which leads recordings have in common, where not all have the same: a copy may lack some of the leads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.data.duplicates.recordings import Recordings

_LOOKED_AT = 20


def recorded_columns(records: pd.DataFrame, recordings: Recordings) -> np.ndarray:
    """Columns of the samples that each record has; a missing lead is zeros.

    Records of one `lead_mask` have the same columns: those in which one of the first 20 of them is not zero.

    Parameters
    ----------
    records : DataFrame
        `lead_mask`.
    recordings : Recordings
        Their samples, row by row.

    Returns
    -------
    ndarray of bool, shape (n_records, n_leads)
    """
    masks, _ = pd.factorize(records["lead_mask"])
    n_leads = recordings[0].shape[1] if len(records) else 0
    if len(records) == 0 or masks.max() == 0:
        return np.ones((len(records), n_leads), bool)
    columns = np.zeros((masks.max() + 1, n_leads), bool)
    for mask in range(len(columns)):
        for row in np.flatnonzero(masks == mask)[:_LOOKED_AT].tolist():
            columns[mask] |= recordings[row].any(axis=0)
    return columns[masks]


def linking_leads(columns: np.ndarray) -> list[int]:
    """Few leads, one of which any two records have in common that have different leads and share some.

    Parameters
    ----------
    columns : ndarray of bool, shape (n_records, n_leads)
        As `recorded_columns`.

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
