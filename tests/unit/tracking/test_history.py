"""`history.csv` survives kills."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ecglfm.tracking import History


def test_history_is_a_csv_with_one_header(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.csv"
    History(path, ["step", "loss", "note"]).append({"step": 1, "loss": 0.5, "note": "a,b"})
    History(path, ["step", "loss", "note"]).append({"step": 2, "loss": math.nan})
    assert path.read_text() == 'step,loss,note\n1,0.5,"a,b"\n2,,\n'


def test_history_writes_numpy_numbers_as_plain_numbers(tmp_path: Path) -> None:
    import numpy as np

    history = History(tmp_path / "history.csv", ["step", "a", "b"])
    history.append({"step": np.int64(3), "a": np.float64(0.25), "b": np.float32(1.5)})
    assert history.path.read_text() == "step,a,b\n3,0.25,1.5\n"


@pytest.mark.parametrize("cut", range(1, 30))
def test_history_reopens_after_a_kill_at_any_byte(tmp_path: Path, cut: int) -> None:
    whole = "step,loss\n1,0.5\n2,0.25\n3,1.0\n"
    path = tmp_path / "history.csv"
    path.write_text(whole[:cut])
    history = History(path, ["step", "loss"])
    kept = max(whole[:cut].count("\n") - 1, 0)  # whole lines, without the header
    assert [row["step"] for row in history.rows()] == ["1", "2", "3"][:kept]
    history.append({"step": 9, "loss": 2.0})
    assert path.read_text() == "".join(whole.splitlines(True)[: kept + 1]) + "9,2.0\n"


def test_history_truncates_to_a_step_and_refuses_an_unknown_column(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", ["step", "split", "loss"])
    for step in (5, 10, 15):
        history.append({"step": step, "split": "train", "loss": step / 10})
        history.append({"step": step, "split": "valid", "loss": step / 20})
    history.truncate(10)
    assert [(row["step"], row["split"]) for row in history.rows()] == [
        ("5", "train"), ("5", "valid"), ("10", "train"), ("10", "valid")
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'los' is not a column"):
        history.append({"step": 20, "los": 1})


def test_history_carries_rows_over_to_new_columns(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,loss\n1,0.5\n")
    assert History(path, ["step", "lr", "loss"]).rows() == [{"step": "1", "lr": "", "loss": "0.5"}]
    assert path.read_text() == "step,lr,loss\n1,,0.5\n"
