"""Histories of trainings, as the report reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.evaluation.report.histories import read_history
from ecglfm.provenance import write_text


@pytest.mark.parametrize(
    "text",
    [
        "step,split,loss,lr\n1,train,3,0.1\n2,train,2,0.1\n2,valid,2.5,\n",
        "step,train.loss,valid.loss,lr\n1,3,,0.1\n2,2,2.5,0.1\n",
        "step,loss,valid_loss\n1,3,\n2,2,2.5\n",
    ],
)
def test_histories_are_read_in_either_shape(tmp_path: Path, text: str):
    write_text(tmp_path / "history.csv", text)
    history = read_history(tmp_path / "history.csv")
    assert history is not None
    assert list(history.terms) == ["loss"]
    train, valid = history.terms["loss"]
    assert (train.name, train.x.tolist(), train.y.tolist()) == ("train", [1, 2], [3, 2])
    assert (valid.name, valid.x.tolist(), valid.y.tolist()) == ("valid", [2], [2.5])
    assert history.final("loss", "valid") == 2.5


def test_no_history_is_none(tmp_path: Path):
    assert read_history(tmp_path / "history.csv") is None
    write_text(tmp_path / "history.csv", "step,loss\n")
    assert read_history(tmp_path / "history.csv") is None
