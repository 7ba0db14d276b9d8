"""The audit fails what crosses splits, says who, and states what pretraining and tests share."""

import pandas as pd
import pytest

from ecglfm.data.manifest.audit import audit
from ecglfm.sources.tables import reorder
from tests.unit.data.recordings_in_memory import drifting, frame, pieces_of


def pair(a, b, crosses):
    return {"a": f"s/{a:05d}", "b": f"s/{b:05d}", "correlation": 1.0, "crosses": crosses}


def test_patient_in_two_splits_is_named_and_fails():
    patients = ["s/a", "s/a", "s/b", "s/b", "s/c"]
    records = frame(drifting(5), ["train", "test", "valid", None, "train"], patients)
    content = audit(pieces_of(records), [])
    assert not content["passed"]
    assert content["patient_overlap"] == ["s/a"]
    assert content["counts"] == {
        "s": {
            "none": {"records": 1, "patients": 1},
            "test": {"records": 1, "patients": 1},
            "train": {"records": 2, "patients": 2},
            "valid": {"records": 1, "patients": 1},
        }
    }


@pytest.mark.parametrize(("crosses", "passed"), [(True, False), (False, True)])
def test_only_a_crossing_pair_fails(crosses, passed):
    content = audit(pieces_of(frame(drifting(2), ["train", "test"])), [pair(0, 1, crosses)])
    assert len(content["duplicate_pairs"]) == 1
    assert content["passed"] is passed


@pytest.mark.parametrize(
    ("splits", "empty"),
    [
        ([], ["train", "valid", "test"]),
        ([None, None], ["train", "valid", "test"]),
        (["test", None], ["train", "valid"]),
    ],
)
def test_manifest_of_nothing_is_no_pass(splits, empty):
    content = audit(pieces_of(frame(drifting(2)[: len(splits)], splits)), [])
    assert content["empty"] == empty
    assert content["passed"] is (len(empty) < 3)


def test_record_that_stands_twice_fails():
    records = frame(drifting(2)).assign(record_id="s/1")
    content = audit(pieces_of(records), [])
    assert content["repeated_records"] == ["s/1"]
    assert not content["passed"]


def test_what_pretraining_sees_is_held_against_every_test_record():
    splits = ["train", "train", "valid", "test", "test", None, "train", "valid", "test", "test"]
    patients = ["s/a", "s/b", "s/c", "s/b", "s/d", "s/d", "s/e", "s/f", "s/g", "s/h"]
    records = frame(drifting(10), splits, patients)
    across = [pair(0, 3, True), pair(2, 5, True)]  # 5 is in no split, but its patient is tested
    others = [pair(6, 7, True), pair(8, 9, False)]  # train and valid; test and test
    assert audit(pieces_of(records), across + others)["pretraining"] == {
        "records": 5,
        "test_records": 4,
        "shared_patients": 1,  # b
        "shared_records": 0,
        "duplicates": 2,
    }
    twice = pd.concat([records.iloc[[0]].assign(split="test"), records], ignore_index=True)
    assert audit(pieces_of(twice), [])["pretraining"]["shared_records"] == 1


TOLD = [  # patient, split and source of each record
    ("p0", "train", "a"), ("p0", "test", "a"), ("p1", "train", "a"), ("p1", "train", "a"), ("p2", "valid", "a"),
    ("p2", "test", "a"), ("p3", "train", "a"), ("p3", "valid", "a"), ("p4", None, "a"), ("p4", "test", "a"),
    ("q0", "train", "b"), ("q0", "train", "b"), ("q1", "train", "b"), ("q1", "test", "b"), ("q1", "valid", "b"),
    ("q2", "test", "b"), ("q3", "valid", "b"), ("q3", None, "b"),
    ("r0", "train", "a"), ("r0", "train", "b"),  # a patient of two sources, and of one split
]  # fmt: skip


@pytest.mark.parametrize("rows_together", [3, 16384])
def test_everything_the_audit_counts_by_hand(monkeypatch, rows_together):
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", rows_together)  # patients of several pieces add up
    patients, splits, sources = map(list, zip(*TOLD, strict=True))
    content = audit(pieces_of(frame(drifting(20), splits, patients).assign(source=sources)), [])
    assert content == {
        "passed": False,
        "empty": [],
        "patient_overlap": ["p0", "p2", "p3", "q1"],  # q1, of three splits, once
        "duplicate_pairs": [],
        "repeated_records": [],
        "pretraining": {
            "records": 13,
            "test_records": 5,
            "shared_patients": 3,  # p3 is in train and valid, which pretraining sees both
            "shared_records": 0,
            "duplicates": 0,
        },
        "counts": {
            "a": {
                "none": {"records": 1, "patients": 1},
                "test": {"records": 3, "patients": 3},
                "train": {"records": 5, "patients": 4},
                "valid": {"records": 2, "patients": 2},
            },
            "b": {
                "none": {"records": 1, "patients": 1},
                "test": {"records": 2, "patients": 2},
                "train": {"records": 4, "patients": 3},
                "valid": {"records": 2, "patients": 2},
            },
        },
        "dominant": [],
    }
    assert [list(splits) for splits in content["counts"].values()] == [["none", "test", "train", "valid"]] * 2


