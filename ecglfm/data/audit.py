"""The audit of the splits: no patient, no record and no recording may stand on both sides.

A recording can be in a database twice under two names, or in two databases, so signals are compared
as well. Comparing every pair in full is out of the question, so each record gets a signature of 64
numbers whose cosine estimates the correlation of the signals; pairs of similar signatures are then
compared sample by sample.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.records import SPLITS, data_hash

Reader = Callable[[int], np.ndarray]

#: A signature sees the first 5 s at 25 Hz.
SIGNATURE_RATE, SIGNATURE_ROWS, SIGNATURE_SIZE = 25, 125, 64
#: Cosine of signatures may fall this far below the correlation of the signals it stands for.
SIGNATURE_MARGIN = 0.12
#: Buckets of the candidate search: expected records in each, and how often the hash is redrawn.
BUCKET, TABLES = 2048, 24
#: Groups of identical records above this size are listed as a star around one record, not pair by pair.
MAX_CLIQUE = 50
#: Shortest common stretch that two records are compared on, seconds; one beat resembles another too well.
MIN_SECONDS = 2.0


def shard_reader(records: pd.DataFrame, folder: Path) -> Reader:
    """Function from a row number of `records` to its samples: int16 `(n_samples, n_leads)`, memory-mapped."""
    arrays: dict[tuple[str, int], np.ndarray] = {}
    columns = (records[name].tolist() for name in ("source", "shard", "offset", "n_samples"))
    places = list(zip(*columns, strict=True))

    def read(row: int) -> np.ndarray:
        source, shard, offset, n_samples = places[row]
        if (source, shard) not in arrays:
            path = folder / source / f"{shard:03d}.npy"
            arrays[source, shard] = np.load(path, mmap_mode="r", allow_pickle=False)
        return arrays[source, shard][offset : offset + n_samples]

    return read


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two recordings over all leads, aligned at their starts, each lead freed of its mean.

    Parameters
    ----------
    a, b : ndarray of int16, shape (n_samples, n_leads)
        Lengths may differ: the common stretch counts.

    Returns
    -------
    float
        In [-1, 1]; 0 where one of them does not move.
    """
    n = min(len(a), len(b))
    x, y = a[:n].astype(np.float64), b[:n].astype(np.float64)
    x -= x.mean(axis=0)
    y -= y.mean(axis=0)
    norm = math.sqrt(float(np.vdot(x, x)) * float(np.vdot(y, y)))
    return min(1.0, max(-1.0, float(np.vdot(x, y)) / norm)) if norm > 1e-6 else 0.0


