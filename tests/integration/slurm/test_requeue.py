"""A pretraining as a job of a real two-node Slurm that takes the machine back: warned, preempted, or without a node.

Slurm runs the job again by itself; it ends with the weights of an undisturbed one, bit for bit.
"""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.integration.slurm.conftest import EVERY, STEPS
from tests.integration.slurm.training import Training, check_continued, check_finished, check_resumed, check_whole, wait

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


def has_signal(pid: int, number: int) -> bool:
    """Whether a stopped process will find this signal when it goes on."""
    status = Path(f"/proc/{pid}/status").read_text()
    return any(int(line.split()[1], 16) >> number - 1 & 1 for line in status.splitlines() if "Pnd:" in line)


def pause_until_warned(training: Training) -> None:
    """Hold the ranks until Slurm has warned each of the end of the walltime, which it looks at twice a minute."""
    training.pause()
    wait("USR1", lambda: all(has_signal(pid, signal.SIGUSR1) for pid in training.ranks()), every=0.25)
    training.resume()


def test_walltime_twice(training, undisturbed):
    job, good, before = training.sbatch(), 0, None
    for restart in (1, 2):
        training.reach(good + 1)
        hours, minutes, seconds = map(int, training.field(job, "RunTime").split(":"))  # on a busy machine over a minute
        limit = (3600 * hours + 60 * minutes + seconds + 30) // 60 + 1  # in 30 to 90 s, so that --signal=USR1@60 is due
        training.slurm("scontrol", "update", f"JobId={job}", f"TimeLimit={limit}")
        pause_until_warned(training)
        wait("requeue", lambda restart=restart: training.field(job, "Restarts") == str(restart), every=0.1)
        training.slurm("scontrol", "update", f"JobId={job}", "TimeLimit=60")
        wait("end of the ranks", lambda: not training.ranks())
        earlier, last, before, good = before, good, training.history(), training.whole()[-1]
        assert last < good == before.index[-1] < STEPS
        if restart == 2:
            check_continued(earlier, before, last)
    training.end(job)
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)


@pytest.fixture
def store(training):
    """The demo's own MLflow store, while a test looks at it."""
    training.clone.edit("config/config.yaml", tracking={"enabled": True})
    yield MlflowClient(f"sqlite:///{training.clone.results}/mlflow.db")
    training.clone.edit("config/config.yaml", tracking={"enabled": False})
    shutil.rmtree(training.clone.results / "tracking")  # or another test's `tracking_sync` brings this run, too


def test_preempted(training, undisturbed, store):
    process = training.snakemake()
    training.reach(2 * EVERY)
    training.pause()  # until Slurm has decided: it wakes what it preempts
    job = training.job(process)
    training.slurm("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait("requeue", lambda: training.field(job, "Restarts") == "1", every=0.1)
    wait("end of the ranks", lambda: not training.ranks())
    before, good = training.history(), training.whole()[-1]
    assert 2 * EVERY <= good == before.index[-1] < STEPS
    check_finished(training, process)
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)
    (run,) = store.search_runs([store.get_experiment_by_name("pretrain").experiment_id])  # begun once, continued once
    assert run.info.status == "FINISHED"
    losses = list(undisturbed[1]["loss"].astype(float).items())
    assert len(losses) == STEPS
    assert [(point.step, point.value) for point in store.get_metric_history(run.info.run_id, "train/loss")] == losses


def test_lost_node(training, undisturbed):
    job = training.sbatch()
    training.reach(2 * EVERY)
    training.pause()
    node = ("scontrol", "update", "NodeName=node2")
    training.slurm(*node, "State=DOWN", "Reason=lost")
    training.slurm(*node, "State=DRAIN", "Reason=lost")  # so that it does not come back by itself
    try:
        wait("requeue", lambda: training.field(job, "Restarts") == "1", every=0.1)
        wait("end of the ranks", lambda: not training.ranks())
        before, good = training.history(), training.whole()[-1]
    finally:
        training.slurm(*node, "State=RESUME")
    assert 2 * EVERY <= good < STEPS
    training.end(job)
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)
