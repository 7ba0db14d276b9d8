"""Shares of patients, and the hash of what a fit sees, of a table worked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ecglfm.provenance import hash_fraction
from ecglfm.training.finetuning.labelled import LEAST_VALID, Labelled, needed, share_of_patients
from ecglfm.training.finetuning.summary import lacking
from ecglfm.training.finetuning.targets import targets_of

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
    train, valid = np.arange(80), np.arange(80, 120)
    return Labelled(records, target, ["a", "b"], train, valid, None, "multilabel", train)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fraction", "train", "valid"), [(0.001, 1, 10), (0.1, 4, 10), (0.25, 10, 10), (0.6, 24, 12), (1.0, 40, 20)]
)
def test_whole_patients_of_both_splits(fraction: float, train: int, valid: int) -> None:
    share = share_of_patients(labelled(), fraction, seed=0)
    assert (share.train_patients, share.valid_patients) == (train, max(LEAST_VALID, valid))
    assert (len(share.train), len(share.valid)) == (2 * train, 2 * share.valid_patients)
    assert set(share.train) <= set(range(80))
    assert share.all_train.tolist() == list(range(80))
    assert set(share.valid) <= set(range(80, 120))


def test_smaller_shares_lie_in_larger_ones_and_follow_from_the_seed() -> None:
    shares = [set(share_of_patients(labelled(), fraction, seed=3).train) for fraction in (0.05, 0.2, 0.5, 0.9)]
    assert all(small < large for small, large in pairwise(shares))
    again = labelled()
    order = np.random.default_rng(0).permutation(again.train)  # whatever the order of the rows
    assert set(share_of_patients(again._replace(train=order), 0.2, seed=3).train) == shares[1]
    assert set(share_of_patients(again, 0.2, seed=4).train) != shares[1]


NAN = np.nan


@pytest.mark.parametrize(
    ("kind", "column", "expected"),
    [
        ("multilabel", [0, 0, 1, 0, 1], [0, 2]),  # the first negative and the first positive
        ("multilabel", [1, 1, 1, 0, 0], [0, 3]),
        ("multilabel", [NAN, 0, NAN, NAN, 1], [1, 4]),
        ("multilabel", [0, 0, NAN, 0, 0], []),  # nobody can make up for what is nowhere
        ("regression", [NAN, 2.5, 2.5, NAN, 3.0], [1, 4]),  # two different values
        ("survival", [-3.0, -1.0, 2.0, -9.0, 1.0], [2]),  # an event
    ],
)
def test_the_first_patients_who_have_what_a_label_needs(kind: str, column: list[float], expected: list[int]) -> None:
    target = np.array(column, np.float32)[:, None]
    assert needed(targets_of(kind), target, np.arange(5)) == expected
    # Records in any order, two of each patient, of whom one has both is enough by itself.
    order = np.array([3, 0, 4, 2, 1, 1, 4, 0, 2, 3])
    assert needed(targets_of(kind), target[order], order) == expected
    both = np.concatenate([target, [[0.0], [1.0]]]), np.array([0, 1, 2, 3, 4, 0, 0])
    assert needed(targets_of("multilabel"), both[0][:, [0]], both[1]) == [0]


def test_labels_that_one_patient_completes_need_no_second() -> None:
    target = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0], [1, 0, 1]], np.float32)
    assert needed(targets_of("multilabel"), target, np.arange(5)) == [0, 2, 3]


@pytest.mark.parametrize("seed", range(4))
def test_a_rare_label_keeps_a_patient_and_a_share_that_has_one_is_as_the_hash_has_it(seed: int) -> None:
    """Of 40 patients one has the rare label, at another place of each seed's order; every second one has the other."""
    order = sorted({p for p in PATIENTS if p[0] == "p"}, key=lambda one: hash_fraction(f"share of {one}", seed))
    rare = order[(5, 12, 29, 39)[seed]]
    data, patients = labelled(), np.array(PATIENTS)
    often = np.isin(patients, order[::2])
    target = np.stack([patients == rare, often], axis=1).astype(np.float32)
    data = data._replace(target=target)
    choosing = sorted(set(PATIENTS[80:]), key=lambda one: hash_fraction(f"share of {one}", seed))
    target[patients == choosing[-1]] = 1.0  # of validation nobody is exchanged
    before: set[str] = set()
    for count in range(1, 41):
        share = share_of_patients(data, count / 40, seed)
        found, plain = set(patients[share.train]), set(order[:count])
        assert len(found) == count
        assert before < found
        before = found
        if count >= 3:  # a patient of each kind
            assert not lacking(share)
            assert found == (plain if rare in plain else {*order[: count - 1], rare})
        if count % 2 == 0:
            assert set(patients[share.valid]) == set(choosing[: max(LEAST_VALID, count // 2)])
    assert before == set(order)


def test_the_hash_is_of_records_and_labels() -> None:
    data = labelled()
    known = data.hash()
    assert labelled().hash() == known
    flipped = data.target.copy()
    flipped[7, 1] = np.nan
    other = data.records.assign(sha256=["f" * 64, *data.records["sha256"][1:]])
    for changed in (data._replace(target=flipped), data._replace(label_names=["a", "c"]), data._replace(records=other)):
        assert changed.hash() != known
