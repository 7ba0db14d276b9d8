"""Every label has its share of each split, by patient, whatever the order of records, shards and sources."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import ManifestConfig, ManifestSlice, TaskConfig, TaskSlice
from ecglfm.data.manifest.manifest import run_manifest
from ecglfm.data.manifest.splits import hash_split
from ecglfm.data.manifest.stratify import SourceLabels, stratified_splits, stratify
from tests.unit.data.manifest.test_manifest import write_results
from tests.unit.data.recordings_in_memory import index_frame

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


def counted(splits, chosen) -> Counter:
    return Counter(split for split, one in zip(splits, chosen, strict=True) if one)


def a_cohort():
    """50 patients: 10 with a rare label, 20 others with a common one, 20 with none."""
    labels = np.zeros((50, 2), bool)
    labels[:10, 0] = True
    labels[10:30, 1] = True
    return labels, [f"a/{number}" for number in range(50)]


@pytest.mark.parametrize("seed", range(5))
def test_each_label_of_a_known_table_has_its_share(seed):
    """80, 10 and 10 % of 10, of 20 and of the other 20."""
    labels, keys = a_cohort()
    splits = stratify(labels, keys, shares=SHARES, seed=seed)
    assert counted(splits, labels[:, 0]) == {"train": 8, "valid": 1, "test": 1}
    assert counted(splits, labels[:, 1]) == {"train": 16, "valid": 2, "test": 2}
    assert Counter(splits) == {"train": 40, "valid": 5, "test": 5}


def test_what_the_hash_does_with_the_same_table():
    labels, keys = a_cohort()
    hashed = [
        counted([hash_split(key, seed=seed, valid_fraction=0.1, test_fraction=0.1) for key in keys], labels[:, 0])
        for seed in range(5)
    ]
    assert any(0 in (found["valid"], found["test"]) for found in hashed)


@pytest.mark.parametrize("seed", range(20))
def test_labels_that_overlap_keep_within_one_patient(seed):
    rng = np.random.default_rng(seed)
    labels = rng.random((300, 5)) < [0.02, 0.05, 0.1, 0.3, 0.6]
    shares = {"train": 0.6, "valid": 0.15, "test": 0.25}
    splits = stratify(labels, [f"a/{number}" for number in range(300)], shares=shares, seed=seed)
    for column in labels.T:
        found = counted(splits, column)
        assert all(abs(found[split] - share * column.sum()) <= 1 for split, share in shares.items())
    assert all(abs(Counter(splits)[split] - share * 300) <= 1 for split, share in shares.items())


def test_neither_order_nor_anything_but_the_seed_decides():
    labels, keys = a_cohort()
    expected = dict(zip(keys, stratify(labels, keys, shares=SHARES, seed=0), strict=True))
    order = np.random.default_rng(1).permutation(50)
    shuffled = [keys[row] for row in order]
    assert dict(zip(shuffled, stratify(labels[order], shuffled, shares=SHARES, seed=0), strict=True)) == expected
    assert dict(zip(keys, stratify(labels, keys, shares=SHARES, seed=1), strict=True)) != expected


def test_a_split_without_a_share_gets_nobody():
    labels, keys = a_cohort()
    splits = stratify(labels, keys, shares={"train": 0.5, "valid": 0.5, "test": 0.0}, seed=0)
    assert Counter(splits) == {"train": 25, "valid": 25}


def pieces_of(patients, labels):
    return iter([pd.DataFrame({"patient_id": patients, "t.x": labels})])


def test_another_source_moves_nobody_and_shared_patients_are_of_one():
    """The Challenge's PTB-XL records have PTB-XL's patients: what both say of one counts, and both give one split."""
    labels, keys = a_cohort()
    config = ManifestConfig(fractions={"a": {"valid": 0.1, "test": 0.1}, "b": {"valid": 0.3, "test": 0.3}})
    alone = stratified_splits({"a": pieces_of(keys, labels[:, 0])}, config)
    others = [f"b/{number}" for number in range(50)]
    both = stratified_splits({"a": pieces_of(keys, labels[:, 0]), "b": pieces_of(others, labels[:, 1])}, config)
    assert alone.items() <= both.items()
    assert counted([both[key] for key in others], labels[:, 1]) == {"train": 8, "valid": 6, "test": 6}
    # of a/0 … a/49 the label is told by b alone, which holds copies of their records
    copies = stratified_splits(
        {"a": pieces_of(keys, np.zeros(50, bool)), "b": pieces_of(keys + others, np.r_[labels[:, 0], labels[:, 1]])},
        config,
    )
    assert copies == both


def labelled_index(source="a", **kwargs):
    """50 patients of two records: 10 carry A in their second one, ten others B in both."""
    index = index_frame(50, 2, source=source, **kwargs)
    number = index["patient_id"].str[-3:].astype(int)
    second = index["record_id"].str.endswith("-1")
    b = (number >= 10) & (number < 20)
    return index.assign(report=np.where((number < 10) & second, "A", np.where(b, "B", "")))


def test_records_that_a_task_leaves_out_carry_nothing_and_sources_without_it_have_no_label():
    labels = {"A": {"ptbxl": {"report": ["A"]}}}
    exclude = {"ptbxl": {"report": ["paced"]}}
    task = TaskConfig.model_validate({"kind": "multilabel", "labels": labels, "exclude": exclude})
    slice_ = TaskSlice(task="t", config=task, kinds={"a": "ptbxl"})
    index = index_frame(4, 1).assign(report=["A", "A, paced", "B", "a"])
    found = SourceLabels([slice_], "a", list(index.columns)).of(index)
    assert found["t.A"].tolist() == [True, False, False, True]
    assert SourceLabels([slice_], "b", list(index.columns)).of(index).shape == (4, 0)


def stratified(*sources, stratify=("t",), **manifest):
    selectors = {name: {"ptbxl": {"report": [name]}} for name in ("A", "B")}
    task = TaskConfig.model_validate({"kind": "multilabel", "sources": list(sources), "labels": selectors})
    config = ManifestConfig.model_validate({"stratify": list(stratify), **manifest})
    kinds = dict.fromkeys(sources, "ptbxl")
    return ManifestSlice(sources=list(sources), manifest=config, tasks=dict.fromkeys(stratify, task), kinds=kinds)


def patients_of(results, prefix):
    records = pd.read_parquet(results / "manifest/records.parquet")
    patients = records[records["patient_id"].str.startswith(prefix)].drop_duplicates(["patient_id", "split"])
    assert not patients["patient_id"].duplicated().any()  # nobody is in two splits
    return patients.set_index("patient_id")["split"]


@pytest.mark.parametrize("shards", [1, 3])
def test_the_manifest_deals_out_the_patients_that_are_left(tmp_path, shards):
    """Of the ten who carry A five lost the record that says so, and two of B are not in the query."""
    lost = {f"a/{number:03d}-1" for number in range(5)}
    write_results(tmp_path, labelled_index(), shards=shards, dropped=lost)
    write_results(tmp_path, labelled_index("b", folds=True), shards=1)
    folds = {"b": {"train": [1, 2, 3, 4, 5, 6, 7, 8], "valid": [9], "test": [10]}}
    config = stratified(
        "a", "b", folds=folds, valid_fraction=0.2, test_fraction=0.2, query="not age in [60, 61] or source == 'b'"
    )
    content = run_manifest(config, tmp_path, tmp_path / "manifest")
    assert content["passed"]
    splits = patients_of(tmp_path, "a/")
    assert splits.value_counts().to_dict() == {"train": 29, "valid": 9, "test": 10}  # of 48
    assert Counter(splits[[f"a/{number:03d}" for number in range(5, 10)]]) == {"train": 3, "valid": 1, "test": 1}
    assert Counter(splits[[f"a/{number:03d}" for number in range(12, 20)]]) == {"train": 5, "valid": 1, "test": 2}
    official = patients_of(tmp_path, "b/")  # its own folds stay
    assert all(official[f"b/{n:03d}"] == {8: "valid", 9: "test"}.get(n % 10, "train") for n in range(50))
    assert content["by_chance"] == {}


def test_few_patients_that_chance_splits_are_told(tmp_path):
    write_results(tmp_path, labelled_index())
    write_results(tmp_path, labelled_index("b", folds=True))
    write_results(tmp_path, labelled_index("c"))
    folds = {"b": {"train": [1, 2, 3, 4, 5, 6, 7, 8], "valid": [9], "test": [10]}}
    fractions = {"c": {"test": 1}}
    config = stratified("a", "b", "c", stratify=(), folds=folds, fractions=fractions)
    assert run_manifest(config, tmp_path, tmp_path / "manifest")["by_chance"] == {"a": 50}
    assert set(patients_of(tmp_path, "c/")) == {"test"}
