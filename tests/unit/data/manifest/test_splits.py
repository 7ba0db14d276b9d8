"""Splits are by patient, stable, and as the database says where it is asked."""

import pandas as pd
import pytest

from ecglfm.config import FoldsConfig, ManifestConfig, UserError
from ecglfm.data.manifest.splits import assign_splits, hash_split
from ecglfm.provenance import hash_fraction
from tests.unit.data.recordings_in_memory import index_frame


def test_boundaries_of_the_fractions():
    key = "a/1"
    u = hash_fraction(key, 0)
    split = lambda test, valid: hash_split(key, seed=0, valid_fraction=valid, test_fraction=test)  # noqa: E731
    assert split(u + 1e-9, 0.0) == "test"
    assert split(u, 1e-9) == "valid"  # below, not up to
    assert split(u - 1e-9, 0.0) == "train"
    assert split(0.0, u) == "train"


def test_shares_of_many_patients_are_those_asked_for():
    index = index_frame(20_000, 1)
    shares = assign_splits(index, "a", ManifestConfig(valid_fraction=0.1, test_fraction=0.2)).value_counts(
        normalize=True
    )
    assert shares["test"] == pytest.approx(0.2, abs=0.01)
    assert shares["valid"] == pytest.approx(0.1, abs=0.01)


def test_added_records_and_patients_move_nobody():
    config = ManifestConfig(seed=3, valid_fraction=0.2, test_fraction=0.3)
    few, many = index_frame(50, 1), index_frame(300, 3)
    before = dict(zip(few.patient_id, assign_splits(few, "a", config), strict=True))
    after = dict(zip(many.patient_id, assign_splits(many, "a", config), strict=True))
    assert before.items() <= after.items()
    assert set(before.values()) == {"train", "valid", "test"}


def test_another_seed_is_another_split():
    index = index_frame(200, 1)
    splits = [assign_splits(index, "a", ManifestConfig(seed=seed)).tolist() for seed in (0, 1, 0)]
    assert splits[0] == splits[2] != splits[1]


def test_all_of_a_cross_validated_source_is_test_whatever_its_folds():
    index = index_frame(20, 1, folds=True).iloc[::-1]
    splits = assign_splits(index, "a", ManifestConfig.model_validate({"folds": {"a": {"k": 3}}}))
    pd.testing.assert_series_equal(splits, pd.Series(["test"] * len(index), index=index.index, dtype="str"))


def test_native_folds_and_folds_in_no_list():
    index = index_frame(20, 1, folds=True)
    config = ManifestConfig(folds={"a": FoldsConfig(train=[1, 2, 3], valid=[9], test=[10])})
    splits = assign_splits(index, "a", config)
    expected = {1: "train", 2: "train", 3: "train", 9: "valid", 10: "test"}
    for fold, split in zip(index.fold, splits, strict=True):
        assert split == expected.get(fold) or (pd.isna(split) and fold not in expected)


def test_folds_of_a_source_without_any_are_refused():
    config = ManifestConfig(folds={"a": FoldsConfig(train=[1], valid=[2], test=[3])})
    rest = r"; remove this key to split it by the seeded hash of the patient$"
    with pytest.raises(UserError, match=r"manifest\.folds\.a.*no folds of its own" + rest):
        assign_splits(index_frame(), "a", config)
    config = ManifestConfig(folds={"a": FoldsConfig(column="part", train=[1], valid=[2], test=[3])})
    with pytest.raises(UserError, match=r"manifest\.folds\.a.*no values in column 'part'" + rest):
        assign_splits(index_frame().assign(**{"native.part": None}), "a", config)


def test_folds_that_no_record_has_are_named(caplog):
    config = ManifestConfig(folds={"a": FoldsConfig(train=[1, 77], valid=[2], test=["other"])})
    assign_splits(index_frame(20, 1, folds=True), "a", config)
    assert caplog.messages == ["manifest.folds.a: no record has fold 77, other"]


