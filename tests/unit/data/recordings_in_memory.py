"""Recordings that a test holds in memory, and tables of them."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


class Given(list):
    """A list of signals as `ecglfm.data.manifest.duplicates.recordings.Recordings`."""

    def take(self, rows):
        return Given(self[row] for row in rows)

    def reading_order(self):
        return np.arange(len(self))[::-1].copy()  # another order than the rows': nothing may depend on it


def frame(signals, splits=None, patients=None, rate=500):
    n = len(signals)
    return pd.DataFrame(
        {
            "record_id": [f"s/{i:05d}" for i in range(n)],
            "source": "s",
            "patient_id": patients or [f"s/p{i}" for i in range(n)],
            "split": pd.Series(splits or ["train"] * n, dtype="str"),
            "sampling_rate": rate,
            "lead_mask": 0xFFF,
            "n_samples": [len(signal) for signal in signals],
            "sha256": [hashlib.sha256(np.ascontiguousarray(signal).tobytes()).hexdigest() for signal in signals],
        }
    )


def pieces_of(records):
    """A table as the audit reads it: some columns at a time, in pieces."""

    def pieces(columns):
        for start in range(0, max(1, len(records)), 7):
            part = records[columns].iloc[start : start + 7]
            yield part.set_axis(range(start, start + len(part)))

    return pieces


def drifting(n, seed=0, n_samples=2500):
    """Unrelated recordings with much low-frequency content, as ECGs with baseline wander have."""
    noise = np.random.default_rng(seed).normal(0, 30, (n, n_samples, 12))
    walk = np.cumsum(noise, axis=1)
    return Given(np.rint(walk - walk.mean(axis=1, keepdims=True)).astype(np.int16))


def beating(seed, n_samples=5000, rate=500, rr=0.9):
    """A rhythm of its own with QRS-like beats of its own, int16 microvolts at any rate."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / rate
    signal = np.zeros((n_samples, 12))
    shape = rng.normal(0, 1, (3, 12)) * [[800], [300], [150]]
    onset = rng.uniform(0, rr)
    while onset < time[-1] + 1:
        for middle, width, lead in zip((0.0, 0.03, 0.28), (0.012, 0.02, 0.05), shape, strict=True):
            signal += np.exp(-0.5 * ((time - onset - middle) / width) ** 2)[:, None] * lead
        onset += rr * (1 + rng.normal(0, 0.05))
    return np.rint(signal + rng.normal(0, 5, signal.shape)).astype(np.int16)


def index_frame(n_patients=20, each=2, source="a", folds=False):
    rows = [(patient, recording) for patient in range(n_patients) for recording in range(each)]
    return pd.DataFrame(
        {
            "record_id": [f"{source}/{p:03d}-{r}" for p, r in rows],
            "source": source,
            "patient_id": [f"{source}/{p:03d}" for p, r in rows],
            "path": "",
            "age": [50.0 + p if p else np.nan for p, r in rows],
            "sex": pd.Series(["female" if p % 2 else None for p, r in rows], dtype="str"),
            "fold": pd.array([p % 10 + 1 if folds else None for p, r in rows], dtype="Int64"),
            "codes": [[] for _ in rows],
            "report": "",
        }
    )
