"""A disk that fills up: one clear line, and no half file in the way of the next attempt."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.cli import main
from tests.file_server import serve

FREE = 4096  # bytes left: every output begins, and none fits


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small database with every data stage done, on a disk with room."""
    root = tmp_path_factory.mktemp("stages")
    (root / "source.yaml").write_text(
        "source: s\nconfig: {kind: synthetic, layout: ptbxl, patients: 40, records_per_patient: 2, root: "
        f"{root / 'database'}}}\n"
    )
    (root / "preprocess.yaml").write_text("{}\n")
    (root / "manifest.yaml").write_text("sources: [s]\nmanifest: {}\n")
    (root / "task.yaml").write_text(
        "task: t\nkinds: {s: ptbxl}\nconfig: {kind: binary, sources: [s], labels: {AFIB: {ptbxl: {scp: [AFIB]}}}}\n"
    )
    assert main(["synthesize", "--config", str(root / "source.yaml"), "--output", str(root / "database")]) == 0
    for stage in ("index", "ingest", "preprocess", "manifest", "labels"):
        assert main(command(stage, root, root)) == 0
    return root


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with `FREE` bytes left."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        filler = shutil.disk_usage(tmp_path).free - FREE
        (tmp_path / "filler").write_bytes(bytes(filler))
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def command(stage: str, done: Path, target: Path) -> list[str]:
    """A stage's command, which reads what is under `done` and writes under `target`."""
    index, ingest = done / "index/s.parquet", done / "ingest/s/000.npy"
    return {
        "index": ["index", "--config", f"{done}/source.yaml", "--output", f"{target}/index/s.parquet"],
        "ingest": ["ingest", "--config", f"{done}/source.yaml", "--index", f"{index}", "--shard", "0", "--shards", "1",
                   "--output", f"{target}/ingest/s/000.npy"],
        "preprocess": ["preprocess", "--config", f"{done}/preprocess.yaml", "--input", f"{ingest}",
                       "--output", f"{target}/preprocess/s/000.npy"],
        "manifest": ["manifest", "--config", f"{done}/manifest.yaml", "--results", f"{done}",
                     "--output", f"{target}/manifest"],
        "labels": ["labels", "--config", f"{done}/task.yaml", "--manifest", f"{done}/manifest/records.parquet",
                   "--index", f"{index}", "--output", f"{target}/labels/t.parquet"],
    }[stage]  # fmt: skip


@pytest.mark.parametrize("stage", ["index", "ingest", "preprocess", "manifest", "labels"])
def test_full_disk_is_one_line_and_leaves_nothing(
    stages: Path, full_disk: Path, stage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(command(stage, stages, full_disk)) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "error" in line.lower()]
    assert line.startswith(f"ecglfm {stage}: error: {full_disk}/{stage}")
    assert "No space left on device" in line
    for path in full_disk.rglob("*"):  # a file that is there is whole, and none is temporary
        assert path.is_dir() or path.name == "filler" or len(pd.read_parquet(path).columns)
        assert not path.name.startswith(".")
    os.unlink(full_disk / "filler")
    if stage in {"index", "manifest", "labels"}:  # what fits in a megabyte goes through now
        assert main(command(stage, stages, full_disk)) == 0


def test_download_on_a_full_disk_goes_on_later(
    full_disk: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    root, config = full_disk / "database", tmp_path_factory.mktemp("config") / "s.yaml"
    with serve() as server:
        server.files["large.dat"] = os.urandom(100_000)
        digest = hashlib.sha256(server.files["large.dat"]).hexdigest()
        server.files["SHA256SUMS.txt"] = f"{digest} large.dat\n".encode()
        config.write_text(f"source: s\nroot: {root}\nurl: {server.url}\n")
        os.truncate(full_disk / "filler", (full_disk / "filler").stat().st_size - 8192)  # for the listing
        assert main(["download", "--config", str(config)]) == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(
            f"ecglfm download: error: {root}: large.dat needs 0.1 MB and the disk has room for 0.0 MB"
        )
        assert not (root / "large.dat").exists()
        os.unlink(full_disk / "filler")
        assert main(["download", "--config", str(config)]) == 0
        assert (root / "large.dat").read_bytes() == server.files["large.dat"]


def _pretrain(done: Path, config: Path, target: Path) -> list[str]:
    return [
        "pretrain", "--config", str(config), "--manifest", f"{done}/manifest/records.parquet",
        "--signals", f"{done}/preprocess", "--output", str(target), "--threads", "1",
    ]  # fmt: skip


def _size(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def test_full_disk_during_a_save_and_then_space_again(
    stages: Path, full_disk: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("INFO")
    folder = tmp_path_factory.mktemp("calm")
    config = folder / "pretrain.yaml"
    model = {"layers": 1, "dim": 16, "ffn_dim": 32, "heads": 2, "kernel": 3, "conv_channels": 8}
    model["conv_layers"] = [[4, 4], [4, 4]]
    training = {
        "steps": 6, "batch_size": 4, "crop_seconds": 2.0, "log_every": 1, "checkpoint_every": {"steps": 2},
        "keep_last": 0, "quantizer": {"codes": 8, "code_dim": 8, "final_dim": 8},
    }  # fmt: skip
    encoder = {"model": model, "pretrain": training}
    config.write_text(json.dumps({"encoder": "e", "config": encoder, "preprocess": {}}))  # JSON is YAML
    assert main(_pretrain(stages, config, folder)) == 0
    checkpoints = sorted((folder / "checkpoints").glob("step-*"))
    assert [path.name for path in checkpoints] == ["step-00000002", "step-00000004", "step-00000006"]

    filler, room = full_disk / "filler", int(1.5 * _size(checkpoints[0])) + 8 * 4096  # for one and a half
    os.truncate(filler, filler.stat().st_size + FREE - room)
    capfd.readouterr()
    assert main(_pretrain(stages, config, full_disk)) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "error" in line.lower()]
    assert line.startswith(f"ecglfm pretrain: error: {full_disk}/checkpoints/step-00000004: the checkpoint was not")
    assert "No space left on device" in line
    assert line.endswith("step-00000002 is as it was; mend that and run again")
    left = sorted(path.name for path in (full_disk / "checkpoints").iterdir())
    assert left == ["history.csv", "run.json", "seen.safetensors", "step-00000002"]

    os.unlink(filler)
    assert main(_pretrain(stages, config, full_disk)) == 0
    assert "resumed from step 2 of 6" in caplog.text
    weights = [(output / "encoder.safetensors").read_bytes() for output in (folder, full_disk)]
    assert weights[0] == weights[1]
    steps = pd.read_csv(full_disk / "history.csv").query("split == 'train'")["step"]
    assert steps.tolist() == [1, 2, 3, 4, 5, 6]
