"""What journals tell of earlier runs, and names that tell runs apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecglfm.tracking.earlier import find_run, heads, telling_name
from tests.unit.tracking.places import tracking

FIT = {"encoder": "tiny", "task": "super", "fit": "full-s0"}


def begun(results: Path, key: str, time: int, tags: dict[str, str], config: dict[str, Any] | None = None) -> None:
    """The journal of a run of stage finetune, with another line that nobody has to read."""
    run = {"key": key, "stage": "finetune", "name": key, "step": 0, "tags": tags, "params": {}, "config": config}
    path = results / "tracking/finetune" / f"{key}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"time": time, "run": run}) + "\n{torn")


def test_the_newest_run_with_all_tags_is_found(tmp_path: Path) -> None:
    begun(tmp_path, "b", 1, FIT | {"config_hash": "x"})
    begun(tmp_path, "a", 3, FIT | {"config_hash": "x"})
    begun(tmp_path, "c", 2, FIT | {"config_hash": "x"})
    begun(tmp_path, "d", 4, FIT | {"config_hash": "y"})
    (tmp_path / "tracking/finetune/e.jsonl").write_text("[]")
    (tmp_path / "tracking/finetune/f.jsonl").write_text('{"time": 1, "st')
    assert [content.key for _, content in heads(tmp_path / "tracking/finetune")] == ["b", "c", "a", "d"]
    choice = tracking(tmp_path)
    found = find_run(choice, "finetune", **FIT, config_hash="x")
    assert found is not None
    assert (found.key, found.stage) == ("a", "finetune")
    assert find_run(choice, "finetune", **FIT, config_hash="z") is None
    assert find_run(choice, "finetune", **FIT, data_hash=None) is None  # an encoder with random weights has none
    assert find_run(choice, "pretrain", encoder="tiny") is None
    assert find_run(None, "finetune", **FIT) is None
    assert find_run(tracking(tmp_path, enabled=False), "finetune", **FIT) is None


CONFIG = {"finetune": {"lr": 0.001, "epochs": 3, "schedule": {"kind": "constant"}}, "task": {"missing": "negative"}}


def changed(**keys: Any) -> dict[str, Any]:
    return {"finetune": CONFIG["finetune"] | keys, "task": CONFIG["task"]}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (CONFIG, "n · lr 0.001"),
        (changed(lr=0.003), "n · lr 0.003"),
        (changed(lr=0.003, epochs=5), "n · lr 0.003 · epochs 5"),
        (changed(schedule={"kind": "cosine"}), "n · lr 0.001 · schedule.kind cosine"),
        (CONFIG | {"task": {"missing": "drop"}}, "n · lr 0.001 · task.missing drop"),
    ],
)
def test_names_tell_what_differs_from_the_first_run_of_the_kind(
    tmp_path: Path, config: dict[str, Any], name: str
) -> None:
    begun(tmp_path, "b", 1, FIT | {"fit": "frozen-s0"}, changed(lr=9, epochs=9))  # of another kind
    begun(tmp_path, "c", 2, FIT, CONFIG)
    begun(tmp_path, "a", 3, FIT, changed(epochs=7))
    folder = tmp_path / "tracking/finetune"
    assert telling_name("n", config, folder=folder, tags=FIT, told=["finetune.lr"]) == name


def test_the_first_of_its_kind_has_nothing_to_differ_from(tmp_path: Path) -> None:
    assert telling_name("n", CONFIG, folder=tmp_path, tags=FIT, told=[]) == "n"


def test_names_differ_where_too_much_does(tmp_path: Path) -> None:
    begun(tmp_path, "c", 2, FIT, CONFIG)
    folder = tmp_path / "tracking/finetune"
    names = {
        telling_name("n", changed(a=1, b=1, c=1, d=1, e=last), folder=folder, tags=FIT, told=["finetune.lr"])
        for last in (1, 2)
    }
    assert len(names) == 2
    assert all(name.startswith("n · lr 0.001 · a 1 · b 1 · c 1 · d 1 · #") for name in names)


def test_a_name_is_as_long_as_a_database_takes(tmp_path: Path) -> None:
    """Differences of 60 characters: three of them fit into 250, and what stands for the others tells runs apart."""
    begun(tmp_path, "c", 2, FIT, CONFIG)
    many = [changed(**{name: name * 60 for name in "abc"}, d=last) for last in ("x" * 60, "y" * 60)]
    names = [
        telling_name("n", one, folder=tmp_path / "tracking/finetune", tags=FIT, told=["finetune.lr"]) for one in many
    ]
    assert [name[:-6] for name in names] == [f"n · lr 0.001 · a {'a' * 60} · b {'b' * 60} · c {'c' * 60} · #"] * 2
    assert len(set(names)) == 2
    (longest,) = {telling_name("n" * 245, one, folder=tmp_path, tags=FIT, told=["finetune.lr"]) for one in many[:1]}
    assert longest.startswith("n" * 245 + " · #")
