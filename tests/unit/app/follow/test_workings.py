"""What Snakemake's folder tells, made by hand in the forms of Snakemake 9.27."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from ecglfm.app.follow.workings import Failure, Started, failures, last_words, locked, running_here, started

LOG = """Building DAG of jobs...
[Sun Nov 29 16:31:55 2026]
Error in rule label_task:
    message: None
    jobid: 0
    input: results/config/labels/af.yaml, results/manifest/records.parquet
    output: results/labels/af.parquet, results/labels/af.ledger.parquet
    log: results/logs/labels/af.log (check log file(s) for error details)
    shell:
        python -m ecglfm labels --output results/labels/other.parquet
        (command exited with non-zero exit code)
Logfile results/logs/labels/af.log:
"""


def _begin(folder: Path, output: str, job: str | None, at: float) -> None:
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    path = folder.joinpath("incomplete", *(f"@{part}" for part in parts[:-1]), parts[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"external_jobid": job}))
    os.utime(path, (at, at))


def test_jobs_that_were_started(tmp_path: Path) -> None:
    long = f"results/{'x' * 300}/encoder.json"  # Snakemake cuts names that are too long for a file system
    _begin(tmp_path, "results/pretrain/tiny/encoder.json", None, 1000.0)
    _begin(tmp_path, long, "4711", 2000.0)
    (tmp_path / "incomplete/not base64!").write_text("{")
    assert started(tmp_path) == {
        "results/pretrain/tiny/encoder.json": Started(None, 1000.0), long: Started("4711", 2000.0),
    }  # fmt: skip
    assert started(tmp_path / "nowhere") == {}


def test_the_newest_failure_of_each_output(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for name, text, at in (("1", LOG, 1000), ("2", LOG.replace("af", "pvc"), 2000), ("3", "nothing failed\n", 3000)):
        (tmp_path / f"log/2026-11-29T16000{name}.snakemake.log").write_text(text)
        os.utime(tmp_path / f"log/2026-11-29T16000{name}.snakemake.log", (at, at))
    assert failures(tmp_path) == {
        "results/labels/af.parquet": Failure(1000.0, "results/logs/labels/af.log"),
        "results/labels/af.ledger.parquet": Failure(1000.0, "results/logs/labels/af.log"),
        "results/labels/pvc.parquet": Failure(2000.0, "results/logs/labels/pvc.log"),
        "results/labels/pvc.ledger.parquet": Failure(2000.0, "results/logs/labels/pvc.log"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("INFO a\necglfm labels: error: results/x: no label\nsrun: error: node1: task 0: Exited with exit code 1\n",
         "ecglfm labels: error: results/x: no label"),
        ('Traceback (most recent call last):\n  File "x.py", line 1\npyarrow.lib.ArrowInvalid: not a parquet file.\n\n',
         "pyarrow.lib.ArrowInvalid: not a parquet file."),
        ("50%|##   | 1/2\r100%|####| 2/2\rslurmstepd: error: Detected 1 oom_kill event\n", "100%|####| 2/2"),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0\n", "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_last_line_that_means_something(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "log").write_text(text)
    assert last_words(tmp_path / "log") == said


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert last_words(tmp_path / "log") == ""


def test_the_lock_names_its_files(tmp_path: Path) -> None:
    assert locked(tmp_path) == []
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.output.lock").write_text("results/a\nresults/b\n")
    assert locked(tmp_path) == ["results/a", "results/b"]


def test_a_snakemake_of_this_folder_is_known_by_its_process(tmp_path: Path) -> None:
    program = tmp_path / "snakemake"
    program.write_text("import sys; print('up', flush=True); sys.stdin.read()")
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    assert running_here(tmp_path / "here") is None
    with subprocess.Popen(
        [sys.executable, program], cwd=tmp_path / "here", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert running_here(tmp_path / "here") == process.pid
        assert running_here(tmp_path / "there") is None
        process.kill()
