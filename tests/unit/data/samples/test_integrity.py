"""Samples that are not those of the tables are found, whatever their size, and the sentence says how to mend it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.cli import main
from ecglfm.config import PreprocessConfig, UserError
from ecglfm.data.manifest.manifest import run_manifest
from ecglfm.data.samples.integrity import check_samples
from ecglfm.data.signals.preprocessing import run_preprocess
from ecglfm.provenance import write_parquet
from tests.unit.data.manifest.test_manifest import manifest_slice, write_results
from tests.unit.data.recordings_in_memory import index_frame


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """40 records of 1,500 samples in two shards, with their manifest."""
    write_results(tmp_path, index_frame())
    run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")
    return tmp_path


def swap(results: Path) -> None:
    first, second = (results / f"preprocess/a/00{shard}.npy" for shard in (0, 1))
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])


def invert(results: Path) -> None:
    path = results / "preprocess/a/001.npy"
    np.save(path, -np.load(path))


def one_sample(results: Path) -> None:
    path = results / "preprocess/a/001.npy"
    samples = np.load(path)
    samples[3 * 1500 + 7, 2] += 1
    np.save(path, samples)


@pytest.mark.parametrize(("fault", "files", "others"), [(swap, 2, 19), (invert, 1, 19), (one_sample, 1, 0)])
def test_manifest_and_samples_are_compared(results: Path, fault, files: int, others: int) -> None:
    before = (results / "manifest/records.parquet").read_bytes()
    records = pd.read_parquet(results / "manifest/records.parquet")
    check_samples(records, results / "preprocess")
    run_manifest(manifest_slice("a"), results, results / "manifest")
    fault(results)
    with pytest.raises(UserError) as raised:
        run_manifest(manifest_slice("a"), results, results / "manifest", workers=2)
    lines = str(raised.value).splitlines()
    assert len(lines) == files
    path = results / "preprocess/a/001.npy"
    assert lines[-1].startswith(f"{path}: the SHA-256 of a/01")
    assert lines[-1].endswith(f"make it anew with snakemake --forcerun {path}")
    assert ("more of its recordings differ" in lines[-1]) is bool(others)
    assert f"({others} more" in lines[-1] or not others
    assert (results / "manifest/records.parquet").read_bytes() == before
    with pytest.raises(UserError, match=r"but the manifest says [0-9a-f]{16}…"):
        check_samples(records, results / "preprocess")


def test_both_hashes_are_in_the_sentence(results: Path) -> None:
    one_sample(results)
    records = pd.read_parquet(results / "manifest/records.parquet")
    hurt = records[records["shard"] == 1].sort_values("offset").iloc[3]
    found = hashlib.sha256(np.load(results / "preprocess/a/001.npy")[4500:6000].tobytes()).hexdigest()
    sentence = rf"SHA-256 of {hurt.record_id}'s samples is {found[:16]}…, but the manifest says {hurt.sha256[:16]}…"
    with pytest.raises(UserError, match=sentence):
        check_samples(records, results / "preprocess")


def test_a_sample_of_the_records_has_one_of_every_file(tmp_path: Path) -> None:
    write_results(tmp_path, index_frame(), shards=8)
    run_manifest(manifest_slice("a"), tmp_path, tmp_path / "manifest")
    records = pd.read_parquet(tmp_path / "manifest/records.parquet")
    for shard in range(8):
        path = tmp_path / f"preprocess/a/00{shard}.npy"
        samples = np.load(path)
        np.save(path, -samples)
        with pytest.raises(UserError, match=rf"00{shard}\.npy: "):
            check_samples(records, tmp_path / "preprocess", at_most=2)
        np.save(path, samples)
    check_samples(records, tmp_path / "preprocess", at_most=2)


@pytest.mark.parametrize("rate", [500, 250])
def test_preprocess_takes_no_stale_hash_along(tmp_path: Path, rate: int) -> None:
    samples = np.random.default_rng(0).integers(-500, 500, (5000, 12)).astype(np.int16)
    np.save(tmp_path / "000.npy", samples)
    row = {"record_id": "s/0", "source": "s", "patient_id": "s/p", "offset": 0, "n_samples": 5000,
           "sampling_rate": 500.0, "lead_mask": 4095, "missing_samples": 0,
           "sha256": hashlib.sha256((-samples).tobytes()).hexdigest()}  # fmt: skip
    write_parquet(tmp_path / "000.parquet", pd.DataFrame([row]))
    with pytest.raises(UserError, match=r"000\.npy: the SHA-256 of s/0's samples .* --forcerun"):
        run_preprocess(PreprocessConfig(sampling_rate=rate), tmp_path / "000.npy", tmp_path / "o/000.npy", 1)
    assert not list((tmp_path / "o").glob("*"))


def test_verify_data_looks_at_everything(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["verify-data", "--results", str(results)]
    for path in (results / "ingest/a").glob("*.parquet"):  # this cohort has no signals of ingest
        path.unlink()
    (results / "ingest/a").rmdir()
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{results}/preprocess/a: 2 shards, all samples are as it says",
        f"{results}/manifest/records.parquet: all samples are as it says",
    ]
    invert(results)
    assert main(command) == 1
    shown = capsys.readouterr()
    assert f"{results}/preprocess/a: 2 shards, 1 file differs" in shown.out
    assert "001.npy: the SHA-256 of a/01" in shown.err
    assert main(["verify-data", "--results", str(results / "manifest")]) == 1
    assert "nothing to compare" in capsys.readouterr().err