def _thumbnail(signal: np.ndarray, fs: float) -> np.ndarray:
    """First 5 s in blocks of 40 ms, each lead freed of its mean; zeros past the end and where nothing moves."""
    step = max(1, round(fs / SIGNATURE_RATE))
    rows = min(SIGNATURE_ROWS, len(signal) // step)
    blocks = signal[: rows * step].reshape(rows, step, signal.shape[1]).mean(axis=1)
    thumbnail = np.zeros((SIGNATURE_ROWS, signal.shape[1]))
    if rows and np.ptp(blocks, axis=0).max() >= 1.0:  # microvolts; below is rounding, not a signal
        thumbnail[:rows] = blocks - blocks.mean(axis=0)
    return thumbnail.ravel()


def signatures(read: Reader, rates: np.ndarray) -> np.ndarray:
    """Signature of every record: its thumbnail on 64 fixed random directions, scaled to length 1.

    The cosine of two projections estimates that of the originals within about 1/8, and far better
    for near-duplicates (Johnson and Lindenstrauss 1984).

    Parameters
    ----------
    read : callable
        Row number -> int16 `(n_samples, n_leads)`.
    rates : ndarray of float, shape (n_records,)
        Hz.

    Returns
    -------
    ndarray of float32, shape (n_records, 64)
        Zeros for a record that does not move.
    """
    out = np.zeros((len(rates), SIGNATURE_SIZE), np.float32)
    directions: dict[int, np.ndarray] = {}
    for row, rate in enumerate(rates):
        thumbnail = _thumbnail(read(row), float(rate))
        size = thumbnail.size
        if size not in directions:
            directions[size] = np.random.default_rng(0).standard_normal((size, SIGNATURE_SIZE))
        projected = thumbnail @ directions[size]
        norm = float(np.linalg.norm(projected))
        if norm > 0:
            out[row] = projected / norm
    return out


def _similar_in_bucket(vectors: np.ndarray, rows: np.ndarray, cosine: float) -> Iterator[tuple[int, int]]:
    for start in range(0, len(rows), BUCKET):
        block = rows[start : start + BUCKET]
        left, right = np.nonzero(vectors[block] @ vectors[rows[start:]].T >= cosine)
        for i, j in zip(left, right, strict=True):
            if i < j:  # rows[start:] begins with the block itself
                yield int(block[i]), int(rows[start + j])


def candidate_pairs(vectors: np.ndarray, *, cosine: float) -> set[tuple[int, int]]:
    """Pairs of signatures at least this similar, without comparing every pair.

    Up to `BUCKET` records every pair is compared. Beyond, records are put into buckets by the side
    of random planes on which their signature lies, in `TABLES` independent draws (Charikar 2002):
    the work grows with n log n, and a pair at cosine 0.95 meets in one of them with p > 0.999 up to
    ten million records. Identical signatures always meet.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, 64)
        Length 1, or zero (never paired).
    cosine : float

    Returns
    -------
    set of (int, int)
        Row numbers, the smaller first.
    """
    moving = np.flatnonzero(vectors.any(axis=1))
    bits = max(0, math.ceil(math.log2(max(1, len(moving)) / BUCKET)))
    rng = np.random.default_rng(0)
    pairs: set[tuple[int, int]] = set()
    for _ in range(TABLES if bits else 1):
        sides = vectors[moving] @ rng.standard_normal((vectors.shape[1], bits)).astype(np.float32) > 0
        keys = sides @ (1 << np.arange(bits, dtype=np.int64))
        order = np.argsort(keys, kind="stable")
        for bucket in np.split(moving[order], np.flatnonzero(np.diff(keys[order])) + 1):
            pairs.update(_similar_in_bucket(vectors, bucket, cosine))
    return pairs


def _identical(records: pd.DataFrame, read: Reader) -> tuple[set[tuple[int, int]], set[int]]:
    """Pairs of records with the same samples, and the members of huge groups but one of each.

    Records that do not move are all alike and say nothing, so they are not paired.
    """
    pairs: set[tuple[int, int]] = set()
    spared: set[int] = set()
    positions = pd.Series(np.arange(len(records)), index=records.index)
    twice = records["sha256"].duplicated(keep=False)
    for _, group in positions[twice].groupby(records.loc[twice, "sha256"]):
        rows = group.tolist()
        if not np.ptp(read(rows[0]), axis=0).any():
            continue
        if len(rows) <= MAX_CLIQUE:
            pairs.update(itertools.combinations(rows, 2))
            continue
        # A star finds a crossing too, as long as its centre is in a split.
        centre = next((row for row in rows if pd.notna(records["split"].iloc[row])), rows[0])
        pairs.update((min(centre, row), max(centre, row)) for row in rows if row != centre)
        spared.update(row for row in rows if row != centre)
    return pairs, spared


def duplicate_pairs(records: pd.DataFrame, read: Reader, *, duplicate_correlation: float) -> list[dict[str, Any]]:
    """Pairs of records that are the same recording, or nearly so.

    Parameters
    ----------
    records : DataFrame
        `record_id`, `split`, `sha256`, `sampling_rate`; sorted by `record_id`.
    read : callable
        Row number -> int16 `(n_samples, n_leads)`.
    duplicate_correlation : float
        Smallest correlation that makes a pair.

    Returns
    -------
    list of {a, b, correlation, crosses}
        Sorted; `crosses` where the two are in different splits.
    """
    identical, spared = _identical(records, read)
    rates = records["sampling_rate"].to_numpy(float)
    vectors = signatures(read, rates)
    vectors[sorted(spared)] = 0.0
    found = dict.fromkeys(identical, 1.0)
    for i, j in sorted(candidate_pairs(vectors, cosine=duplicate_correlation - SIGNATURE_MARGIN) - identical):
        a, b = read(i), read(j)
        if rates[i] != rates[j] or a.shape[1] != b.shape[1] or min(len(a), len(b)) < MIN_SECONDS * rates[i]:
            continue
        value = correlation(a, b)
        if value >= duplicate_correlation:
            found[i, j] = value
    ids = records["record_id"].tolist()
    splits = [split if split in SPLITS else None for split in records["split"].tolist()]
    return [
        {
            "a": ids[i],
            "b": ids[j],
            "correlation": round(found[i, j], 6),
            "crosses": None not in (splits[i], splits[j]) and splits[i] != splits[j],
        }
        for i, j in sorted(found)
    ]


def patient_overlap(records: pd.DataFrame) -> list[str]:
    """Patients with records in more than one split, sorted; records in no split do not count."""
    n_splits = records.dropna(subset=["split"]).groupby("patient_id")["split"].nunique()
    return sorted(n_splits[n_splits > 1].index)


def counts(records: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """Records and patients by source and split; `none` stands for records in no split."""
    splits = records["split"].astype(object).where(records["split"].notna(), "none")
    result: dict[str, dict[str, dict[str, int]]] = {}
    for (source, split), patients in records.groupby(["source", splits])["patient_id"]:
        result.setdefault(str(source), {})[str(split)] = {"records": len(patients), "patients": patients.nunique()}
    return result


def audit(records: pd.DataFrame, read: Reader, *, duplicate_correlation: float) -> dict[str, Any]:
    """Content of `audit.json`.

    Parameters
    ----------
    records : DataFrame
        `manifest/records.parquet`.
    read, duplicate_correlation
        As in `duplicate_pairs`.

    Returns
    -------
    dict
        `passed`, `patient_overlap`, `duplicate_pairs`, `repeated_records`, `counts`, `data_hash`.
    """
    overlap = patient_overlap(records)
    pairs = duplicate_pairs(records, read, duplicate_correlation=duplicate_correlation)
    repeated = sorted(set(records.loc[records["record_id"].duplicated(), "record_id"]))
    return {
        "passed": not overlap and not repeated and not any(pair["crosses"] for pair in pairs),
        "patient_overlap": overlap,
        "duplicate_pairs": pairs,
        "repeated_records": repeated,
        "counts": counts(records),
        "data_hash": data_hash(records),
    }