@pytest.mark.parametrize("rows_together", [3, 16384])
@pytest.mark.parametrize(
    ("records_of_one", "others", "said"),
    [(8, 14, True), (6, 14, False), (8, 32, False)],  # 36 % and 5.5 times the mean; 4.5 times; 20 % and no more
)
def test_a_patient_who_has_most_records_of_a_split_is_named(monkeypatch, rows_together, records_of_one, others, said):
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", rows_together)
    patients = ["x"] * records_of_one + [f"p{number}" for number in range(others)] + ["y"] * 9
    splits = ["test"] * (records_of_one + others) + [None] * 9  # y is in no split
    records = frame(drifting(1) * len(patients), splits, patients)
    expected = {"source": "s", "split": "test", "patient": "x", "records": 8, "of": 22}
    assert audit(pieces_of(records), [])["dominant"] == ([expected] if said else [])


def test_records_that_stand_twice_are_named_once_each_and_counted_where_a_test_is_among_them():
    ids = [0, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 9, 9, 10, 11, 11, 12]
    splits = ["train"] * 18
    splits[2], splits[6], splits[7], splits[16] = "test", "valid", "test", "valid"  # of 1, 5, 5 and 11
    records = frame(drifting(18), splits).assign(record_id=[f"s/{i:05d}" for i in ids])
    content = audit(pieces_of(records), [])
    assert content["repeated_records"] == ["s/00001", "s/00005", "s/00009", "s/00011"]
    assert content["pretraining"]["shared_records"] == 2
    assert (content["patient_overlap"], content["passed"]) == ([], False)


DEALT = [  # patient, split, fold and source of each record
    ("p0", "test", 0, "a"), ("p0", "test", 0, "a"), ("p1", "test", 1, "a"), ("p2", "test", 2, "a"),
    ("p2", "test", 2, "a"), ("p3", "test", 2, "a"), ("q0", "train", None, "b"), ("q0", "train", None, "b"),
    ("q1", None, None, "b"), ("q2", "train", None, "b"), ("r0", "test", 1, "c"),
]  # fmt: skip


def dealt(**changed):
    """The records of `DEALT`, with other folds or splits of some: `r3={"fold": 1}` of the fourth."""
    patients, splits, folds, sources = map(list, zip(*DEALT, strict=True))
    records = frame(drifting(len(DEALT)), splits, patients).assign(source=sources, fold=pd.array(folds, dtype="Int8"))
    for row, values in changed.items():
        for name, value in values.items():
            records.loc[int(row[1:]), name] = value
    return pieces_of(records)


@pytest.mark.parametrize("rows_together", [3, 16384])
def test_folds_are_counted_and_stand_for_the_splits_that_are_empty(monkeypatch, rows_together):
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", rows_together)
    content = audit(dealt(), [pair(3, 5, False)], folds=True)  # p2 and p3, of one fold
    assert (content["passed"], content["empty"], content["patient_overlap"]) == (True, [], [])  # none is in valid
    assert content["folds"] == {
        "a": {
            "0": {"records": 2, "patients": 1},
            "1": {"records": 1, "patients": 1},
            "2": {"records": 3, "patients": 2},
        },
        "c": {"1": {"records": 1, "patients": 1}},
    }
    assert content["counts"] == {
        "a": {"test": {"records": 6, "patients": 4}},
        "b": {"none": {"records": 1, "patients": 1}, "train": {"records": 3, "patients": 2}},
        "c": {"test": {"records": 1, "patients": 1}},
    }
    zero = {"shared_patients": 0, "shared_records": 0, "duplicates": 0}
    assert content["pretraining"] == {"records": 3, "test_records": 7, **zero}


@pytest.mark.parametrize(
    ("changed", "overlap", "shared"),
    [
        ({"r4": {"fold": 0}}, ["p2"], 0),  # in two folds
        ({"r6": {"split": "test", "fold": 1}}, ["q0"], 1),  # in a fold and in train
        ({"r4": {"fold": pd.NA}}, ["p2"], 0),  # in a fold and in an ordinary test split
    ],
)
def test_a_patient_of_two_folds_or_of_a_fold_and_a_split_fails(changed, overlap, shared):
    content = audit(dealt(**changed), [], folds=True)
    assert (content["passed"], content["patient_overlap"]) == (False, overlap)
    assert content["pretraining"]["shared_patients"] == shared


def test_a_pair_of_two_folds_fails_and_records_of_no_fold_are_no_folds():
    content = audit(dealt(), [pair(0, 2, True)], folds=True)
    assert not content["passed"]
    assert content["pretraining"]["duplicates"] == 0  # both are tested, neither is pretrained on
    without = audit(dealt(**{f"r{row}": {"fold": pd.NA, "split": None} for row in range(11)}), [], folds=True)
    assert "folds" not in without
    assert (without["passed"], without["empty"]) == (False, ["train", "valid", "test"])
