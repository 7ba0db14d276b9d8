"""A pretraining as a job of a real two-node Slurm, through what clusters do to jobs.

Each ends with the weights of an undisturbed one, bit for bit, and goes on right after its last whole checkpoint.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.integration.mlflow_server import Server, points, runs
from tests.integration.slurm_training import Training, check_continued, check_resumed, check_whole, prepare, wait

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

STEPS, EVERY = 100, 10


@pytest.fixture(scope="module")
def ready(with_manifest, tmp_path_factory):
    """A clone with its manifest, so that Slurm has only the training to run."""
    return prepare(with_manifest, tmp_path_factory.mktemp("slurm") / "clone", STEPS, EVERY, zero_stage=2)


@pytest.fixture(scope="module")
def undisturbed(ready, slurm):
    """Weights and history of a training that nothing disturbed."""
    training = Training(ready, slurm)
    training.end(training.sbatch())
    return training.weights(), training.history()


@pytest.fixture
def training(ready, slurm, undisturbed):
    """A training that has not begun."""
    made = Training(ready, slurm)
    yield made
    made.close()
    made.slurm("scancel", "--user", os.environ.get("USER", "root"))


def finish(training: Training, process) -> None:
    """Snakemake is content, and no job is left."""
    training.finish(process)
    assert training.slurm("squeue", "--noheader", "--states=PENDING,RUNNING,SUSPENDED,COMPLETING") == ""


def test_scancel_then_rerun(training, undisturbed):
    process = training.snakemake("--retries", "0")
    training.reach(2 * EVERY)
    job = training.job(process)
    training.slurm("scancel", job)
    training.finish(process, status=1)
    assert training.field(job, "JobState") == "CANCELLED"
    assert training.field(job, "Restarts") == "0"
    assert "not put back into the queue" in training.log.read_text()
    before, good = training.history(), training.whole()[-1]
    assert 2 * EVERY <= good == before.index[-1] < STEPS  # it was saved where it stopped
    finish(training, training.snakemake())
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [None, truncate, flip_a_bit])
def test_killed_rank_then_rerun(training, undisturbed, damage):
    """The newest checkpoint is whole, or is named and skipped."""
    job = training.sbatch()
    training.reach(2 * EVERY)
    training.pause()
    os.kill(max(training.ranks()), signal.SIGKILL)
    training.resume()
    training.end(job, "FAILED")  # the other rank does not wait for ever
    wait("end of the ranks", lambda: not training.ranks())
    before, (*_, older, good) = training.history(), training.whole()
    assert 2 * EVERY <= good < STEPS
    folder = training.checkpoints / f"step-{good:08d}"
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    if damage is not None:
        damage(largest)
        good = older
    training.end(training.sbatch())
    if damage is not None:
        assert largest.name in re.search(rf"{folder.name} is skipped: (.*)", training.log.read_text()).group(1)
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)


def has_signal(pid: int, number: int) -> bool:
    """Whether a stopped process will find this signal when it goes on."""
    status = Path(f"/proc/{pid}/status").read_text()
    return any(int(line.split()[1], 16) >> number - 1 & 1 for line in status.splitlines() if "Pnd:" in line)


def pause_until_warned(training: Training) -> None:
    """Hold the ranks until Slurm has warned each of the end of the walltime, which it looks at twice a minute."""
    training.pause()
    wait("USR1", lambda: all(has_signal(pid, signal.SIGUSR1) for pid in training.ranks()))
    training.resume()


def test_walltime_twice(training, undisturbed):
    job, good, before = training.sbatch(), 0, None
    for restart in (1, 2):
        training.reach(good + 1)
        hours, minutes, seconds = map(int, training.field(job, "RunTime").split(":"))  # on a busy machine over a minute
        limit = (3600 * hours + 60 * minutes + seconds + 30) // 60 + 1  # in 30 to 90 s, so that --signal=USR1@60 is due
        training.slurm("scontrol", "update", f"JobId={job}", f"TimeLimit={limit}")
        pause_until_warned(training)
        wait("requeue", lambda restart=restart: training.field(job, "Restarts") == str(restart))
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
    wait("requeue", lambda: training.field(job, "Restarts") == "1")
    wait("end of the ranks", lambda: not training.ranks())
    before, good = training.history(), training.whole()[-1]
    assert 2 * EVERY <= good == before.index[-1] < STEPS
    finish(training, process)
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)
    (run,) = store.search_runs([store.get_experiment_by_name("pretrain").experiment_id])  # begun once, continued once
    assert run.info.status == "FINISHED"
    losses = list(undisturbed[1]["loss"].astype(float).items())
    assert len(losses) == STEPS
    assert [(point.step, point.value) for point in store.get_metric_history(run.info.run_id, "train.loss")] == losses


def test_lost_node(training, undisturbed):
    job = training.sbatch()
    training.reach(2 * EVERY)
    training.pause()
    node = ("scontrol", "update", "NodeName=node2")
    training.slurm(*node, "State=DOWN", "Reason=lost")
    training.slurm(*node, "State=DRAIN", "Reason=lost")  # so that it does not come back by itself
    try:
        wait("requeue", lambda: training.field(job, "Restarts") == "1")
        wait("end of the ranks", lambda: not training.ranks())
        before, good = training.history(), training.whole()[-1]
    finally:
        training.slurm(*node, "State=RESUME")
    assert 2 * EVERY <= good < STEPS
    training.end(job)
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)


def test_snakemake_killed_and_rerun_while_its_job_still_runs(training, undisturbed):
    process = training.snakemake()
    training.reach(2 * EVERY)
    training.pause()
    job = training.job(process)
    process.kill()
    process.wait()
    training.finish(training.start("snakemake", "--unlock"))
    second = training.snakemake("--retries", "0")
    said = training.finish(second, status=1)
    assert f"(job {job}) already trains here; wait for it or stop it" in said
    assert training.field(job, "JobState") == "RUNNING"
    training.resume()
    wait("end of the first job", lambda: training.field(job, "JobState") == "COMPLETED")
    assert training.weights() == undisturbed[0]
    finish(training, training.snakemake())
    check_whole(training, *undisturbed)


@pytest.fixture
def small_disk(training):
    """A file system of its own under the encoder's folder."""
    training.folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(training.folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield training.folder
    training.close()
    subprocess.run(["umount", "--lazy", str(training.folder)], check=True)


def test_full_disk_during_a_save_then_space_again(training, undisturbed, small_disk):
    job = training.sbatch()
    training.reach(2 * EVERY)
    training.pause()
    newest = training.checkpoints / f"step-{training.whole()[-1]:08d}"
    size = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free - size // 2))
    training.resume()
    training.end(job, "FAILED")
    wait("end of the ranks", lambda: not training.ranks())
    before, good = training.history(), training.whole()[-1]
    assert 2 * EVERY <= good < before.index[-1] < STEPS
    (said,) = {line for line in training.log.read_text().splitlines() if "No space left on device" in line}
    assert said.startswith(f"ecglfm pretrain: error: {training.checkpoints}/step-")
    assert said.endswith(f"step-{good:08d} is as it was; mend that and run again")
    (small_disk / "filler").unlink()
    training.end(training.sbatch())
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)


@pytest.fixture
def server(training):
    """An MLflow server that the workflow logs to."""
    made = Server(training.clone, f"sqlite:///{training.clone.root}/store.db")
    training.clone.edit("config/config.yaml", tracking={"uri": made.uri, "enabled": True})
    made.start()
    yield made
    made.kill()
    training.clone.edit("config/config.yaml", tracking={"uri": None, "enabled": False})


def test_mlflow_server_killed_and_back(training, undisturbed, server):
    process = training.snakemake()
    training.reach(2 * EVERY)
    training.pause()
    server.kill()
    training.resume()
    finish(training, process)
    assert "is out of reach" in training.log.read_text()
    check_whole(training, *undisturbed)
    server.start()
    training.clone.snakemake("tracking_sync")
    (run,) = runs(server)["pretrain"]
    assert run.info.status == "FINISHED"
    losses = list(undisturbed[1]["loss"].astype(float).items())
    assert len(losses) == STEPS
    assert points(server, run.info.run_id, "train.loss") == losses
