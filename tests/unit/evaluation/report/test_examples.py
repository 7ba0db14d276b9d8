"""Which recordings the report shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.evaluation.report.examples import choose_examples, verdicts


def test_examples_are_the_surest_hit_the_largest_error_and_a_blind_draw(results: Path):
    table = pd.read_parquet(results / "evaluate/tiny/super/full-s0/predictions.parquet")
    chosen = choose_examples(table, ["MI"])
    assert [example.why for example in chosen] == ["Surest true positive", "Largest error", "Drawn blindly"]
    ids = table["record_id"].iloc[[example.row for example in chosen]].tolist()
    assert ids[:2] == ["alpha/057", "alpha/059"]  # 0.9 and positive; 0.05 and positive
    assert len(set(ids)) == 3
    assert (table["split"].iloc[[example.row for example in chosen]] == "test").all()
    said = verdicts(table.iloc[chosen[1].row], ["NORM", "MI"])
    assert [(v["name"], v["verdict"]) for v in said] == [("NORM", "hit"), ("MI", "missed")]
