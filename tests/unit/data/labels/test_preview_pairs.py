"""`describe-labels` of a verification: pairs counted by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.config import VerifySlice
from ecglfm.data.labels.preview_pairs import describe_pairs


def test_pairs_by_source_and_split(tmp_path: Path) -> None:
    """Test: a has 3 recordings, b 1, c 2, so 3 + 1 pairs of one person and 3 + 6 + 2 of two; d, e in another source."""
    rows = [("x", "test", p) for p in "abacac"] + [("y", "test", "d"), ("y", "train", "e"), ("y", "train", "e")]
    rows += [("y", None, "f"), ("z", "test", "g")]
    pd.DataFrame(rows, columns=["source", "split", "patient_id"]).to_parquet(tmp_path / "records.parquet")
    config = {"kind": "verification", "sources": ["x", "y"], "max_pairs": 10, "description": "Who is who"}
    slice_ = VerifySlice(task="who", config=config, bootstrap=10, confidence=0.95, seed=0, min_patients=2)
    lines = [line.split() for line in describe_pairs(slice_, tmp_path / "records.parquet").splitlines()]
    assert " ".join(lines[0]) == "who: verification, the test split alone is measured. Who is who"
    assert " ".join(lines[1]) == "of 11 pairs, 10 are drawn (`max_pairs`)"
    table = {tuple(line[:2]): list(map(int, line[2:])) for line in lines[4:]}
    assert table == {
        ("x,", "train"): [0, 0, 0, 0, 0], ("x,", "valid"): [0, 0, 0, 0, 0], ("x,", "test"): [6, 3, 2, 4, 11],
        ("y,", "train"): [2, 1, 1, 1, 0], ("y,", "valid"): [0, 0, 0, 0, 0], ("y,", "test"): [1, 1, 0, 0, 0],
    }  # fmt: skip
