"""Shares of patients, and the hash of what a fit sees, of a table worked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ecglfm.training.finetuning.labelled import LEAST_VALID, Labelled, share_of_patients

PATIENTS = [f"p{number // 2}" for number in range(80)] + [f"v{number // 2}" for number in range(40)]


def labelled() -> Labelled:
    """40 training patients and 20 of validation, two records each."""
    records = pd.DataFrame(
        {
            "record_id": [f"s/{number:03d}" for number in range(120)],
            "patient_id": PATIENTS,
            "split": ["train"] * 80 + ["valid"] * 40,
            "sampling_rate": 500,
            "n_samples": 5000,
            "sha256": [f"{number:064x}" for number in range(120)],
        }
    )
    target = np.arange(240, dtype=np.float32).reshape(120, 2) % 2
    return Labelled(records, target, ["a", "b"], np.arange(80), np.arange(80, 120), None, "multilabel")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fraction", "train", "valid"), [(0.001, 1, 10), (0.1, 4, 10), (0.25, 10, 10), (0.6, 24, 12), (1.0, 40, 20)]
)
def test_whole_patients_of_both_splits(fraction: float, train: int, valid: int) -> None:
    share = share_of_patients(labelled(), fraction, seed=0)
    assert (share.train_patients, share.valid_patients) == (train, max(LEAST_VALID, valid))
    assert (len(share.train), len(share.valid)) == (2 * train, 2 * share.valid_patients)
    assert set(share.train) <= set(range(80))
    assert set(share.valid) <= set(range(80, 120))


def test_smaller_shares_lie_in_larger_ones_and_follow_from_the_seed() -> None:
    shares = [set(share_of_patients(labelled(), fraction, seed=3).train) for fraction in (0.05, 0.2, 0.5, 0.9)]
    assert all(small < large for small, large in pairwise(shares))
    again = labelled()
    order = np.random.default_rng(0).permutation(again.train)  # whatever the order of the rows
    assert set(share_of_patients(again._replace(train=order), 0.2, seed=3).train) == shares[1]
    assert set(share_of_patients(again, 0.2, seed=4).train) != shares[1]


def test_the_hash_is_of_records_and_labels() -> None:
    data = labelled()
    known = data.hash()
    assert labelled().hash() == known
    flipped = data.target.copy()
    flipped[7, 1] = np.nan
    other = data.records.assign(sha256=["f" * 64, *data.records["sha256"][1:]])
    for changed in (data._replace(target=flipped), data._replace(label_names=["a", "c"]), data._replace(records=other)):
        assert changed.hash() != known
