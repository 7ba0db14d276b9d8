"""The table and the picture of the label-efficiency curves say what the fits wrote."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.evaluation.label_efficiency import efficiency_figure, run_label_efficiency
from ecglfm.provenance import write_json

#: fit: training patients, macro value, labels that could not be learnt
FITS = {
    "full-s0-1pct": (2, 0.55, {"AF": "no positive record"}), "full-s1-1pct": (2, 0.65, {}),
    "full-s0-10pct": (20, 0.8, {}), "full-s1-10pct": (20, 0.84, {}), "full-s0": (200, 0.9, {}), "full-s1": (200, None, {}),
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for task, kind, metric in (("heart", "multilabel", "auroc"), ("age", "regression", "mae")):
        for fit, (patients, value, lacking) in FITS.items():
            training = {"train_patients": patients, "train_records": 2 * patients, "lacking": lacking}
            training |= {"valid_patients": max(10, patients // 5), "valid_records": patients}
            training |= {"records_per_epoch": 400} if patients == 20 else {}
            training["epochs"] = 0 if (task, fit) == ("age", "full-s1-1pct") else 9  # 0: of no step
            write_json(tmp_path / f"finetune/tiny/{task}/{fit}/model.json", {"training": training})
            entry = {"value": value, "ci_low": value and value - 0.1, "ci_high": value and value + 0.1}
            write_json(tmp_path / f"evaluate/tiny/{task}/{fit}/metrics.json", {"kind": kind, "macro": {metric: entry}})
    return tmp_path


def test_table_and_curves(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    include = [f"tiny/{task}/{fit}" for task in ("heart", "age") for fit in reversed(FITS)]
    with caplog.at_level(logging.WARNING):
        run_label_efficiency(results, include, results)
    assert "tiny/heart, full, seed 0, 1 %: no training record to learn from for AF" in caplog.messages
    before = ("heart/full-s1", "heart/full-s0", "age/full-s0")
    short = [f"{results}/finetune/tiny/{name}-1pct/model.json" for name in before]
    assert (
        "an earlier ecglfm fitted 3 shares with fewer updates than all patients have; run again with --forcerun "
        + " ".join(short)
    ) in caplog.messages
    table = pd.read_csv(results / "label_efficiency.csv")
    assert (results / "label_efficiency.png").read_bytes().startswith(b"\x89PNG")
    heart = table[table["task"] == "heart"]
    assert list(heart["percent"]) == [1, 1, 10, 10, 100, 100]
    assert list(heart["train_patients"]) == [2, 2, 20, 20, 200, 200]
    assert list(heart["valid_patients"]) == [10, 10, 10, 10, 40, 40]
    assert list(heart["seed"]) == [0, 1] * 3
    assert list(heart["value"].dropna()) == [0.55, 0.65, 0.8, 0.84, 0.9]
    assert list(heart["ci_low"].round(2).dropna()) == [0.45, 0.55, 0.7, 0.74, 0.8]
    assert list(heart["not_learnt"].dropna()) == ["AF"]
    assert dict(zip(table["task"], table["metric"], strict=True)) == {"age": "mae", "heart": "auroc"}
    figure = efficiency_figure(table)
    (line, chance), points = figure.axes[1].lines, figure.axes[1].collections[0]
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.6], [10, 0.82], [100, 0.9]])  # means over the seeds
    assert len(points.get_offsets()) == 5
    assert list(chance.get_ydata()) == [0.5, 0.5]
    assert figure.axes[1].get_xlabel() == "training and validation patients, %"
    assert [axes.get_ylabel() for axes in figure.axes] == ["macro MAE (test)", "macro AUROC (test)"]