def test_folds_may_be_any_column_with_any_words():
    index = index_frame(12, 1).assign(**{"native.Split": ["development", "Held-out", "tuning", None] * 3})
    config = ManifestConfig(
        folds={"a": FoldsConfig(column="Split", train=["development"], valid=["tuning"], test=["held-out"])}
    )
    splits = assign_splits(index, "a", config).astype(object)
    assert splits.where(splits.notna(), None).tolist() == ["train", "test", "valid", None] * 3


def test_numbers_of_a_column_are_the_same_however_they_are_written():
    index = index_frame(3, 1).assign(**{"native.part": ["1", "2.0", " 3"]})
    config = ManifestConfig(folds={"a": FoldsConfig(column="part", train=["1"], valid=[2], test=["3"])})
    assert assign_splits(index, "a", config).tolist() == ["train", "valid", "test"]


def test_a_column_may_say_true_and_false():
    index = index_frame(3, 1).assign(**{"native.held_out": ["False", "True", "1"]})
    folds = {"column": "held_out", "train": [False], "valid": [1], "test": [True]}
    config = ManifestConfig.model_validate({"folds": {"a": folds}})
    assert assign_splits(index, "a", config).tolist() == ["train", "test", "valid"]
    again = ManifestConfig.model_validate_json(config.model_dump_json())  # as a stage gets it
    assert assign_splits(index, "a", again).tolist() == ["train", "test", "valid"]


def test_a_column_that_is_not_there_is_named_with_near_ones():
    index = index_frame().assign(**{"native.strat_fold": "1"})
    config = ManifestConfig(folds={"a": FoldsConfig(column="start_fold", train=[1], valid=[2], test=[3])})
    with pytest.raises(UserError, match=r"manifest\.folds\.a\.column: column 'start_fold'.*near names: strat_fold"):
        assign_splits(index, "a", config)


def test_a_source_may_have_fractions_of_its_own():
    config = ManifestConfig(
        valid_fraction=0.3,
        test_fraction=0.2,
        fractions={"b": {"valid": 0.0, "test": 0.0}, "c": {"valid": 0.1, "test": 0.4}},
    )
    assert set(assign_splits(index_frame(source="b"), "b", config)) == {"train"}
    index = index_frame(20_000, 1)
    for source, valid, test in (("c", 0.1, 0.4), ("a", 0.3, 0.2)):
        shares = assign_splits(index, source, config).value_counts(normalize=True)
        assert (shares["valid"], shares["test"]) == pytest.approx((valid, test), abs=0.01)


def test_records_may_be_split_one_by_one():
    config = ManifestConfig(group_by="record", valid_fraction=0.2, test_fraction=0.3)
    index = index_frame(20, 2)
    expected = [hash_split(key, seed=0, valid_fraction=0.2, test_fraction=0.3) for key in index.record_id]
    assert assign_splits(index, "a", config).tolist() == expected
    assert expected[0::2] != expected[1::2]


def test_splits_are_on_the_rows_that_were_asked_about():
    index = index_frame(20, 2, folds=True).iloc[7:30:2]
    by_patient = {f"a/{patient:03d}": "test" if patient % 3 else "valid" for patient in range(20)}
    of_folds = {fold: "train" if fold % 2 else None for fold in range(1, 11)}
    folds = ManifestConfig(folds={"a": FoldsConfig(train=[1], valid=[2], test=[3])})
    assigned = {
        "hash": assign_splits(index, "a", ManifestConfig()),
        "folds": assign_splits(index, "a", folds, of_folds=of_folds),
        "patients": assign_splits(index, "a", ManifestConfig(), of_patients=by_patient),
    }
    for splits in assigned.values():
        assert splits.index.tolist() == index.index.tolist()
        assert splits.dtype == "str"
    assert assigned["patients"].tolist() == [by_patient[patient] for patient in index.patient_id]
