"""Pairs of recordings that are the same one, or nearly so, wherever one begins and however it was stored.

Likely pairs are looked for by fingerprints (`candidates.py`). A quick look (`rearranged.py`) refuses most of them; of
the others, the correlation of the samples at the best lag decides (`similarity.py`) or, where noise, wander, filters or
misplaced electrodes spoil it, a quick look that sees next to no difference. Two recordings with different leads are
compared in those that both have.

Of each record 10 bytes are held: its rate, its leads' kind and its place in the order of reading. Where its samples
lie and its fingerprints are in temporary files that are mapped (`mapped.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ecglfm.data.manifest.duplicates.candidates import candidate_pairs
from ecglfm.data.manifest.duplicates.clusters import Clusters
from ecglfm.data.manifest.duplicates.fingerprints import make_fingerprints
from ecglfm.data.manifest.duplicates.leads import Kinds, linking_leads, record_kinds
from ecglfm.data.manifest.duplicates.rearranged import Glimpse, quick_look
from ecglfm.data.manifest.duplicates.recordings import Recordings
from ecglfm.data.manifest.duplicates.similarity import MARGIN, similarity
from ecglfm.data.tables import TableReader, sorted_pieces
from ecglfm.sources.parallel import ordered_map
from ecglfm.sources.tables import merge_join

#: Groups of identical records above this size are listed as a star around one record, not pair by pair.
MAX_CLIQUE = 50

_CHUNK, _GLIMPSES = 256, 64  # pairs of a task; recordings of which a glimpse is held
_QUICK_MARGIN = 0.05  # what copies to the sample are less alike, at most, in the quick look
_OWN_MARGIN = 0.002  # as beats that are alike in everything but noise


class _Task(NamedTuple):
    """Pairs that a worker compares: positions in `recordings`, their leads, and what they need to reach."""

    recordings: Recordings
    rates: np.ndarray
    columns: np.ndarray
    pairs: np.ndarray
    at_least: float


def _samples(signal: np.ndarray, leads: tuple[int, ...]) -> np.ndarray:
    return signal if len(leads) == signal.shape[1] else signal[:, leads]


def _compare_pair(task: _Task, i: int, j: int, glimpse: Callable[[int, tuple[int, ...]], Glimpse]) -> float:
    """Similarity of two recordings over the leads that both have, or their likeness in the quick look; 0 for no copies.

    In a regular rhythm, beats of two recordings fall together however long they are. Copies are as alike as each is to
    itself a beat later, or more: noise that one copy has and the other has not makes its own beats less alike, too.
    """
    shared = task.columns[i] & task.columns[j]
    rate = float(task.rates[i])
    if rate != task.rates[j] or not shared.any():
        return 0.0
    leads = tuple(np.flatnonzero(shared).tolist())
    look = quick_look(glimpse(i, leads), glimpse(j, leads), at_least=task.at_least - _QUICK_MARGIN)
    if look.correlation == 0 or look.correlation < look.own - _OWN_MARGIN:
        return 0.0
    a, b = (_samples(task.recordings[row], leads) for row in (i, j))
    value = similarity(a, b, rate, at_least=task.at_least)
    if value < task.at_least and min(look.correlation, look.throughout + MARGIN) >= (1 + task.at_least) / 2:
        return look.correlation
    return value


def _compare(task: _Task) -> list[float]:
    @lru_cache(_GLIMPSES)
    def glimpse(row: int, leads: tuple[int, ...]) -> Glimpse:
        return Glimpse.of(_samples(task.recordings[row], leads), float(task.rates[row]))

    with threadpool_limits(1):
        return [_compare_pair(task, i, j, glimpse) for i, j in task.pairs.tolist()]


def _tasks(
    recordings: Recordings, rates: np.ndarray, kinds: Kinds, pairs: np.ndarray, at_least: float
) -> Iterator[_Task]:
    for start in range(0, len(pairs), _CHUNK):
        rows, positions = np.unique(pairs[start : start + _CHUNK], return_inverse=True)
        columns = kinds.columns[kinds.of[rows]]
        yield _Task(recordings.take(rows), rates[rows], columns, positions.reshape(-1, 2), at_least)


def _identical(records: TableReader, recordings: Recordings) -> dict[int, list[int]]:
    """Groups of records with the same samples, by their first member.

    Records that do not move are all alike and say nothing, so they make no group.
    """
    groups = {}
    numbered = (piece.assign(row=piece.index) for piece in records(["sha256"]))
    for (table,) in merge_join([sorted_pieces(numbered, "sha256", "row")], "sha256"):
        rows = table.to_pandas()
        rows = rows[rows["sha256"].duplicated(keep=False)]
        for _, group in rows.groupby("sha256")["row"]:
            if np.ptp(recordings[group.iloc[0]], axis=0).any():
                groups[int(group.iloc[0])] = group.tolist()
    return groups


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
    recordings: Recordings, rates: np.ndarray, kinds: Kinds, order: np.ndarray, cosine: float, workers: int
) -> np.ndarray:
    """Pairs to compare: alike in all leads or, where their leads differ, in one of those that link them."""
    found = [
        candidate_pairs(
            make_fingerprints(recordings, rates, order, unordered=unordered, workers=workers), cosine=cosine
        )
        for unordered in (False, True)
    ]
    for lead in linking_leads(kinds.columns):
        having = order[kinds.columns[:, lead][kinds.of[order]]]
        prints = make_fingerprints(recordings, rates, having, leads=slice(lead, lead + 1), workers=workers)
        found.append(candidate_pairs(prints, cosine=cosine, kinds=kinds.of))
    return np.unique(np.concatenate(found), axis=0)


def duplicate_pairs(
    records: TableReader, recordings: Recordings, *, duplicate_correlation: float, workers: int = 1
) -> list[dict[str, Any]]:
    """Pairs of records that are the same recording, or nearly so.

    Parameters
    ----------
    records : TableReader
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
        Sorted; `crosses` where the cluster of the two (`clusters.Clusters`) is in more than one split.
    """
    groups = _identical(records, recordings)
    found = {pair: 1.0 for group in groups.values() for pair in _pairs_within(group)}
    rates = np.concatenate([piece["sampling_rate"].to_numpy(np.float32) for piece in records(["sampling_rate"])])
    kinds = record_kinds((piece["lead_mask"] for piece in records(["lead_mask"])), recordings)
    wanted = np.ones(len(rates), bool)
    wanted[[row for group in groups.values() for row in group[1:]]] = False
    order = recordings.reading_order()
    order = order[wanted[order]]
    pairs = _candidates(recordings, rates, kinds, order, duplicate_correlation - MARGIN, workers)
    tasks = _tasks(recordings, rates, kinds, pairs, duplicate_correlation)
    values = itertools.chain.from_iterable(ordered_map(_compare, tasks, workers))
    for (i, j), value in zip(tqdm(pairs.tolist(), "comparisons", disable=None), values, strict=True):
        if value < duplicate_correlation:
            continue
        for one in _spokesmen(groups.get(i, [i])):
            for other in _spokesmen(groups.get(j, [j])):
                found[min(one, other), max(one, other)] = value
    return _named(records, found)


def _named(records: TableReader, found: dict[tuple[int, int], float]) -> list[dict[str, Any]]:
    """Pairs of rows with their correlations, as `duplicate_pairs` returns them."""
    rows = np.unique(np.array(list(found), np.int64))
    ids: dict[int, str] = {}
    for piece in records(["record_id"]) if found else ():
        there = piece["record_id"][piece.index.isin(rows)]
        ids.update(zip(there.index, there, strict=True))
    pairs: list[dict[str, Any]] = [
        {"a": ids[i], "b": ids[j], "correlation": round(value, 6)} for (i, j), value in sorted(found.items())
    ]
    clusters = Clusters(records, pairs)
    return [pair | {"crosses": len(clusters.splits(pair["a"])) > 1} for pair in pairs]
