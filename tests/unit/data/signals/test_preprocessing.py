"""The stage over a shard: offsets, hashes, ledger, memory, and what a kill leaves, with values known beforehand."""

import errno
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.data.samples.dataset import read_leads
from ecglfm.data.samples.writer import ArrayWriter
from ecglfm.data.signals.preprocessing import _chunks, _Row, run_preprocess
from ecglfm.records import SENTINEL
from tests.unit.data.signals.test_recording import recording

PASS = PreprocessConfig()


def write_shard(folder, signals, *, rates=None, shard=0):
    folder.mkdir(parents=True, exist_ok=True)
    lengths = [len(signal) for signal in signals]
    np.save(folder / f"{shard:03d}.npy", np.concatenate(signals))
    table = pd.DataFrame(
        {
            "record_id": [f"s/{shard}-{i}" for i in range(len(signals))],
            "source": "s",
            "patient_id": [f"s/p{i}" for i in range(len(signals))],
            "offset": np.cumsum([0, *lengths[:-1]]),
            "n_samples": lengths,
            "sampling_rate": rates or [500.0] * len(signals),
            "lead_mask": 4095,
            "missing_samples": 0,
            "sha256": [hashlib.sha256(signal.tobytes()).hexdigest() for signal in signals],
        }
    )
    table.to_parquet(folder / f"{shard:03d}.parquet", index=False)
    return folder / f"{shard:03d}.npy"


