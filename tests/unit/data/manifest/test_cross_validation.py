"""Each label has its share of every fold, people whom duplicates link are in one, and no other source keeps any of them."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.config import UserError
from ecglfm.data import tables
from ecglfm.data.manifest.audit import audit
from ecglfm.data.manifest.cross_validation import _patients, cross_validate, deal_folds
from ecglfm.data.manifest.manifest import RECORD_COLUMNS, run_manifest
from ecglfm.provenance import read_json
from ecglfm.records import data_hash
from tests.unit.data.manifest.test_manifest import manifest_slice, write_results
from tests.unit.data.manifest.test_stratify import labelled_index, stratified
from tests.unit.data.recordings_in_memory import index_frame, pieces_of


def a_cohort() -> pd.DataFrame:
    """50 patients: 10 with a rare label, 20 others with a common one, 20 with none."""
    table = pd.DataFrame(False, index=[f"a/{number:02d}" for number in range(50)], columns=["rare", "common"])
    table.iloc[:10, 0] = True
    table.iloc[10:30, 1] = True
    return table


@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_ten_of_twenty_and_of_the_other_twenty(seed):
    table = a_cohort()
    folds = deal_folds(table, {}, k=5, seed=seed)
    assert Counter(folds.values()) == dict.fromkeys(range(5), 10)
    assert Counter(folds[patient] for patient in table.index[table["rare"]]) == dict.fromkeys(range(5), 2)
    assert Counter(folds[patient] for patient in table.index[table["common"]]) == dict.fromkeys(range(5), 4)


@pytest.mark.parametrize("seed", range(20))
def test_people_whom_duplicates_link_are_in_one_fold(seed):
    """Three clusters of three and the other 41 alone: 44 units, by chance together in a fold once in 25."""
    clusters = {f"a/{number:02d}": number % 3 for number in range(9)} | {"a/40": -1, "a/41": -1}
    folds = deal_folds(a_cohort(), clusters, k=5, seed=seed)
    assert len(folds) == 50
    for cluster in range(3):
        assert len({folds[patient] for patient, of in clusters.items() if of == cluster}) == 1


def test_neither_order_nor_the_numbers_of_clusters_decide():
    table, clusters = a_cohort(), {"a/03": 7, "a/30": 7, "a/12": 2, "a/44": 2}
    expected = deal_folds(table, clusters, k=4, seed=0)
    renamed = {patient: 9 - number for patient, number in reversed(clusters.items())}
    shuffled = table.iloc[np.random.default_rng(0).permutation(50)]
    assert deal_folds(shuffled, renamed, k=4, seed=0) == expected
    assert deal_folds(table, clusters, k=4, seed=1) != expected


def test_folds_without_labels_are_of_one_size():
    folds = deal_folds(a_cohort()[[]], {}, k=5, seed=0)
    assert Counter(folds.values()) == dict.fromkeys(range(5), 10)


def rows_of(source: str, count: int, *, split: str | None = "test", patient: str = "") -> pd.DataFrame:
    """Two records of each of some patients, `a/00` and on, or all of one patient."""
    rows = [(f"{source}/{number:02d}", recording) for number in range(count) for recording in (0, 1)]
    return pd.DataFrame(
        {
            "record_id": [f"{own}-{recording}" for own, recording in rows],
            "source": source,
            "patient_id": [patient or own for own, _ in rows],
            "split": pd.Series([split] * len(rows), dtype="str"),
        }
    )


def pair(a: str, b: str) -> dict:
    return {"a": a, "b": b, "correlation": 1.0, "crosses": False}


def dealt(records, *pairs, sources=("a",), k=5, seed=0, apart=True, carried=()):
    """The records by their ids, the pairs, and the ledger."""
    found = cross_validate(
        pieces_of(records), list(pairs), carried, sources=dict.fromkeys(sources, k), seed=seed, apart=apart
    )
    columns = ["record_id", "patient_id", "source", "split", "fold"]
    return pd.concat(found.records(columns)).set_index("record_id"), found.pairs, found.ledger


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_inside_the_source_is_in_one_fold_and_crosses_none(seed):
    """By chance alone once in five."""
    records, pairs, ledger = dealt(rows_of("a", 20), pair("a/01-1", "a/05-0"), seed=seed, apart=False)
    assert records.loc[["a/01-0", "a/01-1", "a/05-0", "a/05-1"], "fold"].nunique() == 1
    assert [one["crosses"] for one in pairs] == [False]
    assert ledger.empty
    assert set(records["fold"]) == set(range(5))
    assert records["split"].eq("test").all()


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_what_a_pair_links_to_a_cross_validated_patient_crosses_or_is_moved_out_of_its_split(split):
    """Also a test record of an ordinary source: the models of the other folds would have learned from its copy."""
    both = pd.concat([rows_of("a", 10), rows_of("b", 4, split=split)], ignore_index=True)
    records, pairs, ledger = dealt(both, pair("a/00-0", "b/03-1"), apart=False)
    assert [one["crosses"] for one in pairs] == [True]
    assert ledger.empty
    assert records["split"].notna().all()
    records, pairs, ledger = dealt(both, pair("a/00-0", "b/03-1"))
    assert [one["crosses"] for one in pairs] == [False]
    fold = records["fold"]["a/00-0"]
    assert ledger.to_numpy().tolist() == [
        ["b", f"b/03-{recording}", "manifest", "moved", "cross_validated_elsewhere",
         f"from {split} to no split: a patient whom duplicate recordings link to b/03 is in fold {fold} of the "
         "cross-validation of a"]
        for recording in (0, 1)
    ]  # fmt: skip
    assert records.index[records["split"].isna()].tolist() == ["b/03-0", "b/03-1"]
    assert records["fold"].isna().eq(records["source"] == "b").all()


@pytest.mark.parametrize("apart", [False, True])
def test_a_patient_of_both_sources_is_lost_to_the_other_whatever_is_done_with_duplicates(apart):
    both = pd.concat([rows_of("a", 10), rows_of("b", 3, split="train"), rows_of("c", 1, patient="a/07", split="valid")])
    records, _, ledger = dealt(both.reset_index(drop=True), apart=apart)
    fold = records["fold"]["a/07-0"]
    assert ledger.to_numpy().tolist() == [
        ["c", f"c/00-{recording}", "manifest", "moved", "cross_validated_elsewhere",
         f"from valid to no split: its patient is in fold {fold} of the cross-validation of a"]
        for recording in (0, 1)
    ]  # fmt: skip
    assert records.index[records["split"].isna()].tolist() == ["c/00-0", "c/00-1"]
    assert records["fold"].isna().eq(records["source"] != "a").all()
    assert audit(pieces_of(records.reset_index()), [], folds=True)["passed"]


def test_records_in_no_split_link_people_and_are_no_loss():
    """A copy in no split, of two patients of the source: they are in one fold, and no row says that it was moved."""
    both = pd.concat([rows_of("a", 20), rows_of("b", 1, split=None)], ignore_index=True)
    for seed in range(5):
        records, pairs, ledger = dealt(both, pair("a/01-0", "b/00-0"), pair("a/09-1", "b/00-0"), seed=seed)
        assert records["fold"]["a/01-0"] == records["fold"]["a/09-0"]
        assert [one["crosses"] for one in pairs] == [False, False]
        assert ledger.empty


def test_each_of_two_sources_has_its_share_of_every_fold_and_a_patient_of_both_is_in_one():
    both = pd.concat(
        [rows_of("a", 10), rows_of("b", 20), rows_of("b", 1, patient="a/04").assign(record_id=["b/x", "b/y"])]
    )
    records, _, ledger = dealt(both.reset_index(drop=True), sources=("a", "b"))
    patients = records.drop_duplicates(["patient_id", "fold"])
    assert not patients["patient_id"].duplicated().any()
    own = patients["patient_id"].str.partition("/")[0]
    assert Counter(patients.loc[own == "a", "fold"]) == dict.fromkeys(range(5), 2)
    shared = records["fold"]["b/x"]
    assert all(
        Counter(patients.loc[own == "b", "fold"])[fold] in (4, 4 - (fold == shared), 4 + (fold != shared))
        for fold in range(5)
    )
    assert ledger.empty


def test_fewer_units_than_folds_is_one_sentence():
    expected = (
        "config.yaml: manifest.folds: k: 5, but a have 4 patients (whom duplicate recordings link are one); write a "
        "smaller k, or take the source out of `folds`"
    )
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        dealt(rows_of("a", 5), pair("a/01-1", "a/04-0"))
    records, _, _ = dealt(rows_of("a", 5))
    assert sorted(records["fold"][::2]) == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match="but a have 0 patients"):
        dealt(rows_of("b", 5))
    both = pd.concat([rows_of("a", 5), rows_of("b", 1, split="train")], ignore_index=True)
    with pytest.raises(UserError, match="but a have 4 patients"):  # linked through a record of another source
        dealt(both, pair("a/01-1", "b/00-0"), pair("a/04-0", "b/00-0"))


def linked(results) -> None:
    """20 + 20 patients; b/006-1 is a/000-0 from 1 s on, a/005-0 is a/001-1."""
    rng = np.random.default_rng(7)
    one, other = (np.cumsum(rng.normal(0, 30, (4000, 12)), axis=0).astype(np.int16) for _ in range(2))
    signals = {"a/000-0": one, "b/006-1": one[500:], "a/001-1": other, "a/005-0": other}
    for source in "ab":
        write_results(results, index_frame(source=source), signals=signals)


def test_the_manifest_moves_what_is_linked_across_and_keeps_what_is_linked_inside_in_one_fold(tmp_path, monkeypatch):
    linked(tmp_path)
    config = manifest_slice("a", "b", folds={"a": {"k": 5}}, duplicates="move")
    content = run_manifest(config, tmp_path, tmp_path / "m")
    assert content == read_json(tmp_path / "m/audit.json")
    assert (content["passed"], content["empty"], content["patient_overlap"]) == (True, [], [])
    assert [(one["a"], one["b"], one["crosses"]) for one in content["duplicate_pairs"]] == [
        ("a/000-0", "b/006-1", False),
        ("a/001-1", "a/005-0", False),
    ]
    # 19 units: a fold of three, and the two who are one make one of the others five
    assert Counter(fold["patients"] for fold in content["folds"]["a"].values()) == {3: 1, 4: 3, 5: 1}
    assert content["counts"]["a"] == {"test": {"records": 40, "patients": 20}}
    assert content["counts"]["b"]["none"] == {"records": 2, "patients": 1}
    records = pd.read_parquet(tmp_path / "m/records.parquet")
    assert list(records.columns) == [*RECORD_COLUMNS, "fold"]
    assert records["fold"].dtype == "Int8"
    assert pq.read_metadata(tmp_path / "m/records.parquet").metadata[b"folds"] == b'{"a": 5}'
    assert content["data_hash"] == data_hash(records)
    by_id = records.set_index("record_id")
    assert by_id["fold"].isna().eq(by_id["source"] == "b").all()
    assert by_id.loc[["a/001-0", "a/001-1", "a/005-0", "a/005-1"], "fold"].nunique() == 1
    assert by_id.groupby("patient_id")["fold"].nunique().max() == 1
    ledger = pd.read_parquet(tmp_path / "m/ledger.parquet")
    fold = by_id["fold"]["a/000-0"]
    said = f"a patient whom duplicate recordings link to b/006 is in fold {fold} of the cross-validation of a"
    assert ledger.to_numpy().tolist() == [
        ["b", record, "manifest", "moved", "cross_validated_elsewhere", f"from train to no split: {said}"]
        for record in ("b/006-0", "b/006-1")
    ]
    monkeypatch.setattr(tables, "ROWS_TOGETHER", 17)  # pieces do not decide
    assert run_manifest(config, tmp_path, tmp_path / "n") == content
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "n/records.parquet"), records)


def test_a_pair_across_fails_the_audit_where_nothing_moves(tmp_path):
    linked(tmp_path)
    content = run_manifest(manifest_slice("a", "b", folds={"a": {"k": 5}}), tmp_path, tmp_path / "m")
    assert not content["passed"]
    assert [one["crosses"] for one in content["duplicate_pairs"]] == [True, False]
    assert content["pretraining"]["duplicates"] == 1
    assert "none" not in content["counts"]["b"]
    assert pd.read_parquet(tmp_path / "m/ledger.parquet").empty
    assert not (tmp_path / "m/records.parquet").exists()


def test_without_folds_the_table_has_no_column_more(tmp_path):
    write_results(tmp_path, index_frame())
    content = run_manifest(manifest_slice("a"), tmp_path, tmp_path / "m")
    assert "folds" not in content
    assert pq.read_schema(tmp_path / "m/records.parquet").names == RECORD_COLUMNS
    assert b"folds" not in pq.read_metadata(tmp_path / "m/records.parquet").metadata


@pytest.mark.parametrize("shards", [1, 3])
def test_the_labels_of_stratify_have_their_share_of_every_fold(tmp_path, shards):
    """Ten of 50 carry A, each in one of two records, ten others B: two of each in every fold of five."""
    index = labelled_index()
    signals = {record: np.full((50, 12), number, np.int16) for number, record in enumerate(index["record_id"])}
    write_results(tmp_path, index, shards=shards, signals=signals)
    content = run_manifest(stratified("a", folds={"a": {"k": 5}}), tmp_path, tmp_path / "m")
    assert content["folds"] == {"a": {str(fold): {"records": 20, "patients": 10} for fold in range(5)}}
    folds = pd.read_parquet(tmp_path / "m/records.parquet").drop_duplicates("patient_id")["fold"]
    for ten in (slice(0, 10), slice(10, 20)):
        assert Counter(folds.iloc[ten]) == dict.fromkeys(range(5), 2)


def test_the_order_of_records_does_not_decide():
    records = pd.concat([rows_of("a", 30), rows_of("b", 5, split="train")], ignore_index=True)
    pairs = [pair("a/00-0", "b/03-1"), pair("a/02-0", "a/11-1")]
    labels = pd.DataFrame({"patient_id": [f"a/{number:02d}" for number in range(30)], "t.x": np.arange(30) % 4 == 0})
    expected, _, _ = dealt(records, *pairs, carried=[labels])
    order = np.random.default_rng(0).permutation(len(records))
    parts = [labels.iloc[20:], labels.iloc[19::-1]]
    found, _, _ = dealt(records.iloc[order].reset_index(drop=True), *pairs[::-1], carried=parts)
    pd.testing.assert_frame_equal(found.sort_index(), expected)
    other, _, _ = dealt(records, *pairs, carried=[labels], seed=1)
    assert not other.equals(expected)


def at_once(records: pd.DataFrame):
    """A table in one piece."""
    return lambda columns: iter([records[columns]])


def test_labels_in_parts_are_joined_by_patient_and_those_of_others_do_not_count():
    """Six of twelve carry x, in one of two records or of two parts, six y: two of each in every fold of three."""
    records = rows_of("a", 12)
    ids = [f"a/{number:02d}" for number in range(12)]
    parts = [
        pd.DataFrame({"patient_id": [ids[0], ids[0], ids[1], ids[2], "c/1"], "x": [False, True, True, True, True]}),
        pd.DataFrame({"patient_id": [*ids[:6], *ids[6:9]], "x": [False] * 3 + [True] * 3 + [False] * 3,
                      "y": [False] * 6 + [True] * 3}),
        pd.DataFrame({"patient_id": ids[9:], "y": [True] * 3}),
    ]  # fmt: skip
    for seed in range(3):
        found = cross_validate(at_once(records), [], parts, sources={"a": 3}, seed=seed, apart=True)
        (table,) = found.records(["fold", "record_id"])
        assert list(table.columns) == ["fold", "record_id"]
        assert table["fold"].dtype == "Int8"
        fold = table["fold"].tolist()
        assert fold[::2] == fold[1::2]  # both recordings of a patient
        for six in (slice(0, 12, 2), slice(12, 24, 2)):
            assert Counter(fold[six]) == dict.fromkeys(range(3), 2)
    table = pd.DataFrame({"x": [True] * 6 + [False] * 6, "y": [False] * 6 + [True] * 6}, index=ids)
    assert dict(zip(records["patient_id"][::2], fold[::2], strict=True)) == deal_folds(table, {}, k=3, seed=2)


def test_one_recording_is_enough_to_be_of_a_source_and_no_row_of_labels_is_none():
    """`a/0` and `b/0` have one recording, `a/1` one in each source; `a/0` is in no table of labels, `b/0` lacks a column."""
    parts = [
        pd.DataFrame({"patient_id": ["a/0", "a/1"], "source": "a"}),
        pd.DataFrame({"patient_id": ["b/0", "a/1"], "source": "b"}),
    ]
    carried = [
        pd.DataFrame({"patient_id": ["a/1"], "x": [True], "y": [False]}),
        pd.DataFrame({"patient_id": ["b/0"], "x": [False]}),
    ]
    table = _patients(lambda columns: (part[columns] for part in parts), carried, ["a", "b"])
    assert table.to_dict("index") == {
        "a/0": {"a": True, "b": False, "x": False, "y": False},
        "a/1": {"a": True, "b": True, "x": True, "y": False},
        "b/0": {"a": False, "b": True, "x": False, "y": False},
    }


def test_columns_of_the_new_table_are_those_that_are_asked_for():
    both = pd.concat([rows_of("a", 3), rows_of("b", 1, patient="a/01", split="train")], ignore_index=True)
    found = cross_validate(at_once(both), [], [], sources={"a": 3}, seed=0, apart=False)
    (table,) = found.records(["record_id"])
    assert table.columns.tolist() == ["record_id"]
    (table,) = found.records(["split", "fold", "source"])
    assert table.columns.tolist() == ["split", "fold", "source"]
    assert table["split"].fillna("none").tolist() == ["test"] * 6 + ["none"] * 2
    assert table["split"].dtype == "str"
    assert sorted(table["fold"][:6:2]) == [0, 1, 2]
    assert table["fold"].isna().tolist() == [False] * 6 + [True] * 2


def test_a_cluster_is_called_by_its_first_id_and_the_seed_decides():
    """As if the people whom duplicates link were one patient of the first's name, with the labels of both."""
    table = pd.DataFrame({"x": [True, False, False, True, False, False]}, index=list("abcdef"))
    found = deal_folds(table, {"d": 5, "b": 5, "f": -1}, k=3, seed=3)
    whole = pd.DataFrame({"x": [True, True, False, False, False]}, index=list("abcef"))
    expected = deal_folds(whole, {}, k=3, seed=3)
    assert found == expected | {"d": expected["b"]}
    assert list(found) == list("abcdef")
    with pytest.raises(AssertionError, match="^a fold to test on, one to choose by, one to learn from$"):
        deal_folds(table, {}, k=2, seed=0)


def test_what_is_lost_is_said_with_all_sources_by_name():
    both = pd.concat(
        [rows_of("b", 4), rows_of("a", 4), rows_of("c", 1, patient="b/01", split="valid"), rows_of("c", 2, split=None)]
    )
    found = cross_validate(at_once(both.reset_index(drop=True)), [], [], sources={"b": 3, "a": 3}, seed=0, apart=True)
    (table,) = found.records(["record_id", "source", "fold"])
    fold = dict(zip(table["record_id"], table["fold"], strict=True))["b/01-0"]
    assert found.ledger["record_id"].tolist() == ["c/00-0", "c/00-1"]
    assert found.ledger["detail"].unique().tolist() == [
        f"from valid to no split: its patient is in fold {fold} of the cross-validation of a, b"
    ]
    for source in "ab":  # four of each in three folds
        assert sorted(Counter(table["fold"][table["source"] == source][::2]).values()) == [1, 1, 2]
