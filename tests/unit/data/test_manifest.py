"""Splits and book-keeping of the manifest on a small planted results folder."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import FoldsConfig, ManifestConfig, ManifestSlice, UserError
from ecglfm.data.manifest import assign_splits, hash_fraction, hash_split, run_manifest
from ecglfm.provenance import read_json
from ecglfm.records import ledger_frame


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
            offset=np.arange(len(rows)) * 1500,
            n_samples=1500,
            sampling_rate=500,
            sha256=[hashlib.sha256(signal.tobytes()).hexdigest() for signal in made],
            missing_fraction=0.0,
            flat_leads=0,
            clipped_fraction=0.0,
            einthoven_residual=np.nan,
            flags="",
        )
        name = f"{shard:03d}"
        np.save(results / f"preprocess/{source}/{name}.npy", np.concatenate([np.empty((0, 12), np.int16), *made]))
        table.to_parquet(results / f"preprocess/{source}/{name}.parquet", index=False)
        ledger_frame([]).to_parquet(results / f"preprocess/{source}/{name}.ledger.parquet", index=False)
        ledger_frame(lost).to_parquet(results / f"ingest/{source}/{name}.ledger.parquet", index=False)


def manifest_slice(*sources, shards=None, **config):
    return ManifestSlice(sources=list(sources), manifest=ManifestConfig.model_validate(config), shards=shards or {})


def test_hash_is_the_documented_one():
    digest = hashlib.sha256(b"7:ptbxl/15709").hexdigest()
    assert hash_fraction("ptbxl/15709", 7) == pytest.approx(int(digest[:16], 16) / 2**64, abs=1e-12)


def test_boundaries_of_the_fractions():
    key = "a/1"
    u = hash_fraction(key, 0)
    split = lambda test, valid: hash_split(key, seed=0, valid_fraction=valid, test_fraction=test)  # noqa: E731
    assert split(u + 1e-9, 0.0) == "test"
    assert split(u, 1e-9) == "valid"  # below, not up to
    assert split(u - 1e-9, 0.0) == "train"


def test_shares_of_many_patients_are_those_asked_for():
    index = index_frame(20_000, 1)
    shares = assign_splits(index, "a", ManifestConfig(valid_fraction=0.1, test_fraction=0.2)).value_counts(
        normalize=True
    )
    assert shares["test"] == pytest.approx(0.2, abs=0.01)
    assert shares["valid"] == pytest.approx(0.1, abs=0.01)


def test_added_records_and_patients_move_nobody():
    config = ManifestConfig(seed=3, valid_fraction=0.3, test_fraction=0.3)
    few, many = index_frame(50, 1), index_frame(300, 3)
    before = dict(zip(few.patient_id, assign_splits(few, "a", config), strict=True))
    after = dict(zip(many.patient_id, assign_splits(many, "a", config), strict=True))
    assert before.items() <= after.items()
    assert set(before.values()) == {"train", "valid", "test"}


def test_another_seed_is_another_split():
    index = index_frame(200, 1)
    splits = [assign_splits(index, "a", ManifestConfig(seed=seed)).tolist() for seed in (0, 1, 0)]
    assert splits[0] == splits[2] != splits[1]


def test_native_folds_and_folds_in_no_list():
    index = index_frame(20, 1, folds=True)
    config = ManifestConfig(folds={"a": FoldsConfig(train=[1, 2, 3], valid=[9], test=[10])})
    splits = assign_splits(index, "a", config)
    expected = {1: "train", 2: "train", 3: "train", 9: "valid", 10: "test"}
    for fold, split in zip(index.fold, splits, strict=True):
        assert split == expected.get(fold) or (pd.isna(split) and fold not in expected)


def test_folds_of_a_source_without_any_are_refused():
    config = ManifestConfig(folds={"a": FoldsConfig(train=[1], valid=[2], test=[3])})
    with pytest.raises(UserError, match=r"manifest\.folds\.a.*no folds of its own"):
        assign_splits(index_frame(), "a", config)


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
    fractions = {"valid_fraction": 0.3, "test_fraction": 0.3}
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
