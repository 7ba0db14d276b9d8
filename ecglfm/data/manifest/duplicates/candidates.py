"""Pairs of recordings that may be copies of each other, without comparing every pair.

Two steps, the second for fewer pairs: neighbours among sorted hashes of signatures (linear in the number of records,
but for the sorting), and agreement of the two recordings' other beats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from ecglfm.data.manifest.duplicates.fingerprints import SCALE, Fingerprints, cosines
from ecglfm.sources.tables import Sorter

#: Recordings that one may be compared with, for each set of fingerprints; it may be among those of more.
MOST_PARTNERS = 10

_TABLES, _BITS = 8, 32  # hashes per signature; bits of each, more than are needed to tell a billion apart
_BLOCK, _BLOCKS = 32, 2048  # a signature is compared with its own and the next block of the sorted list
_TOGETHER = 1 << 16  # signatures that are hashed at a time
_NEAREST = 8  # of those, the most that one is paired with
_BEATS, _SAME_TIME, _BEAT_MARGIN = 6, 0.02, 0.05  # beats looked at either side; their times, s; their cosine


def _stretches(vectors: np.ndarray, planes: np.ndarray, centre: np.ndarray) -> Iterator[np.ndarray]:
    """Anchors in the order of their hashes: `_BLOCKS` blocks at a time, and the first one of those that follow."""
    sorter = Sorter("hash")
    for start in range(0, len(vectors), _TOGETHER):  # whole numbers: exact, whatever the order of the sums
        sides = (vectors[start : start + _TOGETHER] - centre) @ planes > 0
        hashes = np.packbits(sides, axis=1).view(">u4")[:, 0].astype(np.uint32)
        sorter.add(pa.table({"hash": hashes, "anchor": np.arange(start, start + len(hashes), dtype=np.int32)}))
    held, size = np.empty(0, np.int32), _BLOCK * _BLOCKS
    for table in sorter.tables():
        held = np.concatenate([held, table["anchor"].to_numpy()])
        while len(held) >= size + _BLOCK:
            yield held[: size + _BLOCK]
            held = held[size:]
    while len(held):
        yield held[: size + _BLOCK]
        held = held[size:]


def _hits(
    vectors: np.ndarray, stretches: Iterable[np.ndarray], cosine: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of similar signatures that stand in the same or in neighbouring blocks of a stretch.

    Of many that one could be paired with, the most similar are taken (and those that are as similar as the last).
    """
    later = np.arange(2 * _BLOCK) > np.arange(_BLOCK)[:, None]
    for part in stretches:
        filled = np.zeros((-(-len(part) // _BLOCK) * _BLOCK, vectors.shape[1]), np.float32)
        filled[: len(part)] = vectors[part]  # whole numbers: products of them are exact in float32
        blocks = filled.reshape(-1, _BLOCK, vectors.shape[1])
        following = np.concatenate([blocks[1:], np.zeros_like(blocks[:1])])
        products = (blocks @ np.concatenate([blocks, following], axis=1).transpose(0, 2, 1))[:_BLOCKS]
        alike = (products >= cosine * SCALE**2) & later
        crowded = np.nonzero(alike.sum(axis=2) > _NEAREST)
        least = np.sort(np.where(alike[crowded], products[crowded], 0), axis=1)[:, -_NEAREST]
        alike[crowded] &= products[crowded] >= least[:, None]
        block, left, right = np.nonzero(alike)
        yield part[block * _BLOCK + left], part[block * _BLOCK + right]


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
        Row numbers, the smaller first; sorted. A recording that resembles very many is paired with the
        `MOST_PARTNERS` that resemble it most, so that a crowd costs no more than its size.
    """
    found: list[np.ndarray] = []
    if len(prints.rows):
        centre = np.rint(prints.vectors.mean(axis=0, dtype=np.float64)).astype(np.float32)
        rng = np.random.default_rng(0)
        for _ in tqdm(range(_TABLES), "likely pairs", disable=None):
            planes = rng.choice(np.array([-1, 1], np.float32), (prints.vectors.shape[1], _BITS))
            for a, b in _hits(prints.vectors, _stretches(prints.vectors, planes, centre), cosine):
                other = (prints.rows[a] != prints.rows[b]) & (prints.begins[a] == prints.begins[b])
                if kinds is not None:
                    other &= kinds[prints.rows[a]] != kinds[prints.rows[b]]
                a, b = a[other], b[other]
                alike = prints.begins[a] | _beats_agree(prints, a, b, cosine)
                found.append(_pairs(prints.rows[a[alike]], prints.rows[b[alike]], cosines(prints, a[alike], b[alike])))
    return _most_alike(np.concatenate([np.empty((0, 3)), *found]))


def _pairs(a: np.ndarray, b: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Rows `smaller, larger, cosine` of distinct pairs of recordings, sorted; of a pair's windows, the most alike."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((-cosine, high, low))
    rows = np.stack([low, high, cosine], axis=1)[order]
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
    return rows[first]


def _most_alike(found: np.ndarray) -> np.ndarray:
    """Pairs of `found` that are among the `MOST_PARTNERS` most alike of one of the two, sorted."""
    rows = _pairs(*found.T)
    pairs = rows[:, :2].astype(np.int64)
    ends, values = pairs.T.ravel(), np.tile(rows[:, 2], 2)
    order = np.lexsort((-values, ends))
    place = np.arange(len(ends)) - np.searchsorted(ends[order], ends[order])
    kept = np.zeros(len(ends), bool)
    kept[order[place < MOST_PARTNERS]] = True
    return pairs[kept.reshape(2, -1).any(axis=0)]
