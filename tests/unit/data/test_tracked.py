"""What the data stages tell MLflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import ManifestConfig, ManifestSlice, TaskConfig, TaskSlice, TrackingSlice
from ecglfm.data.tracked import label_counts, track_labels, track_manifest
from ecglfm.provenance import write_parquet
from ecglfm.records import ledger_frame

LABELLED = pd.DataFrame(
    {
        "record_id": ["s/1", "s/2", "s/3", "s/4"],
        "split": ["train", "train", "test", "train"],
        "label.MI": np.float32([1, 0, 1, np.nan]),
    }
)
COUNTS = {
    "train/records": 3, "train/positives/MI": 1, "train/known/MI": 2,
    "valid/records": 0, "valid/positives/MI": 0, "valid/known/MI": 0,
    "test/records": 1, "test/positives/MI": 1, "test/known/MI": 1,
}  # fmt: skip


def test_counts_by_hand(tmp_path: Path) -> None:
    write_parquet(tmp_path / "t.parquet", LABELLED)
    assert label_counts(tmp_path / "t.parquet") == COUNTS


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
    slice = TaskSlice(task="mi", config=config, kinds={"s": "ptbxl"})  # noqa: A001
    for _ in range(2):
        track_labels(slice, output, tracking=store, rule="label_task")
    client = MlflowClient(tracking_uri=store.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("labels").experiment_id])
    assert run.data.metrics == COUNTS | {"left_out": 1}
    assert {key: run.data.tags[key] for key in ("stage", "task", "snakemake_rule")} == {
        "stage": "labels", "task": "mi", "snakemake_rule": "label_task",
    }  # fmt: skip
    assert run.data.params == {
        "task": "mi", "kinds.s": "ptbxl", "config.kind": "binary", "config.labels.MI.ptbxl.scp": "['IMI']"
    }  # fmt: skip
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["config.yaml", "mi.ledger.parquet"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Tables of one source: four rows in the index, one dropped by ingest, one flagged by preprocess; two shards."""
    for stage in ("index", "ingest/s", "preprocess/s", "manifest", "config/source"):
        (tmp_path / stage).mkdir(parents=True)
    (tmp_path / "config/source/s.yaml").write_text(
        "source: s\nconfig: {kind: wfdb_folder, root: raw, table: null, shards: 2}\n"
    )
    (tmp_path / "config/preprocess.yaml").write_text("sampling_rate: 400\nnotch: null\n")
    pd.DataFrame({"record_id": list("abcd"), "patient_id": ["p", "p", "q", "r"]}).to_parquet(
        tmp_path / "index/s.parquet"
    )
    for stage, rate in (("ingest", 400.0), ("preprocess", 500)):
        for shard, records in (("000", 2), ("001", 1)):
            signals = pd.DataFrame({"n_samples": [int(rate * 1200)] * records, "sampling_rate": [rate] * records})
            signals.to_parquet(tmp_path / stage / "s" / f"{shard}.parquet")
    rows = [("ingest", "dropped", "signal_missing"), ("preprocess", "flagged", "flat_leads")]
    columns = {"source": "s", "record_id": "s/d", "detail": ""}
    ledger = [columns | {"stage": stage, "action": action, "reason": reason} for stage, action, reason in rows]
    ledger_frame(ledger).to_parquet(tmp_path / "manifest/ledger.parquet")
    (tmp_path / "manifest/audit.json").write_text("{}")
    return tmp_path


@pytest.mark.slow
def test_each_data_stage_has_its_experiment_and_no_run_twice(results: Path) -> None:
    from mlflow import MlflowClient

    store = TrackingSlice(uri=f"sqlite:///{results}/mlflow.db", artifacts=str(results / "artifacts"), enabled=True)
    audit = {"passed": True, "data_hash": "h", "counts": {"s": {"train": {"records": 3, "patients": 2}}}}
    config = ManifestSlice(sources=["s"], manifest=ManifestConfig(), shards={"s": 2})
    for _ in range(2):
        track_manifest(config, audit, results, results / "manifest", tracking=store, rule="manifest")
    client = MlflowClient(tracking_uri=store.uri)

    def runs(stage: str):
        return client.search_runs([client.get_experiment_by_name(stage).experiment_id])

    (index,), (ingest,), (preprocess,) = runs("index"), runs("ingest"), runs("preprocess")
    assert index.data.metrics == {"records": 4, "patients": 3}
    assert ingest.data.metrics == {"records": 3, "hours": 1.0, "dropped/signal_missing": 1}
    assert preprocess.data.metrics == {"records": 3, "hours": 1.0, "flagged/flat_leads": 1}
    assert preprocess.data.params == {"sampling_rate": "400"}  # and no defaults
    assert index.data.params == ingest.data.params == {
        "source": "s", "config.kind": "wfdb_folder", "config.root": "raw", "config.shards": "2",
    }  # fmt: skip
    assert ingest.data.tags["source"] == "s"
    assert [run.data.metrics for run in runs("manifest")] == [
        {"train/records/s": 3, "train/patients/s": 2, "passed": 1}
    ]
