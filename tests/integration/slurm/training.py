"""A pretraining that runs as a Slurm job of Snakemake's, what is done to it, and what must be left of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ecglfm.provenance import sha256_file
from tests.integration.conftest import Clone, copy_clone

TIMING = ["memory_mb", "segments_per_second"]  # columns of the history that differ from run to run
PATIENCE = 600  # seconds, for machines with much else to do


def wait(what: str, condition: Callable[[], object], seconds: float = PATIENCE, every: float = 0.02) -> None:
    """Until something is so; `every` so many seconds, more where it takes a program to ask and nothing is missed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(every)


def prepare(with_manifest: Clone, target: Path, steps: int, every: int, **pretrain: int) -> Clone:
    """A clone with its manifest, so that only the training remains to be run."""
    clone = copy_clone(with_manifest, target)
    train = {"steps": steps, "checkpoint_every": {"steps": every}, "validate_every": steps} | pretrain
    clone.edit("config/encoders/tiny.yaml", pretrain=train)
    clone.snakemake("results/config/pretrain/tiny.yaml")
    return clone


class Training:
    """Encoder `tiny` of a clone whose data are ready, started anew: nothing of an earlier one is left."""

    def __init__(self, clone: Clone, environment: dict[str, str]) -> None:
        self.clone = Clone(clone.root, warm=False)
        self.environment = self.clone.environment() | environment
        self.folder = clone.results / "pretrain/tiny"
        self.checkpoints = self.folder / "checkpoints"
        self.log = clone.results / "logs/pretrain/tiny.log"
        self.running: list[subprocess.Popen] = []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command in the clone; its output goes to a file named by its pid."""
        with (self.clone.root / "said").open("w") as said:
            process = subprocess.Popen(
                command, cwd=self.clone.root, env=self.environment, stdout=said, stderr=subprocess.STDOUT
            )
        (self.clone.root / "said").rename(self.clone.root / f"said-{process.pid}")
        self.running.append(process)
        return process

    def snakemake(self, *arguments: str) -> subprocess.Popen:
        """Start `snakemake --profile slurm pretrain`, which looks at its job after 8 s, 26 s and 54 s."""
        looks = "--slurm-init-seconds-before-status-checks=8"
        options = ("--set-threads", "pretrain_encoder=1", looks, *arguments)
        return self.start("snakemake", "--profile", "slurm", "pretrain", *options)

    def sbatch(self) -> str:
        """Submit what Snakemake would (`test_slurm_profile`), without waiting for Snakemake; returns Slurm's number."""
        ranks = "--nodes=2 --ntasks=2"
        options = "--requeue --signal=USR1@60 --open-mode=append --cpus-per-task=1 --output=/dev/null --parsable"
        step = f"srun {ranks} --ntasks-per-node=1 --cpus-per-task=1 --kill-on-bad-exit=1 {self.command()}"
        return self.slurm("sbatch", *ranks.split(), *options.split(), f"--wrap={step}").strip()

    def command(self) -> str:
        """What each rank runs, in a shell: the log is what Snakemake would write."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        results = self.clone.results
        return (
            f"{sys.executable} -m ecglfm pretrain --config {results}/config/pretrain/tiny.yaml"
            f" --manifest {results}/manifest/records.parquet --signals {results}/preprocess"
            f" --output {self.folder} --threads 1 2> {self.log}"
        )

    def said(self, process: subprocess.Popen) -> str:
        return (self.clone.root / f"said-{process.pid}").read_text()

    def finish(self, process: subprocess.Popen, status: int = 0) -> str:
        """Wait for a command; returns what it said."""
        found = process.wait(PATIENCE)
        said = self.said(process)
        assert found == status, said[-4000:] + (self.log.read_text()[-3000:] if self.log.exists() else "no log")
        return said

    def close(self) -> None:
        """End what a failed test left."""
        self.resume()
        for process in self.running:
            process.kill()
            process.wait()
        for pid in self.ranks():
            os.kill(pid, signal.SIGKILL)

    def slurm(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.clone.root, env=self.environment, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self, job: str, state: str = "COMPLETED") -> None:
        """Wait for the end of a job."""
        going = ("PENDING", "RUNNING", "COMPLETING")
        wait(f"end of job {job}", lambda: self.field(job, "JobState") not in going, every=0.25)
        found = self.field(job, "JobState")
        assert found == state, f"{found}: {self.log.read_text()[-3000:]}"

    def job(self, process: subprocess.Popen) -> str:
        """Slurm's number of the job that a Snakemake submitted."""
        wait("submission", lambda: "SLURM jobid" in self.said(process) or process.poll() is not None)
        return re.findall(r"SLURM jobid (\d+)", self.said(process))[-1]

    def field(self, job: str, name: str) -> str:
        return re.search(rf"\b{name}=(\S+)", self.slurm("scontrol", "show", "job", job)).group(1)

    def whole(self) -> list[int]:
        """Steps of the checkpoints that have a manifest."""
        return sorted(int(path.parent.name[5:]) for path in self.checkpoints.glob("step-*/manifest.json"))

    def reach(self, step: int) -> None:
        """Wait for a checkpoint of this step or a later one."""
        wait(f"checkpoint of step {step}", lambda: self.whole() and self.whole()[-1] >= step)

    def ranks(self) -> list[int]:
        """Processes that train in the clone."""
        return processes(self.clone.root, r"\0ecglfm\0(--cost\0[^\0]*\0)?pretrain\0")  # no `snakemake pretrain`

    def pause(self) -> None:
        """Stop the ranks where they are, so that a test has time to act."""
        ranks = self.ranks()
        assert len(ranks) >= 2
        for pid in ranks:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in self.ranks():
            os.kill(pid, signal.SIGCONT)

    def history(self) -> pd.DataFrame:
        return history(self.clone)

    def weights(self) -> str:
        return weights(self.clone)


