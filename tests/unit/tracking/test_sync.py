"""`tracking sync` makes MLflow whole and changes nothing that is."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import TrackingSlice, UserError
from ecglfm.tracking import find_run, start_run
from ecglfm.tracking.store import Store
from ecglfm.tracking.sync import sync
from tests.unit.tracking.places import client, rows, run_of, tracking

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with MLflow's schema; making one takes a second."""
    folder = tmp_path_factory.mktemp("empty")
    Store(tracking(folder))
    return folder / "mlflow.db"


@pytest.fixture
def results(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("ecglfm.tracking.run.surroundings", lambda _: {})
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return tmp_path


def logged(choice: TrackingSlice, results: Path, steps: range, **more) -> str | None:
    """A run of three metrics with an artifact; its key."""
    run = start_run(
        choice, stage="pretrain", name="tiny", tags={"encoder": "tiny"}, params={"pretrain": {"lr": 0.5}}, **more
    )
    for step in steps:
        run.log({"train.loss": 1 / step, "train.lr": 0.5}, step)
    (results / "history.csv").write_text("step\n")
    run.artifact(results / "history.csv")
    key = run.key
    run.finish()
    return key


def losses(results: Path, key: str | None) -> list[tuple[int, float]]:
    run = run_of(results, key)
    return [(m.step, m.value) for m in client(results).get_metric_history(run.info.run_id, "train.loss")]


def test_a_run_that_could_not_be_started_is_made_up(results: Path) -> None:
    key = logged(tracking(results, NOWHERE), results, range(1, 8))
    done = sync(results, tracking(results))
    assert done == {
        "journals": 1, "runs": 1, "parameters": 1, "tags": 1, "metrics": 14, "artifacts": 1, "statuses": 1,
    }  # fmt: skip
    stored = run_of(results, key)
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "tiny")
    assert stored.data.params == {"pretrain.lr": "0.5"}
    assert stored.data.tags["encoder"] == "tiny"
    assert losses(results, key) == [(step, 1 / step) for step in range(1, 8)]
    assert [file.path for file in client(results).list_artifacts(stored.info.run_id)] == ["history.csv"]
    journal = (results / f"tracking/pretrain/{key}.jsonl").read_text()
    assert f'"time": {stored.info.start_time}, "run"' in journal
    assert f'"time": {stored.info.end_time}, "status"' in journal


def test_a_second_sync_changes_nothing(results: Path) -> None:
    logged(tracking(results), results, range(1, 4))
    logged(tracking(results, NOWHERE), results, range(1, 4))
    assert sync(results, tracking(results))["runs"] == 1
    before = rows(results / "mlflow.db")
    assert sync(results, tracking(results)) == {"journals": 2}
    assert rows(results / "mlflow.db") == before


def family(choice: TrackingSlice, lr: float) -> None:
    """A pretraining, a fit of it and an evaluation of that, as the stages log them."""
    tags = {"encoder": "tiny", "config_hash": f"p{lr}"}
    config = {"pretrain": {"lr": lr}}
    start_run(choice, stage="pretrain", name="tiny", tags=tags, params=config, config=config).finish()
    pretraining = find_run(choice, "pretrain", **tags)
    tags |= {"task": "super", "fit": "full-s0"}
    start_run(choice, stage="finetune", name="tiny/super/full-s0", tags=tags, params={}, parent=pretraining).finish()
    fit = find_run(choice, "finetune", **tags)
    start_run(choice, stage="evaluate", name="tiny/super/full-s0", tags=tags, params={}, parent=fit).finish()


def tree(results: Path, project: str = "") -> list[tuple[str, str, str | None]]:
    """Experiment and config hash of every run, with those of its parent."""
    store, found = client(results), {}
    for experiment in store.search_experiments():
        for run in store.search_runs([experiment.experiment_id]):
            about = f"{experiment.name.removeprefix(project)} {run.data.tags['config_hash']}"
            found[run.info.run_id] = about, run.data.tags.get("mlflow.parentRunId")
    return sorted((about, found[parent][0] if parent else None) for about, parent in found.values())


TREE = [
    ("evaluate p0.1", "finetune p0.1"), ("evaluate p0.2", "finetune p0.2"),
    ("finetune p0.1", "pretrain p0.1"), ("finetune p0.2", "pretrain p0.2"),
    ("pretrain p0.1", None), ("pretrain p0.2", None),
]  # fmt: skip