def read_all(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_stage_writes_offsets_hashes_and_ledger(tmp_path):
    spoilt = recording(1)
    spoilt[:2000] = SENTINEL
    flat = recording(2)
    flat[:, 7] = 12
    path = write_shard(
        tmp_path / "in", [recording(0), spoilt, flat, recording(3, 800)], rates=[500.0, 500.0, 500.0, 400.0], shard=2
    )
    run_preprocess(PASS, path, tmp_path / "out" / "002.npy", 1)
    signals = np.load(tmp_path / "out" / "002.npy")
    table = pd.read_parquet(tmp_path / "out" / "002.parquet")
    ledger = pd.read_parquet(tmp_path / "out" / "002.ledger.parquet")
    assert signals.shape == (11_000, 12)
    assert table.record_id.tolist() == ["s/2-0", "s/2-2", "s/2-3"]
    assert table.offset.tolist() == [0, 5000, 10_000]
    assert table.n_samples.tolist() == [5000, 5000, 1000]
    assert table.shard.tolist() == [2, 2, 2]
    assert table.sampling_rate.tolist() == [500, 500, 500]
    assert table["flags"].tolist() == ["", "flat_leads", ""]
    pieces = [signals[start : start + n] for start, n in zip(table.offset, table.n_samples, strict=True)]
    assert table.sha256.tolist() == [hashlib.sha256(piece.tobytes()).hexdigest() for piece in pieces]
    np.testing.assert_array_equal(signals[5000:10_000], flat)
    assert read_leads(tmp_path / "out/002.npy") == list(LEADS)
    rows = ledger.set_index("record_id")[["stage", "action", "reason"]].apply(tuple, axis=1).to_dict()
    assert rows == {
        "s/2-1": ("preprocess", "dropped", "missing_fraction"),
        "s/2-2": ("preprocess", "flagged", "flat_leads"),
    }


def test_number_of_workers_does_not_change_a_byte(tmp_path):
    path = write_shard(tmp_path / "in", [recording(i, 600) for i in range(70)])
    config = PreprocessConfig(sampling_rate=250)
    run_preprocess(config, path, tmp_path / "one" / "000.npy", 1)
    run_preprocess(config, path, tmp_path / "two" / "000.npy", 2)
    assert read_all(tmp_path / "one") == read_all(tmp_path / "two")


def test_empty_shard_is_an_empty_table(tmp_path):
    path = write_shard(tmp_path / "in", [recording()])
    table = pd.read_parquet(path.with_suffix(".parquet"))
    table.iloc[:0].to_parquet(path.with_suffix(".parquet"))
    np.save(path, np.empty((0, 12), np.int16))
    run_preprocess(PASS, path, tmp_path / "out" / "000.npy", 1)
    assert np.load(tmp_path / "out" / "000.npy").shape == (0, 12)
    assert pd.read_parquet(tmp_path / "out" / "000.parquet").offset.dtype == np.int64


def test_truncated_ingest_shard_is_named(tmp_path):
    path = write_shard(tmp_path / "in", [recording()])
    np.save(path, recording()[:4000])
    with pytest.raises(UserError, match=r"000\.npy.*run ingest again"):
        run_preprocess(PASS, path, tmp_path / "out" / "000.npy", 1)
    assert not list((tmp_path / "out").glob("*"))


def test_absent_leads_keep_their_mask_and_the_drop_names_them(tmp_path):
    signals = [recording(0), recording(1)]
    signals[1][:, 6:] = SENTINEL
    path = write_shard(tmp_path / "in", signals)
    table = pd.read_parquet(path.with_suffix(".parquet")).assign(lead_mask=[4095, 63])
    table.to_parquet(path.with_suffix(".parquet"))
    run_preprocess(PASS, path, tmp_path / "strict" / "000.npy", 1)
    ledger = pd.read_parquet(tmp_path / "strict" / "000.ledger.parquet")
    row = ("s/0-1", "dropped", "missing_leads", "6, limit 0: V1 V2 V3 V4 V5 V6")
    assert list(ledger[["record_id", "action", "reason", "detail"]].itertuples(index=False, name=None)) == [row]
    kept = PreprocessConfig.model_validate({"quality": {"missing_leads": {"limit": 11}}})
    run_preprocess(kept, path, tmp_path / "kept" / "000.npy", 1)
    table = pd.read_parquet(tmp_path / "kept" / "000.parquet")
    assert table["lead_mask"].tolist() == [4095, 63]
    assert table["missing_leads"].tolist() == [0, 6]
    assert not np.load(tmp_path / "kept" / "000.npy")[5000:, 6:].any()


def test_chunks_are_short_of_records_and_of_samples():
    def sizes(*lengths):
        rows = [_Row("r", "s", "p", 0, length, 500.0, 4095, "") for length in lengths]
        return [len(chunk.rows) for chunk in _chunks(rows, Path("x.npy"), PASS)]

    assert sizes(*[5000] * 70) == [32, 32, 6]
    assert sizes(*[100_000] * 4, 10_000_000, 5000) == [3, 1, 1, 1]
    assert sizes() == []


PEAK = """
import sys
from pathlib import Path
from ecglfm.config import PreprocessConfig
from ecglfm.data.samples.dataset import read_leads
from ecglfm.data.signals.preprocessing import run_preprocess
run_preprocess(PreprocessConfig(sampling_rate=400), Path(sys.argv[1]), Path(sys.argv[2]), 1)
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))  # getrusage has the parent's peak in it
print(int(lines["VmHWM"].split()[0]) // 1024)
"""


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_shard(tmp_path):
    signals = [recording(i) for i in range(64)]
    peaks = []
    for name, times in (("one", 1), ("eight", 8)):
        path = write_shard(tmp_path / name, signals * times)
        done = subprocess.run(
            python(PEAK, path, tmp_path / "out" / "000.npy"), check=True, capture_output=True, text=True
        )
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 15  # MB; the samples grew by 54, the output by 43


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_gives_the_same(tmp_path):
    path = write_shard(tmp_path / "in", [recording(i) for i in range(64)] * 6)
    run_preprocess(PreprocessConfig(sampling_rate=400), path, tmp_path / "whole" / "000.npy", 1)
    output = tmp_path / "killed" / "000.npy"
    process = subprocess.Popen(python(PEAK, path, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "killed").glob(".000.*")) and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not [file.name for file in (tmp_path / "killed").glob("[!.]*")]  # nothing that looks finished
    run_preprocess(PreprocessConfig(sampling_rate=400), path, output, 1)
    found = {name: content for name, content in read_all(tmp_path / "killed").items() if not name.startswith(".")}
    assert found == read_all(tmp_path / "whole")


def test_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    path = write_shard(tmp_path / "in", [recording(0), recording(1)])

    def full(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(OSError, match="No space left"):
        run_preprocess(PASS, path, tmp_path / "out" / "000.npy", 1)
    assert not list((tmp_path / "out").iterdir())
