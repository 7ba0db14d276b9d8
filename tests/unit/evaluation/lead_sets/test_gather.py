"""What the report shows of lead sets: the compared metric of each model, by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.evaluation.lead_sets import gather_lead_sets
from ecglfm.provenance import read_json
from tests.unit.evaluation.lead_sets.two_sets import write


def test_every_model_stands_in_the_table(tmp_path: Path) -> None:
    for encoder in ("tiny", "random"):
        write(tmp_path / "lead_sets", encoder)
    gather_lead_sets(tmp_path / "lead_sets", ["tiny/super/full-s0", "random/super/full-s0"])
    table = pd.read_csv(tmp_path / "lead_sets/lead_sets.csv")
    assert table["encoder"].tolist() == ["tiny"] * 6 + ["random"] * 6
    assert table["label"].tolist() == ["macro", "AF", "MI"] * 4
    row = table.iloc[4]
    assert row[["set", "leads", "value", "change", "change_ci_low"]].tolist() == ["1-lead", "I", 0.8, -0.1, -0.14]
    assert table["reason"].iloc[5].startswith("too few")
    (first, _) = read_json(tmp_path / "lead_sets/lead_sets.json")
    assert list(first["sets"][0]["labels"]["AF"]) == ["auroc"]