def test_runs_are_nested_in_those_they_stand_on_whatever_came_first(results: Path) -> None:
    for choice, lr in ((tracking(results), 0.1), (tracking(results, NOWHERE), 0.2)):
        family(choice, lr)
    sync(results, tracking(results))  # its folders are in another order: evaluate, finetune, pretrain
    assert tree(results) == TREE
    before = rows(results / "mlflow.db")
    assert sync(results, tracking(results)) == {"journals": 6}
    assert rows(results / "mlflow.db") == before


def test_a_parent_that_arrives_late_is_found_by_the_next_sync(results: Path) -> None:
    family(tracking(results, NOWHERE), 0.1)
    (late,) = (results / "tracking/pretrain").glob("*.jsonl")
    late.rename(results / late.name)
    sync(results, tracking(results))
    assert tree(results) == [TREE[0], ("finetune p0.1", None)]
    (results / late.name).rename(late)
    assert sync(results, tracking(results)) == {
        "journals": 3, "runs": 1, "parameters": 1, "tags": 3, "artifacts": 1, "statuses": 1,
    }  # fmt: skip
    assert tree(results) == [TREE[0], TREE[2], TREE[4]]


def test_another_project_on_the_same_store_has_experiments_of_its_own(results: Path) -> None:
    family(tracking(results, project="mine"), 0.1)
    names = {experiment.name for experiment in client(results).search_experiments()}
    assert names == {"Default", "mine/pretrain", "mine/finetune", "mine/evaluate"}
    assert tree(results, "mine/") == [TREE[0], TREE[2], TREE[4]]
    assert sync(results, tracking(results, project="mine")) == {"journals": 3}


def test_all_of_the_configuration_is_one_file(results: Path) -> None:
    family(tracking(results), 0.1)
    (run,) = client(results).search_runs([client(results).get_experiment_by_name("pretrain").experiment_id])
    path = results / "mlartifacts/pretrain" / run.info.run_id / "artifacts/config.yaml"
    assert path.read_text() == "pretrain:\n  lr: 0.1\n"


def test_metrics_lost_in_the_middle_are_made_up(results: Path) -> None:
    key = logged(tracking(results), results, range(1, 10))
    whole = rows(results / "mlflow.db")
    with sqlite3.connect(results / "mlflow.db") as connection:
        connection.execute("DELETE FROM metrics WHERE step BETWEEN 4 AND 6")
        connection.execute("DELETE FROM tags WHERE key = 'encoder'")
        connection.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL")
    assert len(losses(results, key)) == 6
    sync(results, tracking(results))
    assert rows(results / "mlflow.db") == whole


def test_a_resumed_run_is_made_up_without_doubled_steps(results: Path) -> None:
    key = logged(tracking(results, NOWHERE), results, range(1, 6))
    again = logged(tracking(results, NOWHERE), results, range(4, 9), key=key, step=3)
    assert again == key
    sync(results, tracking(results))
    assert losses(results, key) == [(step, 1 / step) for step in range(1, 9)]


def test_a_run_that_the_server_made_twice_is_one_again(results: Path) -> None:
    key = logged(tracking(results), results, range(1, 4))
    client(results).create_run(
        run_of(results, key).info.experiment_id, tags={"ecglfm.run": key}, start_time=2**41
    )  # what a request does that was given up and is carried out late
    assert sync(results, tracking(results)) == {"journals": 1, "doubled runs": 1}
    assert losses(results, key) == [(step, 1 / step) for step in range(1, 4)]


def test_what_the_user_deleted_stays_deleted(results: Path) -> None:
    key = logged(tracking(results), results, range(1, 4))
    client(results).delete_run(run_of(results, key).info.run_id)
    assert sync(results, tracking(results)) == {"journals": 1, "deleted": 1}


