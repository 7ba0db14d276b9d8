"""Pairs of recordings that are the same one, or nearly so, wherever one begins and however it was stored.

Likely pairs are looked for by fingerprints (`candidates.py`); the correlation of the samples at the best lag decides
(`similarity.py`). Two recordings with different leads are compared in those that both have.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ecglfm.data.duplicates.candidates import candidate_pairs
from ecglfm.data.duplicates.clusters import crossing_clusters
from ecglfm.data.duplicates.fingerprints import make_fingerprints
from ecglfm.data.duplicates.leads import linking_leads, recorded_columns
from ecglfm.data.duplicates.recordings import Recordings
from ecglfm.data.duplicates.similarity import MARGIN, similarity
from ecglfm.sources.parallel import ordered_map

#: Groups of identical records above this size are listed as a star around one record, not pair by pair.
MAX_CLIQUE = 50

_CHUNK = 256


class _Task(NamedTuple):
    """Pairs that a worker compares: positions in `recordings`, their leads, and what they need to reach."""

    recordings: Recordings
    rates: np.ndarray
    columns: np.ndarray
    pairs: np.ndarray
    at_least: float


def _compare_pair(task: _Task, i: int, j: int) -> float:
    """Similarity of two recordings over the leads that both have."""
    shared = task.columns[i] & task.columns[j]
    if task.rates[i] != task.rates[j] or not shared.any():
        return 0.0
    a, b = task.recordings[i], task.recordings[j]
    if not shared.all():
        a, b = a[:, shared], b[:, shared]
    return similarity(a, b, task.rates[i], at_least=task.at_least)


def _compare(task: _Task) -> list[float]:
    with threadpool_limits(1):
        return [_compare_pair(task, i, j) for i, j in task.pairs.tolist()]


def _tasks(
    recordings: Recordings, rates: np.ndarray, columns: np.ndarray, pairs: np.ndarray, at_least: float
) -> Iterator[_Task]:
    for start in range(0, len(pairs), _CHUNK):
        rows, positions = np.unique(pairs[start : start + _CHUNK], return_inverse=True)
        yield _Task(recordings.take(rows), rates[rows], columns[rows], positions.reshape(-1, 2), at_least)


def _identical(records: pd.DataFrame, recordings: Recordings) -> dict[int, list[int]]:
    """Groups of records with the same samples, by their first member.

    Records that do not move are all alike and say nothing, so they make no group.
    """
    positions = pd.Series(np.arange(len(records)), index=records.index)
    twice = records["sha256"].duplicated(keep=False)
    groups = (group.tolist() for _, group in positions[twice].groupby(records.loc[twice, "sha256"]))
    return {group[0]: group for group in groups if np.ptp(recordings[group[0]], axis=0).any()}


def _spokesmen(group: list[int]) -> list[int]:
    """All members of a small group; the first of a huge one, which is paired with all the others."""
    return group if len(group) <= MAX_CLIQUE else group[:1]


def _pairs_within(group: list[int]) -> Iterator[tuple[int, int]]:
    """Every pair of a small group; a star around the first record of a huge one, which links them as well."""
    if len(group) <= MAX_CLIQUE:
        yield from itertools.combinations(group, 2)
        return
    yield from ((group[0], row) for row in group[1:])


def _candidates(
    recordings: Recordings, rates: np.ndarray, columns: np.ndarray, order: np.ndarray, cosine: float, workers: int
) -> np.ndarray:
    """Pairs to compare: alike in all leads or, where their leads differ, in one of those that link them."""
    found = [candidate_pairs(make_fingerprints(recordings, rates, order, workers=workers), cosine=cosine)]
    _, kinds = np.unique(columns, axis=0, return_inverse=True)
    for lead in linking_leads(columns):
        having = order[columns[order, lead]]
        prints = make_fingerprints(recordings, rates, having, leads=slice(lead, lead + 1), workers=workers)
        found.append(candidate_pairs(prints, cosine=cosine, kinds=kinds.reshape(-1)))
    return np.unique(np.concatenate(found), axis=0)


def duplicate_pairs(
    records: pd.DataFrame, recordings: Recordings, *, duplicate_correlation: float, workers: int = 1
) -> list[dict[str, Any]]:
    """Pairs of records that are the same recording, or nearly so.

    Parameters
    ----------
    records : DataFrame
        `record_id`, `patient_id`, `split`, `sha256`, `sampling_rate`, `lead_mask`; sorted by `record_id`.
    recordings : Recordings
        Their samples, row by row.
    duplicate_correlation : float
        Smallest correlation, at the best lag, that makes a pair.
    workers : int
        Processes; the result does not depend on it.

    Returns
    -------
    list of {a, b, correlation, crosses}
        Sorted; `crosses` where the cluster of the two (`clusters.crossing_clusters`) is in more than one split.
    """
    groups = _identical(records, recordings)
    found = {pair: 1.0 for group in groups.values() for pair in _pairs_within(group)}
    repeats = [row for group in groups.values() for row in group[1:]]
    order = recordings.reading_order()
    order = order[~np.isin(order, repeats)]
    rates = records["sampling_rate"].to_numpy(float)
    columns = recorded_columns(records, recordings)
    pairs = _candidates(recordings, rates, columns, order, duplicate_correlation - MARGIN, workers)
    tasks = _tasks(recordings, rates, columns, pairs, duplicate_correlation)
    values = itertools.chain.from_iterable(ordered_map(_compare, tasks, workers))
    for (i, j), value in zip(tqdm(pairs.tolist(), "comparisons", disable=None), values, strict=True):
        if value < duplicate_correlation:
            continue
        for one in _spokesmen(groups.get(i, [i])):
            for other in _spokesmen(groups.get(j, [j])):
                found[min(one, other), max(one, other)] = value
    ends = np.array(sorted(found), np.int64).reshape(-1, 2)
    rows = np.unique(ends)
    ids = dict(zip(rows.tolist(), records["record_id"].iloc[rows], strict=True))
    crosses = crossing_clusters(records, ends[:, 0], ends[:, 1])[1].tolist()
    return [
        {"a": ids[i], "b": ids[j], "correlation": round(found[i, j], 6), "crosses": crosses[i]}
        for i, j in ends.tolist()
    ]
