"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import TaskConfig, TaskSlice
from ecglfm.data import tables
from ecglfm.data.labels.labels import run_labels
from tests.unit.data.labels.ten_records import INDEX, SPLITS


@pytest.fixture(params=[3, 16384])
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Run the stage, in pieces of so many rows; gives the table by record and the reasons of the ledger."""
    monkeypatch.setattr(tables, "ROWS_TOGETHER", request.param)
    INDEX.to_parquet(tmp_path / "s.parquet", index=False)
    records = INDEX[["record_id", "source", "patient_id"]].assign(split=SPLITS)
    records.to_parquet(tmp_path / "records.parquet", index=False)

    def run(labels: dict, index: pd.DataFrame | None = None, **config):
        if index is not None:
            index.to_parquet(tmp_path / "s.parquet", index=False)
        labels = {label: {"challenge2021": selector} for label, selector in labels.items()}
        slice_ = TaskSlice(
            task="t", config=TaskConfig.model_validate(config | {"labels": labels}), kinds={"s": "challenge2021"}
        )
        run_labels(slice_, tmp_path / "records.parquet", [tmp_path / "s.parquet"], tmp_path / "t.parquet")
        ledger = pd.read_parquet(tmp_path / "t.ledger.parquet")
        table = pd.read_parquet(tmp_path / "t.parquet").set_index("record_id")
        assert len(table) + len(ledger) == len(INDEX)
        assert all(table[column].dtype == np.float32 for column in table.columns[3:])
        return table, dict(zip(ledger["record_id"].str[2:].astype(int), ledger["reason"], strict=True))

    return run