def test_a_deleted_experiment_is_named_and_the_others_go_on(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    logged(tracking(results), results, range(1, 4))
    key = logged(tracking(results), results, range(1, 4))
    experiment = run_of(results, key).info.experiment_id
    client(results).delete_experiment(experiment)
    start_run(tracking(results, NOWHERE), stage="zz", name="late", tags={}, params={}).finish()
    assert sync(results, tracking(results)) == {"journals": 3, "deleted": 2, "runs": 1, "statuses": 1}
    assert "'pretrain' was deleted in MLflow: its runs are passed over; to have them again" in caplog.text
    assert f"--experiment-id {experiment}" in caplog.text
    client(results).restore_experiment(experiment)
    assert sync(results, tracking(results))["deleted"] == 0


def test_an_artifact_that_has_changed_since_is_not_copied(results: Path) -> None:
    key = logged(tracking(results, NOWHERE), results, range(1, 4))
    (results / "history.csv").write_text("pets\n")
    assert "artifacts" not in sync(results, tracking(results))
    assert client(results).list_artifacts(run_of(results, key).info.run_id) == []


KILLED = """
import os, sys
from ecglfm.config import TrackingSlice
from ecglfm.tracking import find_run, start_run
tracking = TrackingSlice(uri="http://127.0.0.1:1", artifacts="mlartifacts", enabled=True)
run = start_run(tracking, stage="pretrain", name="tiny", tags={}, params={})
run.log({"train.loss": 1.0}, 1)
print(run.key, flush=True)
sys.stdin.read()
"""


def test_a_killed_run_is_killed_in_mlflow_and_one_that_goes_on_is_left_alone(results: Path, repository: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=results, env=os.environ | {"PYTHONPATH": str(repository)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    key = process.stdout.readline().strip()
    assert "out of reach" in process.stderr.readline()  # the thread has looked, so it has the lock
    assert sync(results, tracking(results)) == {"journals": 1, "going on": 1}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sync(results, tracking(results))
    assert run_of(results, key).info.status == "KILLED"
    assert losses(results, key) == [(1, 1.0)]


def test_torn_and_foreign_lines_are_passed_over(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = logged(tracking(results, NOWHERE), results, range(1, 4))
    journal = results / f"tracking/pretrain/{key}.jsonl"
    text = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*text[:2], "[1, 2]\n", '{"time": 1, "metrics": {"x": "y"}, "st\n', *text[2:], '{"tim']))
    (journal.parent / "empty.jsonl").write_text("")
    sync(results, tracking(results))
    assert losses(results, key) == [(step, 1 / step) for step in range(1, 4)]
    assert len([r for r in caplog.records if "is no event" in r.getMessage()]) == 2
    assert len([r for r in caplog.records if "is not the journal of a run" in r.getMessage()]) == 1


def test_a_full_disk_of_the_store(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> None:
    results = tmp_path_factory.mktemp("results")
    store = results / "store"
    store.mkdir()
    size = empty_store.stat().st_size // 1024 + 64
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(store)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        shutil.copy(empty_store, store / "mlflow.db")
        (store / "filler").write_bytes(bytes(shutil.disk_usage(store).free - 4096))
        choice = tracking(results, f"sqlite:///{store}/mlflow.db")
        key = logged(choice, results, range(1, 200))
        with pytest.raises(UserError, match="nothing is lost, sync again"):
            sync(results, choice)
        subprocess.run(["mount", "-o", "remount,size=64m", str(store)], check=True)
        (store / "filler").unlink()
        sync(results, choice)
        assert losses(store, key) == [(step, 1 / step) for step in range(1, 200)]
        assert run_of(store, key).info.status == "FINISHED"
    finally:
        subprocess.run(["umount", "--lazy", str(store)], check=True)


def test_command(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged(tracking(results, NOWHERE), results, range(1, 4))
    (results / "config").mkdir()
    config = results / "config/tracking.yaml"
    config.write_text(f"uri: sqlite:///{results}/mlflow.db\nartifacts: {results}/mlartifacts\nenabled: true\n")
    assert main(["tracking", "sync", str(results)]) == 0
    assert "1 run; artifacts 1, metrics 6, parameters 1, runs 1, statuses 1, tags 1\n" in capsys.readouterr().out
    assert main(["tracking", "sync", str(results)]) == 0
    assert capsys.readouterr().out == f"{results}: 1 run; MLflow lacked nothing\n"
    config.write_text(f"uri: http://user:secret@127.0.0.1:1\nartifacts: {results}/mlartifacts\nenabled: true\n")
    assert main(["tracking", "sync", str(results)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ecglfm tracking: error: MLflow (http://127.0.0.1:1): ")
    assert "secret" not in line
    assert main(["tracking", "sync", str(results / "nowhere")]) == 1
    assert "nowhere: no such folder" in capsys.readouterr().err
