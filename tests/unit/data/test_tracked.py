"""What the data stages tell MLflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import TaskConfig, TaskSlice, TrackingSlice
from ecglfm.data.tracked import label_counts, track_labels
from ecglfm.records import ledger_frame

LABELLED = pd.DataFrame(
    {
        "record_id": ["s/1", "s/2", "s/3", "s/4"],
        "split": ["train", "train", "test", "train"],
        "label.MI": np.float32([1, 0, 1, np.nan]),
    }
)
COUNTS = {
    "train.records": 3, "train.MI.positives": 1, "train.MI.known": 2,
    "valid.records": 0, "valid.MI.positives": 0, "valid.MI.known": 0,
    "test.records": 1, "test.MI.positives": 1, "test.MI.known": 1,
}  # fmt: skip


def test_counts_by_hand() -> None:
    assert label_counts(LABELLED) == COUNTS


@pytest.mark.slow
def test_labels_have_their_experiment(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    output = tmp_path / "labels" / "mi.parquet"
    output.parent.mkdir()
    LABELLED.to_parquet(output)
    gone = {
        "source": "s",
        "record_id": "s/5",
        "stage": "labels",
        "action": "dropped",
        "reason": "no_label",
        "detail": "",
    }
    ledger_frame([gone]).to_parquet(output.with_suffix(".ledger.parquet"))
    config = TaskConfig.model_validate({"kind": "binary", "labels": {"MI": {"ptbxl": {"scp": ["IMI"]}}}})
    store = TrackingSlice(uri=f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "artifacts"), enabled=True)
    track_labels(TaskSlice(task="mi", config=config, kinds={"s": "ptbxl"}), output, tracking=store, rule="label_task")
    client = MlflowClient(tracking_uri=store.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("labels").experiment_id])
    assert run.data.metrics == COUNTS | {"left_out": 1}
    assert {key: run.data.tags[key] for key in ("stage", "task", "snakemake_rule")} == {
        "stage": "labels", "task": "mi", "snakemake_rule": "label_task",
    }  # fmt: skip
    assert run.data.params["config.labels.MI.ptbxl.scp"] == "['IMI']"
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["mi.ledger.parquet"]
