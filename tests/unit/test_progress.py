"""The file that says how far a job is: what people read of it, and what is not one of ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecglfm.progress import FILE, Progress, duration, read_progress, write_progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (45, "45 s"), (59.6, "1 min"), (70, "1 min 10 s"), (11520, "3 h 12 min"), (187200, "2 d 4 h"), (-3, "0 s")],
)  # fmt: skip
def test_durations_are_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_was_written_is_read_and_grows_old(tmp_path: Path) -> None:
    progress = Progress("step 120 of 200, loss 4.310, 85 segments/s", 70.0, at_most=False, written=1000.0)
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress
    assert str(progress) == "step 120 of 200, loss 4.310, 85 segments/s, 1 min 10 s left"
    assert str(progress.at(1030.0)).endswith(", 40 s left")
    assert str(progress.at(2000.0)).endswith(", 0 s left")
    assert str(progress._replace(at_most=True)).endswith(", at most 1 min 10 s left")
    assert str(progress._replace(seconds_left=None).at(2000.0)) == "step 120 of 200, loss 4.310, 85 segments/s"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", json.dumps({"text": "step"}), '{"text": "", "seconds_left": NaN, "at_most": true, "written": 1}',
     "[" * 100000],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_progress(tmp_path) is None


def test_a_line_of_the_file_cannot_forge_another_of_the_console(tmp_path: Path) -> None:
    write_progress(tmp_path, Progress("step 1\nError: all is lost", None, at_most=False, written=1.0))
    assert str(read_progress(tmp_path)) == "step 1 Error: all is lost"
