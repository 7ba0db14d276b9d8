"""Pairs of recordings that are the same one, or nearly so, wherever one begins and however it was stored.

Three steps, each for fewer pairs than the one before: neighbours among sorted hashes of signatures (linear in
the number of records, but for the sorting), agreement of the two recordings' other beats, and the
correlation of the samples at the best lag, which decides. Two recordings with different leads are compared in
those that both have.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ecglfm.data.duplicates.clusters import crossing_clusters
from ecglfm.data.duplicates.fingerprints import SCALE, Fingerprints, cosines, make_fingerprints
from ecglfm.data.duplicates.leads import linking_leads, recorded_columns
from ecglfm.data.duplicates.recordings import Recordings
from ecglfm.data.duplicates.similarity import MARGIN, similarity
from ecglfm.sources.parallel import ordered_map

#: Groups of identical records above this size are listed as a star around one record, not pair by pair.
MAX_CLIQUE = 50

_TABLES, _BITS = 8, 32  # hashes per signature; bits of each, more than are needed to tell a billion apart
_BLOCK, _BLOCKS = 32, 2048  # a signature is compared with its own and the next block of the sorted list
_BEATS, _SAME_TIME, _BEAT_MARGIN = 6, 0.02, 0.05  # beats looked at either side; their times, s; their cosine
_CHUNK = 256


def _hits(vectors: np.ndarray, order: np.ndarray, cosine: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of similar signatures that stand in the same or in neighbouring blocks of `order`."""
    for start in range(0, len(order), _BLOCK * _BLOCKS):
        part = order[start : start + _BLOCK * (_BLOCKS + 1)]
        filled = np.zeros((-(-len(part) // _BLOCK) * _BLOCK, vectors.shape[1]), np.float32)
        filled[: len(part)] = vectors[part]  # whole numbers: products of them are exact in float32
        blocks = filled.reshape(-1, _BLOCK, vectors.shape[1])
        following = np.concatenate([blocks[1:], np.zeros_like(blocks[:1])])
        alike = blocks @ np.concatenate([blocks, following], axis=1).transpose(0, 2, 1) >= cosine * SCALE**2
        block, left, right = np.nonzero(alike[:_BLOCKS])
        later = right > left
        yield part[(block * _BLOCK + left)[later]], part[(block * _BLOCK + right)[later]]


def _beats_agree(prints: Fingerprints, a: np.ndarray, b: np.ndarray, cosine: float) -> np.ndarray:
    """Whether at least half of the beats around anchors `a` and `b` are alike and equally far away."""
    possible, agreeing = np.zeros(len(a), np.int64), np.zeros(len(a), np.int64)
    last = len(prints.rows) - 1
    for step in (*range(-_BEATS, 0), *range(1, _BEATS + 1)):
        i, j = np.clip(a + step, 0, last), np.clip(b + step, 0, last)
        both = (i == a + step) & (j == b + step) & (prints.begins[i] == prints.begins[j])
        both &= (prints.rows[i] == prints.rows[a]) & (prints.rows[j] == prints.rows[b])
        possible += both
        apart = (prints.times[i] - prints.times[a]) - (prints.times[j] - prints.times[b])
        near = np.flatnonzero(both & (np.abs(apart) <= _SAME_TIME))
        agreeing[near] += cosines(prints, i[near], j[near]) >= cosine - _BEAT_MARGIN
    return 2 * agreeing >= possible


def candidate_pairs(prints: Fingerprints, *, cosine: float, kinds: np.ndarray | None = None) -> np.ndarray:
    """Pairs of recordings with similar windows, without comparing every pair.

    Signatures are sorted by 32 bits, the sides of random planes on which they lie (Charikar 2002), and each is
    compared with the 32 to 63 that follow; eight such sortings are made. Two windows of cosine 0.99 share the 15 to 20
    bits that make them neighbours with a probability of about 0.4, and two copies have several windows in common.

    Parameters
    ----------
    prints : Fingerprints
    cosine : float
        Smallest cosine of signatures.
    kinds : ndarray of int, shape (n_records,), optional
        Pairs of one kind are left out; None: all are wanted.

    Returns
    -------
    ndarray of int64, shape (n, 2)
        Row numbers, the smaller first; sorted.
    """
    found: list[np.ndarray] = []
    n = len(prints.rows)
    if n:
        centre = np.rint(prints.vectors.mean(axis=0, dtype=np.float64)).astype(np.float32)
        rng = np.random.default_rng(0)
        for _ in range(_TABLES):
            planes = rng.choice(np.array([-1, 1], np.float32), (prints.vectors.shape[1], _BITS))
            keys = np.zeros(n, np.uint32)
            for start in range(0, n, 1 << 18):  # whole numbers throughout: exact, whatever the order of the sums
                sides = (prints.vectors[start : start + (1 << 18)] - centre) @ planes > 0
                keys[start : start + (1 << 18)] = np.packbits(sides, axis=1).view(">u4")[:, 0]
            order = np.argsort(keys, kind="stable")
            for a, b in _hits(prints.vectors, order, cosine):
                other = (prints.rows[a] != prints.rows[b]) & (prints.begins[a] == prints.begins[b])
                if kinds is not None:
                    other &= kinds[prints.rows[a]] != kinds[prints.rows[b]]
                a, b = a[other], b[other]
                alike = prints.begins[a] | _beats_agree(prints, a, b, cosine)
                pair = np.stack([prints.rows[a[alike]], prints.rows[b[alike]]], axis=1).astype(np.int64)
                found.append(np.unique(np.sort(pair, axis=1), axis=0))
    return np.unique(np.concatenate([np.empty((0, 2), np.int64), *found]), axis=0)


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
    ids = records["record_id"].tolist()
    ends = np.array(sorted(found), np.int64).reshape(-1, 2)
    crosses = crossing_clusters(records, ends[:, 0], ends[:, 1])[1].tolist()
    return [
        {"a": ids[i], "b": ids[j], "correlation": round(found[i, j], 6), "crosses": crosses[i]}
        for i, j in ends.tolist()
    ]
