"""Ingest that is killed, finds no room, or reads one shard of a large database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ecglfm.cli import main
from ecglfm.config import LEADS, SourceConfig, SourceSlice
from ecglfm.data.ingest import run_ingest
from ecglfm.provenance import sha256_file
from ecglfm.records import INDEX_COLUMNS
from ecglfm.sources.base import write_index
from ecglfm.sources.wfdb_reader.files import write_record

pytestmark = pytest.mark.slow

FILES = ("000.npy", "000.parquet", "000.ledger.parquet")
RECORDS = 600  # of 12 x 5000 samples: a shard of 72 MB


def index_of(records: int) -> pd.DataFrame:
    """An index whose rows name ten files in turn, and every 50th a file that is not there."""
    frame = pd.DataFrame({"path": [f"{k % 10}" if k % 50 else "gone" for k in range(records)]})
    frame = frame.reindex(columns=list(INDEX_COLUMNS))
    frame["record_id"] = frame["patient_id"] = [f"p/{number}" for number in range(records)]
    frame["codes"] = [[] for _ in range(records)]
    return frame.assign(source="p")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `root/`, `index.parquet`, `config.yaml`, and what an undisturbed ingest makes in `expected/`."""
    folder = tmp_path_factory.mktemp("database")
    root = folder / "root"
    root.mkdir()
    for k in range(10):
        samples = np.random.default_rng(k).integers(-2000, 2000, (5000, 12)).astype(np.int16)
        write_record(root, f"{k}", samples, leads=LEADS, gain=1000.0, sampling_rate=500)
    slice_ = SourceSlice(source="p", config=SourceConfig(kind="ptbxl", root=str(root)))
    (folder / "config.yaml").write_text(yaml.safe_dump(slice_.model_dump(mode="json")))
    write_index(folder / "index.parquet", [index_of(RECORDS)])
    run_ingest(slice_, folder / "index.parquet", 0, 1, folder / "expected" / "000.npy")
    return folder


def arguments(
    database: Path, output: Path, *, index: str = "index.parquet", shards: int = 1, workers: int = 1
) -> list[str]:
    options = {"config": database / "config.yaml", "index": database / index, "output": output / "000.npy"}
    options |= {"shard": 0, "shards": shards, "workers": workers}
    return ["ingest", *(text for name, value in options.items() for text in (f"--{name}", str(value)))]


def processes_of(session: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it has just been renamed
        return -1


@pytest.mark.parametrize(("workers", "share"), [(1, 0.3), (2, 0.0), (2, 0.3), (2, 0.9), (2, 1.0)])
def test_killed_ingest_leaves_no_half_file_and_the_next_run_gives_the_same(
    database: Path, tmp_path: Path, workers: int, share: float
):
    expected = database / "expected"
    size = (expected / "000.npy").stat().st_size
    command = [sys.executable, "-m", "ecglfm", *arguments(database, tmp_path, workers=workers)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            written = max(map(size_of, tmp_path.glob(".000.*")), default=-1)
            if (share < 1 and written >= share * size) or (tmp_path / "000.npy").exists():
                break
        process.send_signal(signal.SIGKILL)
    finished = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert process.returncode == -signal.SIGKILL or share > 0.5  # it may have been faster
    for name in finished:
        assert sha256_file(tmp_path / name) == sha256_file(expected / name)
    if share < 0.9:
        assert not finished
    deadline = time.monotonic() + 30
    while processes_of(process.pid):
        assert time.monotonic() < deadline, "worker processes stayed behind"
        time.sleep(0.05)
    assert main(arguments(database, tmp_path)) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    for name in FILES:
        assert sha256_file(tmp_path / name) == sha256_file(expected / name)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 80 MB in memory, empty; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(("workers", "spare", "full"), [(2, -30_000_000, "000.npy"), (1, 16_384, "000.parquet")])
def test_full_disk_is_one_clear_line_and_no_half_file(
    database: Path, small_disk: Path, capsys: pytest.CaptureFixture[str], workers: int, spare: int, full: str
):
    room = os.statvfs(small_disk)
    size = (database / "expected" / "000.npy").stat().st_size + spare
    (small_disk / "other").write_bytes(bytes(room.f_bavail * room.f_frsize - size))
    output = small_disk / "out"
    assert main(arguments(database, output, workers=workers)) == 1
    expected = f"ecglfm ingest: error: {output / full}: No space left on device (nothing was written)"
    assert expected in capsys.readouterr().err.splitlines()
    left = {path.name for path in output.iterdir()}
    assert full not in left
    assert left <= {"000.npy"}
    (small_disk / "other").unlink()
    (output / "000.npy").unlink(missing_ok=True)  # as Snakemake removes what a failed job has made
    assert main(arguments(database, output, workers=workers)) == 0
    for name in FILES:
        assert sha256_file(output / name) == sha256_file(database / "expected" / name)


def test_memory_grows_with_the_shard_not_with_the_database(database: Path, tmp_path: Path):
    """100 records of a database of 50,000 and of one of 400,000, whose index alone has 20 and 160 MB as objects."""
    peaks = {}
    for records in (50_000, 400_000):
        write_index(database / "large.parquet", [index_of(records)])
        command = arguments(database, tmp_path, index="large.parquet", shards=records // 100)
        code = f"import ecglfm.cli as c; c.main({command!r}); print(open('/proc/self/status').read())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks[records] = int(done.stdout.split("VmHWM:")[1].split()[0]) / 1024  # ru_maxrss has that of pytest in it
    assert peaks[400_000] - peaks[50_000] < 20, peaks  # MB; a shard's samples are 12 MB, a group of index rows 3
