"""A disk that fills up: one clear line, and no half file in the way of the next attempt."""

from __future__ import annotations

import hashlib
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
