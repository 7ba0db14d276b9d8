"""The report's rows of label efficiency: means over seeds, by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.evaluation.report.label_efficiency_section import efficiency_content, efficiency_rows
from ecglfm.provenance import write_text
from tests.unit.evaluation.report.pages_read import words

TABLE = pd.DataFrame(
    [("tiny", "af", "full", seed, percent, patients, "auroc", value)
     for seed, percent, patients, value in [(0, 10.0, 20, 0.6), (1, 10.0, 20, 0.7), (0, 100.0, 200, 0.9),
                                            (1, 100.0, 200, None)]],
    columns=["encoder", "task", "mode", "seed", "percent", "train_patients", "metric", "value"],
)  # fmt: skip


def test_means_are_over_the_seeds_that_have_a_value(tmp_path: Path):
    (row,) = efficiency_rows(TABLE)
    assert (row["task"], row["encoder"], row["mode"], row["metric"]) == ("af", "tiny", "full", "AUROC")
    assert row["shares"] == {
        10.0: {"patients": [20], "mean": pytest.approx(0.65), "seeds": 2},
        100.0: {"patients": [200], "mean": 0.9, "seeds": 1},
    }
    write_text(tmp_path / "evaluate/label_efficiency.csv", TABLE.to_csv(index=False))
    seen = words(efficiency_content(tmp_path))
    assert "10 % 100 % af tiny full AUROC 0.650 20 patients, 2 seeds 0.900 200 patients, 1 seed" in seen