def history(clone: Clone) -> pd.DataFrame:
    """Rows of the training so far, in the order in which they were written, as text."""
    table = pd.read_csv(clone.results / "pretrain/tiny/checkpoints/history.csv", dtype=str, keep_default_na=False)
    table.index = table["step"].astype(int)
    return table[table["split"] == "train"]


def weights(clone: Clone) -> str:
    return sha256_file(clone.results / "pretrain/tiny/encoder.safetensors")


def processes(root: Path, words: str) -> list[int]:
    """Processes of this folder whose command line has this pattern; a NUL parts its words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                here = os.path.realpath(entry / "cwd") == str(root)
                command = (entry / "cmdline").read_text()
                if here and re.search(words, command) and Path(command.split("\0")[0]).name.startswith("python"):  # not srun
                    found.append(int(entry.name))
            except OSError:  # ended meanwhile, or not ours
                continue
    return found


def check_finished(training: Training, process: subprocess.Popen) -> None:
    """Snakemake is content, and no job is left."""
    training.finish(process)
    assert training.slurm("squeue", "--noheader", "--states=PENDING,RUNNING,SUSPENDED,COMPLETING") == ""


def check_resumed(training: Training, before: pd.DataFrame, good: int) -> None:
    """The run went on right after step `good`: earlier rows are the old ones, later ones were written anew."""
    assert f"resumed from step {good} of" in training.log.read_text()
    check_continued(before, training.history(), good)


def check_continued(before: pd.DataFrame, after: pd.DataFrame, good: int) -> None:
    kept, speed = after.loc[:good], "segments_per_second"
    pd.testing.assert_frame_equal(kept, before.loc[:good])
    again = after.index.intersection(before.index).difference(kept.index)
    assert (after.loc[again, speed] != before.loc[again, speed]).all()
    assert after.index.tolist() == list(range(1, len(after) + 1))


def check_whole(training: Training, weights: str, history: pd.DataFrame) -> None:
    """The end is that of a training that nothing disturbed, and nothing else is left."""
    assert training.weights() == weights
    pd.testing.assert_frame_equal(training.history().drop(columns=TIMING), history.drop(columns=TIMING))
    names = {path.name for path in training.folder.iterdir()}
    assert names == {"checkpoints", "encoder.json", "encoder.safetensors", "seen.safetensors", "history.csv"}
    check_nothing_left(training.clone)


def end_stuck_steps(clone: Clone) -> None:
    """Ends job steps of Snakemake that hang since their job was cancelled, as a cluster's control group does.

    Snakemake 9 takes a lock in its handler of SIGTERM (`JobScheduler.exit_gracefully`) that the same thread may hold
    already: the step then waits for itself for ever. Slurm's SIGKILL follows on a cluster; the sandbox has no control
    groups, and does not find a process whose parent is gone. A step, and the Snakemake within it, only wait: what they
    started is judged as ever.
    """
    steps = r"--mode\0(remote|subprocess)\0"
    patience = time.monotonic() + 20  # what still ends by itself removes its marks in `.snakemake`
    while (left := processes(clone.root, steps)) and time.monotonic() < patience:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def check_nothing_left(clone: Clone) -> None:
    """No process, in jobs or out of them, no lock that somebody holds and no half file."""
    end_stuck_steps(clone)
    patience = time.monotonic() + 30
    while (left := processes(clone.root, "")) and time.monotonic() < patience:
        time.sleep(0.1)
    assert [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in left] == []
    assert [path for path in clone.results.rglob("*lock") if path.read_text()] == []
    assert [*clone.root.glob(".snakemake/locks/*"), *clone.root.glob(".snakemake/incomplete/*")] == []
    half = {path.name for path in clone.results.rglob("*") if path.name.startswith(".") or "tmp" in path.name}
    assert half <= {".snakemake_timestamp", ".mlflow.db.lock"}  # the latter is locked by flock(2), not by being there
