"""Journals: what a run's events add up to, whatever was torn, doubled or without room."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ecglfm.tracking.journal import Artifact, Content, Journal, contents, reading, run_key
from tests.unit.tracking.forked import forked


def test_a_journal_without_room_waits_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:

    class Full:
        """A file on a disk that takes 30 bytes, then none, and all again when there is room."""

        def __init__(self, file) -> None:
            self.file, self.room = file, 30

        def write(self, content: bytes) -> int:
            if self.room == 0:
                raise OSError(28, "No space left on device")
            written = self.file.write(content[: self.room])
            self.room -= written
            return written

    journal = Journal(tmp_path / "results/tracking/s/a.jsonl")
    full = journal._file = Full(journal._file)
    for step in range(5):
        journal.write({"step": step, "metrics": {"loss": step / 2}})
    full.room = 10**6
    journal.write({"status": "FINISHED"})
    content = Content()
    with reading(journal.path) as reader:
        reader.read(content)
    assert {at: value for at, (value, _) in content.metrics.items()} == {("loss", step): step / 2 for step in range(5)}
    assert content.status == "FINISHED"
    assert [r.getMessage() for r in caplog.records] == [
        f"{journal.path}: No space left on device; what was to be noted there waits in memory"
    ]


def started(step: int = 0, **params: str) -> dict[str, object]:
    run = {"key": "k", "stage": "pretrain", "name": "tiny", "tags": {"a": "1"}, "params": params, "step": step}
    return {"time": 1000 + step, "run": run}


def loss(step: int, value: float, time: int = 2000) -> dict[str, object]:
    return {"time": time, "step": step, "metrics": {"loss": value}}


def test_a_resumption_forgets_what_will_be_done_again_and_keeps_the_first_parameters() -> None:
    content = Content()
    for event in (started(lr="0.1"), loss(1, 0.5), loss(2, 0.4), loss(3, 0.3), {"time": 9, "status": "FAILED"}):
        content.add(event)
    assert content.status == "FAILED"
    content.add(started(2, lr="0.2", more="x"))
    assert content.metrics == {("loss", 1): (0.5, 2000), ("loss", 2): (0.4, 2000)}
    assert content.params == {"lr": "0.1", "more": "x"}
    assert content.status is None
    assert (content.began, content.ended) == (1000, 1002)


def test_lines_that_are_torn_or_no_events_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jsonl"
    whole = [json.dumps(event) for event in (started(), loss(1, 0.5))]
    path.write_text("\n".join([whole[0], '{"time": 1, "st', "", "[1]", '{"no": "time"}', whole[1], '{"time": 3']))
    content = Content()
    with reading(path) as reader:
        reader.read(content)
        assert content.metrics == {("loss", 1): (0.5, 2000)}
        assert len(caplog.messages) == 3
        with path.open("a") as file:
            file.write(', "status": "FINISHED"}\n')  # the rest of a line that was being written
        reader.read(content)
        assert (content.status, content.ended) == ("FINISHED", 3)
        again = Content()
        reader.rewind()
        reader.read(again)
    assert again == content
    assert [one.metrics for one in contents(tmp_path)] == [content.metrics]


def test_a_journal_goes_on_behind_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "results/tracking/s/a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"time": 1, "st')
    journal = Journal(path)
    journal.write({"step": 7, "metrics": {"loss": 0.25}})
    (tmp_path / "results/history.csv").write_text("step\n")
    (tmp_path / "elsewhere.csv").write_text("x")
    for name in ("results/history.csv", "elsewhere.csv"):
        journal.artifact(tmp_path / name)
    journal.close()
    (content,) = contents(path.parent)
    assert {at: value for at, (value, _) in content.metrics.items()} == {("loss", 7): 0.25}
    digest = hashlib.sha256(b"step\n").hexdigest()
    assert content.artifacts["history.csv"] == Artifact("history.csv", 5, digest)  # from the results folder
    assert content.artifacts["elsewhere.csv"].path == str(tmp_path / "elsewhere.csv")


@pytest.mark.parametrize("key", ["../../x", "0" * 31, "G" * 32, 7, None])
def test_a_key_that_was_not_made_here_is_no_file_name(key: object) -> None:
    assert run_key("0123456789abcdef" * 2) == "0123456789abcdef" * 2
    assert run_key(key) != key
    assert len(run_key(key)) == 32


def test_one_process_alone_brings_a_run(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    with reading(path) as first, reading(path) as second:
        assert first.lock()
        assert not second.lock()
        with forked():  # closing the file lets nobody in while it is open there
            first.close()
            assert second.lock()
