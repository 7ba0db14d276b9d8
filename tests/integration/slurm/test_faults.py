"""A pretraining as a job of a real two-node Slurm that fails, or whose surroundings do, and is run again by a person.

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

from tests.integration.mlflow_server import Server, points, runs
from tests.integration.slurm.conftest import EVERY, STEPS
from tests.integration.slurm.training import check_finished, check_resumed, check_whole, wait

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


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
    check_finished(training, training.snakemake())
    check_resumed(training, before, good)
    check_whole(training, *undisturbed)


def test_killed_rank_and_damaged_checkpoint_then_rerun(training, undisturbed):
    """One bit of the newest checkpoint is another: it is named and skipped, and the one before is gone on from."""
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
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    training.end(training.sbatch())
    assert largest.name in re.search(rf"{folder.name} is skipped: (.*)", training.log.read_text()).group(1)
    check_resumed(training, before, older)
    check_whole(training, *undisturbed)


def test_snakemake_killed_and_rerun_while_its_job_still_runs(training, undisturbed):
    process = training.snakemake()
    training.reach(2 * EVERY)
    training.pause()
    job = training.job(process)
    shown = training.finish(training.start("python", "-m", "ecglfm", "status", "pretrain"))
    assert f"Snakemake runs here, process {process.pid}" in shown
    assert re.search(rf"pretrain +running +tiny: step \d+ of {STEPS}.*\(Slurm job {job} on node\[1-2\], since ", shown), shown
    process.kill()
    process.wait()
    training.finish(training.start("snakemake", "--unlock"))
    second = training.snakemake("--retries", "0")
    said = training.finish(second, status=1)
    assert f"(job {job}) already trains here; wait for it or stop it" in said
    assert training.field(job, "JobState") == "RUNNING"
    training.resume()
    wait("end of the first job", lambda: training.field(job, "JobState") == "COMPLETED", every=0.25)
    assert training.weights() == undisturbed[0]
    check_finished(training, training.snakemake())
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
    check_finished(training, process)
    assert "is out of reach" in training.log.read_text()
    check_whole(training, *undisturbed)
    server.start()
    training.clone.snakemake("tracking_sync")
    (run,) = runs(server)["pretrain"]
    assert run.info.status == "FINISHED"
    losses = list(undisturbed[1]["loss"].astype(float).items())
    assert len(losses) == STEPS
    assert points(server, run.info.run_id, "train/loss") == losses
