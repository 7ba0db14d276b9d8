"""All numbers of confounders in one table and one file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.evaluation.confounders import gather_confounders
from ecglfm.provenance import read_json
from tests.unit.evaluation.confounders.written import entry, write


def test_every_number_has_a_row(tmp_path: Path) -> None:
    write(tmp_path)
    gather_confounders(tmp_path / "confounders", ["tiny"], ["tiny/super/full-s0"])
    table = pd.read_csv(tmp_path / "confounders/confounders.csv")
    rows = table[["question", "label", "variable", "metric"]].fillna("").agg("/".join, axis=1)
    assert rows.tolist() == [
        "predicted from vectors//rate/", "predicted from vectors//site/auroc",
        "predicted from vectors//site/balanced_accuracy", "predicted from vectors//device/",
        "predicted from scores//rate/", "predicted from scores//site/auroc",
        "predicted from scores//site/balanced_accuracy", "predicted from scores//device/",
        "the model/AF//auroc", "within strata/AF/all together/auroc", "within strata/AF/rate/auroc",
        "within strata/AF/site/auroc", "variables alone/AF//auroc",
    ]  # fmt: skip
    row = table.set_index(rows).loc["within strata/AF/site/auroc"]
    said = ["encoder", "task", "fit", "value", "ci_low", "difference", "difference_ci_high"]
    assert row[said].tolist() == ["tiny", "super", "full-s0", 0.6, 0.55, -0.3, -0.25]
    assert table["reason"].tolist()[0] == "always the same: 500 Hz"
    whole = read_json(tmp_path / "confounders/confounders.json")
    assert whole["encoders"][0]["probes"]["site"]["auroc"] == entry(0.8)
    assert (tmp_path / "confounders/confounders.png").read_bytes().startswith(b"\x89PNG")
