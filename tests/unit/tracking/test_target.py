"""A run of MLflow is brought to what its journal says: what is lacking is sent, and nothing twice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecglfm.tracking.journal import Artifact, Content
from ecglfm.tracking.target import Target


class Store:
    """MLflow, of which only the calls are kept."""

    def __init__(self, *runs: SimpleNamespace) -> None:
        self.found, self.calls = list(runs), list[tuple[Any, ...]]()

    def runs(self, stage: str, key: str) -> tuple[list[SimpleNamespace], bool]:
        return self.found, False

    def create(self, *about: Any) -> str:
        self.calls.append(("create", *about))
        return "new"

    def steps(self, run_id: str, name: str) -> set[int]:
        return {1, 2}

    def artifacts(self, run_id: str) -> dict[str, int]:
        return {"old.csv": 3}

    def call(self, *call: Any, **more: Any) -> None:
        self.calls.append((*call, *more.items()))

    def log_params(self, *call: Any) -> None:
        self.calls.append(("params", *call))

    def log_tags(self, *call: Any) -> None:
        self.calls.append(("tags", *call))

    def log_metrics(self, *call: Any) -> None:
        self.calls.append(("metrics", *call))


def known(run_id: str, status: str = "RUNNING") -> SimpleNamespace:
    data = SimpleNamespace(params={"lr": "0.1"}, tags={"a": "1", "b": "old"}, metrics={"loss": 0.5})
    return SimpleNamespace(info=SimpleNamespace(run_id=run_id, status=status), data=data)


@pytest.fixture
def content(tmp_path: Path) -> Content:
    for name in ("old.csv", "new.csv", "changed.csv"):
        (tmp_path / name).write_text("abc")
    sha = hashlib.sha256(b"abc").hexdigest()
    files = {name: Artifact(name, 3, sha) for name in ("old.csv", "new.csv")}
    files["changed.csv"] = Artifact("changed.csv", 3, hashlib.sha256(b"abd").hexdigest())  # of the same length
    metrics = {("loss", step): (step / 10, 1000 + step) for step in (1, 2, 3)}
    return Content("k", "pretrain", "tiny", {"a": "1", "b": "new"}, {"lr": "9", "dim": "8"}, metrics, files, None, 5, 6)


def test_a_run_that_is_there_gets_only_what_it_lacks(content: Content, tmp_path: Path) -> None:
    store = Store(known("one"), known("double"))
    target = Target(store, content, tmp_path)
    target.bring(content)
    assert store.calls == [
        ("delete_run", "double"),
        ("params", "one", {"dim": "8"}),  # a parameter cannot be changed
        ("tags", "one", {"b": "new"}),
        ("metrics", "one", [("loss", 0.3, 1003, 3)]),
        ("log_artifact", "one", str(tmp_path / "new.csv")),
    ]
    lacked = {"doubled runs": 1, "parameters": 1, "tags": 1, "metrics": 1, "artifacts": 1}
    assert {name: count for name, count in target.sent.items() if count} == lacked
    store.calls.clear()
    target.bring(content)
    assert store.calls == [("metrics", "one", [])]


def test_a_run_that_is_not_there_is_made(content: Content, tmp_path: Path) -> None:
    store = Store()
    target = Target(store, content, tmp_path)
    target.bring(content)
    assert store.calls[0] == ("create", "pretrain", "k", "tiny", 5)
    assert ("metrics", "new", [("loss", 0.1, 1001, 1), ("loss", 0.2, 1002, 2), ("loss", 0.3, 1003, 3)]) in store.calls
    assert target.sent["runs"] == 1


def test_a_status_follows_once(content: Content, tmp_path: Path) -> None:
    store = Store(known("one", "FINISHED"))
    target = Target(store, Content(), tmp_path)
    target.bring(Content())  # it was resumed
    content.status = "FAILED"
    for _ in range(2):
        target.bring(content)
    told = [call for call in store.calls if call[0] in {"update_run", "set_terminated"}]
    assert told == [("update_run", "one", ("status", "RUNNING")), ("set_terminated", "one", "FAILED", 6)]
    assert target.sent["statuses"] == 2
