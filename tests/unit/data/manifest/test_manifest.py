"""Splits and book-keeping of the manifest on a small planted results folder."""

import hashlib

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecglfm.config import ManifestConfig, ManifestSlice, UserError
from ecglfm.data import tables
from ecglfm.data.manifest.manifest import run_manifest
from ecglfm.data.manifest.splits import hash_split
from ecglfm.data.signals.preprocessing import QUALITY
from ecglfm.provenance import read_json
from ecglfm.records import data_hash, ledger_frame
from ecglfm.sources.tables import reorder
from tests.unit.data.recordings_in_memory import index_frame


def write_results(results, index, *, shards=2, dropped=(), signals=None):
    """Lay out index, ingest ledgers and preprocess shards as the stages before do."""
    source = index["source"].iloc[0]
    for folder in ("index", f"ingest/{source}", f"preprocess/{source}"):
        (results / folder).mkdir(parents=True, exist_ok=True)
    index.to_parquet(results / "index" / f"{source}.parquet", index=False)
    rng = np.random.default_rng(ord(source))  # no recording in two sources
    for shard in range(shards):
        rows = index.iloc[shard * len(index) // shards : (shard + 1) * len(index) // shards]
        lost = [
            {
                "source": source,
                "record_id": r,
                "stage": "ingest",
                "action": "dropped",
                "reason": "file_missing",
                "detail": "x.dat",
            }
            for r in rows.record_id
            if r in dropped
        ]
        rows = rows[~rows.record_id.isin(dropped)]
        made = [rng.integers(-500, 500, (1500, 12)).astype(np.int16) for _ in range(len(rows))]
        made = [(signals or {}).get(r, signal) for r, signal in zip(rows.record_id, made, strict=True)]
        table = rows[["record_id", "source", "patient_id"]].assign(
            shard=shard,
            offset=np.cumsum([0, *map(len, made)])[:-1],
            n_samples=[len(signal) for signal in made],
            sampling_rate=500,
            sha256=[hashlib.sha256(signal.tobytes()).hexdigest() for signal in made],
            lead_mask=0xFFF,
            **dict.fromkeys(QUALITY, 0.0),
            flags="",
        )
        name = f"{shard:03d}"
        np.save(results / f"preprocess/{source}/{name}.npy", np.concatenate([np.empty((0, 12), np.int16), *made]))
        table.to_parquet(results / f"preprocess/{source}/{name}.parquet", index=False)
        ledger_frame([]).to_parquet(results / f"preprocess/{source}/{name}.ledger.parquet", index=False)
        ledger_frame(lost).to_parquet(results / f"ingest/{source}/{name}.ledger.parquet", index=False)


def manifest_slice(*sources, shards=None, **config):
    return ManifestSlice(sources=list(sources), manifest=ManifestConfig.model_validate(config), shards=shards or {})


def test_manifest_of_two_sources(tmp_path):
    write_results(tmp_path, index_frame(), dropped={"a/003-0", "a/019-1"})
    write_results(tmp_path, index_frame(source="b", folds=True), shards=3)
    content = run_manifest(
        manifest_slice("b", "a", folds={"b": {"train": [1, 2, 3, 4, 5], "valid": [6], "test": [7]}}),
        tmp_path,
        tmp_path / "manifest",
    )
    records = pd.read_parquet(tmp_path / "manifest" / "records.parquet")
    ledger = pd.read_parquet(tmp_path / "manifest" / "ledger.parquet")
    assert content == read_json(tmp_path / "manifest" / "audit.json")
    assert content["passed"]
    assert records.record_id.is_monotonic_increasing
    assert len(records) == 38 + 40
    assert ledger.record_id.tolist() == ["a/003-0", "a/019-1"]
    assert records.groupby("patient_id")["split"].nunique(dropna=False).max() == 1
    assert content["counts"]["b"]["none"] == {"records": 12, "patients": 6}
    assert content["counts"]["b"]["valid"] == {"records": 4, "patients": 2}
    row = records.set_index("record_id").loc["b/013-1"]
    assert (row["age"], row["sex"], row["split"], row["shard"], row["offset"]) == (63.0, "female", "train", 2, 1500)
    assert records.set_index("record_id")["sex"].isna()["a/000-0"]


def test_same_manifest_from_one_shard_or_three(tmp_path):
    signals = {r: np.full((1500, 12), k, np.int16) for k, r in enumerate(index_frame().record_id)}
    hashes = []
    for shards in (1, 3):
        write_results(tmp_path / str(shards), index_frame(), shards=shards, signals=signals)
        hashes.append(
            run_manifest(manifest_slice("a"), tmp_path / str(shards), tmp_path / str(shards) / "m")["data_hash"]
        )
    assert hashes[0] == hashes[1]


def test_pieces_of_any_size_give_the_same_tables(tmp_path, monkeypatch):
    write_results(tmp_path, index_frame(), dropped={"a/003-0", "a/019-1"})
    write_results(
        tmp_path, index_frame(source="b", folds=True), shards=3, signals={"b/001-0": np.ones((1500, 12), np.int16)}
    )
    folds = {"b": {"column": "fold", "train": [1, 2, 3, 4, 5], "valid": [6], "test": [7]}}
    config = manifest_slice("b", "a", folds=folds, query="age >= 20 or sex is None and source == 'b'")
    contents = [run_manifest(config, tmp_path, tmp_path / "whole")]
    monkeypatch.setattr(tables, "ROWS_TOGETHER", 3)
    monkeypatch.setattr(reorder, "ROWS_TOGETHER", 2)
    monkeypatch.setattr(reorder, "_RUN", 500)
    contents.append(run_manifest(config, tmp_path, tmp_path / "pieces"))
    assert contents[0] == contents[1]
    for name in ("records", "ledger"):
        whole, parts = (pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("whole", "pieces"))
        pd.testing.assert_frame_equal(whole, parts)
    records = pd.read_parquet(tmp_path / "pieces/records.parquet")
    assert contents[1]["data_hash"] == data_hash(records)
    assert pq.read_metadata(tmp_path / "pieces/records.parquet").num_row_groups > len(records) / 4


def test_lost_record_is_an_error_that_counts(tmp_path):
    write_results(tmp_path, index_frame())
    table = pd.read_parquet(tmp_path / "preprocess/a/001.parquet")
    table.iloc[1:].to_parquet(tmp_path / "preprocess/a/001.parquet", index=False)
    with pytest.raises(UserError, match=r"'a': 40 rows of index, but 39 records \+ 0 dropped: 1 in neither \(a/010-0"):
        run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")


def test_records_dropped_twice_or_unknown_are_errors(tmp_path):
    write_results(tmp_path, index_frame(), dropped={"a/003-0"})
    path = tmp_path / "preprocess/a/000.ledger.parquet"
    row = {"source": "a", "stage": "preprocess", "action": "dropped", "reason": "flat_leads", "detail": ""}
    ledger_frame([row | {"record_id": "a/003-0"}]).to_parquet(path)
    with pytest.raises(UserError, match=r"1 counted twice \(a/003-0"):
        run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")
    ledger_frame([row | {"record_id": "a/x"}]).to_parquet(path)
    with pytest.raises(UserError, match=r"1 not in the index \(a/x"):
        run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")


def test_files_of_an_earlier_number_of_shards_are_passed_over(tmp_path):
    write_results(tmp_path, index_frame(), shards=3)
    write_results(tmp_path, index_frame(), shards=1)  # 001 and 002 stay behind
    with pytest.raises(UserError, match="counted twice"):
        run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")
    content = run_manifest(manifest_slice("a", shards={"a": 1}), tmp_path, tmp_path / "manifest")
    assert sum(split["records"] for split in content["counts"]["a"].values()) == 40
    with pytest.raises(UserError, match="3 of 4 shards"):
        run_manifest(manifest_slice("a", shards={"a": 4}), tmp_path, tmp_path / "manifest")


def test_splitting_by_record_fails_the_audit_and_leaves_no_records_to_train_on(tmp_path):
    write_results(tmp_path, index_frame(40, 2))
    fractions = {"valid_fraction": 0.2, "test_fraction": 0.4}
    run_manifest(manifest_slice("a", **fractions), tmp_path, tmp_path / "manifest")
    assert (tmp_path / "manifest/records.parquet").exists()
    content = run_manifest(manifest_slice("a", group_by="record", **fractions), tmp_path, tmp_path / "manifest")
    audit = read_json(tmp_path / "manifest/audit.json")
    assert content == audit
    assert not audit["passed"]
    index = index_frame(40, 2)
    splits = [hash_split(r, seed=0, **fractions) for r in index.record_id]
    crossing = index.patient_id[0::2][np.array(splits[0::2]) != np.array(splits[1::2])]
    assert audit["patient_overlap"] == sorted(crossing)
    assert not (tmp_path / "manifest/records.parquet").exists()


def test_missing_index_and_missing_column_are_named(tmp_path):
    with pytest.raises(UserError, match=r"a\.parquet: no such file"):
        run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")
    write_results(tmp_path, index_frame())
    index_frame().drop(columns="age").to_parquet(tmp_path / "index/a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: column 'age' is missing"):
        run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")


def test_records_carry_lead_mask_and_every_measure_of_quality(tmp_path):
    write_results(tmp_path, index_frame())
    path = tmp_path / "preprocess/a/000.parquet"
    table = pd.read_parquet(path)
    table.loc[3, ["lead_mask", *QUALITY]] = [0b111, *range(1, len(QUALITY) + 1)]
    table.to_parquet(path, index=False)
    run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")
    row = pd.read_parquet(tmp_path / "manifest/records.parquet").set_index("record_id").loc[table.record_id[3]]
    assert [row[name] for name in ("lead_mask", *QUALITY)] == [0b111, *range(1, len(QUALITY) + 1)]


def test_query_drops_the_others_with_a_reason(tmp_path):
    write_results(tmp_path, index_frame(), dropped={"a/019-1"})
    write_results(tmp_path, index_frame(source="b").assign(**{"native.device": "AT-6"}))
    query = "age >= 60 and source == 'a' or native.device == 'AT-6' and sex is None"
    content = run_manifest(manifest_slice("a", "b", query=query), tmp_path, tmp_path / "manifest")
    records = pd.read_parquet(tmp_path / "manifest/records.parquet")
    ledger = pd.read_parquet(tmp_path / "manifest/ledger.parquet")
    kept = {f"a/{p:03d}-{r}" for p in range(10, 20) for r in (0, 1)} - {"a/019-1"}
    kept |= {f"b/{p:03d}-{r}" for p in range(0, 20, 2) for r in (0, 1)}
    assert set(records.record_id) == kept
    assert content["passed"]
    assert len(records) + (ledger.action == "dropped").sum() == 80
    out = ledger[ledger.reason == "query"]
    everyone = {*index_frame().record_id, *index_frame(source="b").record_id}
    assert sorted(out.record_id) == sorted(everyone - kept - {"a/019-1"})
    assert out.iloc[0].to_dict() == {
        "source": "a",
        "record_id": "a/000-0",
        "stage": "manifest",
        "action": "dropped",
        "reason": "query",
        "detail": f"does not meet manifest.query: {query}",
    }
    assert ledger[ledger.record_id == "a/019-1"].reason.tolist() == ["file_missing"]


def test_query_of_an_unknown_column_or_that_leaves_nothing(tmp_path):
    write_results(tmp_path, index_frame())
    with pytest.raises(UserError, match=r"manifest\.query: there is no column 'aeg'; near names: age"):
        run_manifest(manifest_slice("a", query="aeg > 3"), tmp_path, tmp_path / "manifest")
    with pytest.raises(UserError, match=r"no record meets 'age > 300'"):
        run_manifest(manifest_slice("a", query="age > 300"), tmp_path, tmp_path / "manifest")
    with pytest.raises(UserError, match=r"there is no column 'split'"):  # splits come afterwards
        run_manifest(manifest_slice("a", query="split == 'train'"), tmp_path, tmp_path / "manifest")


def leaking(tmp_path):
    """Two sources by folds; a/000-0 (train) is b/006-1 (test) from 1 s on, b/005-0 (valid) is a/001-1 (train)."""
    rng = np.random.default_rng(7)
    one, other = (np.cumsum(rng.normal(0, 30, (4000, 12)), axis=0).astype(np.int16) for _ in range(2))
    signals = {"a/000-0": one, "b/006-1": one[500:], "a/001-1": other, "b/005-0": other}
    for source in "ab":
        write_results(tmp_path, index_frame(source=source, folds=True), signals=signals)
    folds = {"train": [1, 2, 3, 4, 5], "valid": [6], "test": [7]}
    return {"a": folds, "b": folds}


def test_duplicates_across_sources_fail_the_audit(tmp_path):
    content = run_manifest(manifest_slice("a", "b", folds=leaking(tmp_path)), tmp_path, tmp_path / "manifest")
    assert [(pair["a"], pair["b"], pair["crosses"]) for pair in content["duplicate_pairs"]] == [
        ("a/000-0", "b/006-1", True),
        ("a/001-1", "b/005-0", True),
    ]
    assert not content["passed"]
    assert content["pretraining"]["duplicates"] == 1
    assert not (tmp_path / "manifest/records.parquet").exists()


def test_move_brings_duplicates_and_their_patients_into_one_split(tmp_path):
    config = {"folds": leaking(tmp_path), "duplicates": "move"}
    content = run_manifest(manifest_slice("a", "b", **config), tmp_path, tmp_path / "manifest")
    assert content["passed"]
    assert content["patient_overlap"] == []
    assert content["pretraining"] | {"records": 0, "test_records": 0} == dict.fromkeys(content["pretraining"], 0)
    assert [pair["crosses"] for pair in content["duplicate_pairs"]] == [False, False]
    splits = pd.read_parquet(tmp_path / "manifest/records.parquet").set_index("record_id")["split"]
    assert splits[["a/000-0", "a/000-1", "b/006-0", "b/006-1"]].tolist() == ["test"] * 4
    assert splits[["a/001-0", "a/001-1", "b/005-0", "b/005-1"]].tolist() == ["valid"] * 4
    ledger = pd.read_parquet(tmp_path / "manifest/ledger.parquet")
    moved = ledger[ledger.action == "moved"].set_index("record_id")
    assert moved.index.tolist() == ["a/000-0", "a/000-1", "a/001-0", "a/001-1"]
    assert set(moved.reason) == {"duplicate_of"}
    assert moved.detail["a/000-0"] == "from train to test: duplicate of b/006-1, correlation 1.0000"
    assert (
        moved.detail["a/001-0"]
        == "from train to valid: its patient's a/001-1 is a duplicate of b/005-0, correlation 1.0000"
    )
    assert (
        content["data_hash"]
        != run_manifest(manifest_slice("a", "b", folds=config["folds"]), tmp_path, tmp_path / "m")["data_hash"]
    )


def test_a_chain_through_a_record_in_no_split_fails_the_audit_or_moves_as_one(tmp_path):
    whole = np.cumsum(np.random.default_rng(7).normal(0, 30, (5000, 12)), axis=0).astype(np.int16)
    signals = {"a/000-0": whole[:3500], "a/001-0": whole, "a/002-0": whole[1500:]}
    write_results(tmp_path, index_frame(10, 1, folds=True), signals=signals)
    folds = {"a": {"train": [1, 4, 5, 6, 7, 8, 9, 10], "valid": [], "test": [3]}}  # fold 2 is in no split
    content = run_manifest(manifest_slice("a", folds=folds), tmp_path, tmp_path / "manifest")
    assert [(pair["a"], pair["b"], pair["crosses"]) for pair in content["duplicate_pairs"]] == [
        ("a/000-0", "a/001-0", True),
        ("a/001-0", "a/002-0", True),
    ]
    assert not content["passed"]
    assert content["pretraining"]["duplicates"] == 2
    config = {"folds": folds, "duplicates": "move"}
    assert run_manifest(manifest_slice("a", **config), tmp_path, tmp_path / "manifest")["passed"]
    splits = pd.read_parquet(tmp_path / "manifest/records.parquet").set_index("record_id")["split"]
    assert splits["a/000-0"] == splits["a/002-0"] == "test"
    assert pd.isna(splits["a/001-0"])


def test_a_source_that_is_only_tested_gives_training_nothing_and_takes_copies_out_of_it(tmp_path):
    """A recording of `b` is in `a`, too: of a patient whom the hash puts into train."""
    alone = index_frame()
    config = {"fractions": {"b": {"test": 1}}, "valid_fraction": 0.2, "test_fraction": 0.2}
    split = {p: hash_split(p, seed=0, valid_fraction=0.2, test_fraction=0.2) for p in alone.patient_id.unique()}
    taught = sorted(patient for patient, where in split.items() if where == "train")[:3]
    record = alone.record_id[alone.patient_id == taught[0]].iloc[0]
    signal = np.random.default_rng(9).integers(-500, 500, (1500, 12)).astype(np.int16)
    write_results(tmp_path, alone, signals={record: signal})
    write_results(tmp_path, index_frame(source="b"), signals={record.replace("a/", "b/"): signal})
    failed = run_manifest(manifest_slice("a", "b", **config), tmp_path, tmp_path / "manifest")
    assert failed["passed"] is False
    assert [pair["crosses"] for pair in failed["duplicate_pairs"]] == [True]
    content = run_manifest(manifest_slice("a", "b", **config, duplicates="move"), tmp_path, tmp_path / "manifest")
    records = pd.read_parquet(tmp_path / "manifest/records.parquet")
    assert content["passed"] is True
    assert list(content["counts"]["b"]) == ["test"]
    assert content["counts"]["b"]["test"]["records"] == 40
    seen = records[records["split"].isin(["train", "valid"])]
    assert set(seen["source"]) == {"a"}
    assert taught[0] not in set(seen["patient_id"])
    assert set(records.loc[records["patient_id"] == taught[0], "split"]) == {"test"}
    assert {taught[1], taught[2]} <= set(seen["patient_id"])
    shared = {key: content["pretraining"][key] for key in ("shared_patients", "shared_records", "duplicates")}
    assert shared == dict.fromkeys(shared, 0)
