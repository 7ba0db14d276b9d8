"""The command `card`: what stands beside a model is named as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import CardSlice
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.conftest import write_results
from tests.unit.evaluation.methods.planted import plant_slice


def test_a_card_stands_beside_the_fit_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, output = tmp_path / "results", tmp_path / "results/card.html"
    write_results(results)
    plant_slice(results, "card", CardSlice())
    metrics = read_json(results / "evaluate/tiny/super/full-s0/metrics.json")
    for mode, value in (("linear", 0.345), ("frozen", 0.512)):
        metrics["macro"]["auroc"] |= {"value": value, "ci_low": 0.3, "ci_high": 0.6}
        write_json(results / f"evaluate/statistics/super/{mode}-s0/metrics.json", metrics)
    command = [
        "card",
        "--config",
        str(results / "config/card.yaml"),
        "--results",
        str(results),
        "--output",
        str(output),
    ]
    command += ["--model", "tiny/super/full-s0", "--baselines"]
    assert main([*command, "statistics/super/frozen-s0"]) == 0
    page = output.read_text()
    assert ", frozen-s0</span></td>" in page
    assert "0.512" in page
    assert "0.345" not in page
    assert main([*command, "statistics"]) == 1
    assert "--baselines statistics: expected encoder/task/fit" in capsys.readouterr().err
