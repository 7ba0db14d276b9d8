"""Commands of the README on a real two-node Slurm on loopback: a pretraining, and several fine-tunings at once."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from ecglfm.lock import holder_of
from ecglfm.provenance import read_json
from tests.integration.conftest import Clone, copy_clone
from tests.integration.slurm.training import check_nothing_left, wait

LOG = "logs/finetune/random-tiny/diagnosis/full-s0.log"

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


def run(clone: Clone, slurm: dict[str, str], *command: str, status: int = 0) -> str:
    done = clone.run(*command, check=False, **slurm)
    logs = "".join(path.read_text()[-2000:] for path in (clone.results / "logs").rglob("*.log"))
    assert done.returncode == status, done.stdout[-4000:] + logs[-4000:]
    return done.stdout


def show(slurm: dict[str, str], job: str) -> dict[str, str]:
    """What Slurm says of a job."""
    shown = subprocess.run(["scontrol", "show", "job", job], env=slurm, text=True, capture_output=True, check=True)
    return dict(re.findall(r"(\w+)=(\S*)", shown.stdout))


def warn(clone: Clone, slurm: dict[str, str], folder: Path) -> None:
    """Send the job that fits a model USR1, as `--signal` in the profile does, while it trains."""
    lock = folder / "checkpoints.lock"
    wait("the fit", lambda: holder_of(lock), seconds=300)  # the file is there, and empty, a moment before
    holder = holder_of(lock)
    assert holder is not None
    subprocess.run(["scancel", "--signal=USR1", str(holder["job"])], env=slurm, check=True)


def losses(clone: Clone) -> np.ndarray:
    table = pd.read_csv(clone.results / "pretrain/tiny/history.csv")
    return table.loc[table["split"] == "train", "loss"].to_numpy()


def test_pretrain_on_two_nodes_is_one_process_with_the_whole_batch(clone, slurm) -> None:
    """So each node learns from records of its own, which together are the batch."""
    clone.edit("config/encoders/tiny.yaml", model={"norm": "group"}, pretrain={"zero_stage": 2, "steps": 20})
    said = run(clone, slurm, "snakemake", "--profile", "slurm", "pretrain")
    job = show(slurm, re.findall(r"SLURM jobid (\d+) \(log: \S*rule_pretrain_encoder", said)[0])
    assert (job["NodeList"], job["NumNodes"], job["NumTasks"]) == ("node[1-2]", "2", "2")
    assert read_json(clone.results / "pretrain/tiny/encoder.json")["training"]["processes"] == 2
    on_two = losses(clone)
    assert len(on_two) == 20
    assert on_two[0] - on_two[-1] > 0.1
    check_nothing_left(clone)

    (clone.results / "pretrain").rename(clone.results / "pretrain-on-two-nodes")
    clone.edit("config/encoders/tiny.yaml", pretrain={"zero_stage": 0, "batch_size": 8})
    clone.snakemake("pretrain")
    assert read_json(clone.results / "pretrain/tiny/encoder.json")["training"]["processes"] == 1
    np.testing.assert_allclose(on_two, losses(clone), atol=1e-4, rtol=0)


def test_tasks_are_fine_tuned_side_by_side_and_neither_a_failing_nor_a_warned_one_stops_another(
    with_manifest, slurm, tmp_path
) -> None:
    """One is warned as at the end of its walltime once it trains: it saves, is queued again and goes on."""
    clone = copy_clone(with_manifest, tmp_path / "clone")
    tasks = ["af", "diagnosis", "coin-toss"]
    for task in tasks:
        clone.edit(f"config/tasks/{task}.yaml", sources=["demo-ptbxl"])
    bad = {"kind": "binary", "sources": ["demo-ptbxl"], "labels": {"WPW": {"ptbxl": {"scp": ["WPWW"]}}}}
    (clone.root / "config/tasks/wpw.yaml").write_text(yaml.safe_dump(bad))
    clone.edit("config/config.yaml", encoders=["random-tiny"], tasks=tasks)
    clone.snakemake("pretrain", "labels")
    clone.edit("config/config.yaml", tasks=[*tasks, "wpw"], tracking={"enabled": True})
    with ThreadPoolExecutor(1) as beside:
        warned = beside.submit(warn, clone, slurm, clone.results / "finetune/random-tiny/diagnosis/full-s0")
        said = run(clone, slurm, "snakemake", "--profile", "slurm", "finetune_all", "--keep-going", status=1)
        warned.result()
    jobs = {
        name: show(slurm, job)
        for job, name in re.findall(r"SLURM jobid (\d+) \(log: \S*/rule_finetune_model/(\S+)/\d+\.log", said)
    }
    assert len(jobs) == len(tasks)
    assert {job["JobState"] for job in jobs.values()} == {"COMPLETED"}
    assert sorted(job["Restarts"] for job in jobs.values()) == ["0", "0", "1"]
    assert re.search("resumed after epoch .* of", (clone.results / LOG).read_text())
    calm = [job for job in jobs.values() if job["Restarts"] == "0"]
    assert max(job["StartTime"] for job in calm) < min(job["EndTime"] for job in calm)
    for task in tasks:
        assert (clone.results / f"finetune/random-tiny/{task}/full-s0/model.safetensors").exists()
    assert "error: label 'WPW' of task 'wpw' matches none of 120 records: " in said
    assert not (clone.results / "finetune/random-tiny/wpw").exists()
    shown = run(clone, slurm, "python", "-m", "ecglfm", "status", "finetune_all")
    assert re.search(r"labels +failed +wpw: ecglfm labels: error: label 'WPW' of task 'wpw' matches none", shown), shown
    client = MlflowClient(f"sqlite:///{clone.results}/mlflow.db")  # three jobs made it and wrote to it at once
    (experiment,) = [found for found in client.search_experiments() if found.name == "finetune"]
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(one.data.tags["task"] for one in runs) == sorted(tasks)
    for one in runs:
        history = pd.read_csv(clone.results / f"finetune/random-tiny/{one.data.tags['task']}/full-s0/history.csv")
        logged = [point.value for point in client.get_metric_history(one.info.run_id, "train/loss")]
        assert logged == history.loc[history["split"] == "train", "loss"].tolist()
    check_nothing_left(clone)
