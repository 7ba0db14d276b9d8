"""What the data stages log to MLflow: one experiment a stage, counts as metrics, tables as artifacts.

A stage that is run again and makes the same of the same configuration logs nothing.

`index`, `ingest` and `preprocess` are many jobs; a run for each would flood the store, so the manifest, which reads
all their tables, logs one run a source for them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import ManifestSlice, PreprocessConfig, SourceSlice, TaskSlice, TrackingSlice, load, read_yaml
from ecglfm.config.base import Section
from ecglfm.config.difference import changed
from ecglfm.data.tables import shard_tables, table_pieces
from ecglfm.provenance import sha256_file, sha256_json
from ecglfm.records import SPLITS
from ecglfm.sources.tables import Distinct
from ecglfm.tracking import standard_tags, start_run


def label_counts(path: Path) -> dict[str, float]:
    """Records, positives and known labels by split.

    Parameters
    ----------
    path : path
        `labels/{task}.parquet`.

    Returns
    -------
    dict
        `{split}/records`, `{split}/positives/{label}` (of survival: events; of regression: ones),
        `{split}/known/{label}`.
    """
    labels = [column for column in pq.read_schema(path).names if column.startswith(("label.", "event."))]
    counts: Counter[str] = Counter()
    for piece in table_pieces(path, ["split", *labels]):
        for split in SPLITS:
            part = piece[piece["split"] == split]
            counts[f"{split}/records"] += len(part)
            for column in labels:
                name = column.partition(".")[2]
                counts[f"{split}/positives/{name}"] += int((part[column] == 1).sum())
                counts[f"{split}/known/{name}"] += int(part[column].notna().sum())
    return {name: float(number) for name, number in counts.items()}


def track_labels(slice: TaskSlice, output: Path, *, tracking: TrackingSlice | None, rule: str | None) -> None:  # noqa: A002
    """Log one run of the experiment `labels`.

    Parameters
    ----------
    slice : TaskSlice
    output : path
        `labels/{task}.parquet`, as written; its ledger lies beside it.
    tracking : TrackingSlice or None
        None: nowhere.
    rule : str or None
        The Snakemake rule, for a tag.
    """
    content = slice.model_dump(mode="json")
    ledger = output.with_suffix(".ledger.parquet")
    tags = standard_tags(
        stage="labels", task=slice.task, config_hash=sha256_json(content), data_hash=sha256_file(output), rule=rule
    )
    about: dict[str, Any] = {"params": changed(slice), "config": content}
    with start_run(tracking, stage="labels", name=slice.task, tags=tags, **about, once=True) as run:
        run.log(label_counts(output) | {"left_out": pq.read_metadata(ledger).num_rows}, step=0)
        run.artifact(ledger)


def track_manifest(
    slice: ManifestSlice,  # noqa: A002
    audit: dict[str, Any],
    results: Path,
    output: Path,
    *,
    tracking: TrackingSlice | None,
    rule: str | None,
) -> None:
    """Log the runs of the experiments `index`, `ingest`, `preprocess` (one a source) and `manifest`.

    Parameters
    ----------
    slice : ManifestSlice
    audit : dict
        Content of `audit.json`.
    results, output : path
        As in `run_manifest`, whose tables are read.
    tracking : TrackingSlice or None
        None: nowhere.
    rule : str or None
        The Snakemake rule, for a tag.
    """
    columns = ["source", "stage", "action", "reason"]
    ledger = Counter(
        row
        for piece in table_pieces(output / "ledger.parquet", columns)
        for row in piece[columns].itertuples(index=False, name=None)
    )
    for source in slice.sources:
        for stage in ("index", "ingest", "preprocess"):
            content, params = _config(results / "config", stage, source)
            metrics, data = _stage_counts(results, stage, source, slice.shards.get(source), ledger)
            tags = standard_tags(stage=stage, config_hash=sha256_json(content), data_hash=data, rule=rule)
            tags |= {"source": source}
            about: dict[str, Any] = {"params": params, "config": content}
            with start_run(tracking, stage=stage, name=source, tags=tags, **about, once=True) as run:
                run.log(metrics, step=0)
    content = slice.model_dump(mode="json")
    tags = standard_tags(stage="manifest", config_hash=sha256_json(content), data_hash=audit["data_hash"], rule=rule)
    counts = {
        f"{split}/{unit}/{source}": float(number)
        for source, splits in audit["counts"].items()
        for split, count in splits.items()
        for unit, number in count.items()
    }
    about = {"params": changed(slice), "config": content}
    with start_run(tracking, stage="manifest", name="manifest", tags=tags, **about, once=True) as run:
        run.log(counts | {"passed": float(audit["passed"])}, step=0)
        run.artifact(output / "audit.json")


def _config(folder: Path, stage: str, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A stage's slice, and what of it differs from the defaults; empty where `manifest` is run by hand."""
    path = folder / ("preprocess.yaml" if stage == "preprocess" else f"source/{source}.yaml")
    if not path.is_file():
        return {}, {}
    section: Section = load(PreprocessConfig if stage == "preprocess" else SourceSlice, path)
    return read_yaml(path), changed(section)


def _stage_counts(
    results: Path, stage: str, source: str, shards: int | None, ledger: Counter[tuple[str, ...]]
) -> tuple[dict[str, float], str]:
    """Counts of one stage of one source, and the hash of what it made."""
    if stage == "index":
        path = results / "index" / f"{source}.parquet"
        patients = Distinct()
        for piece in table_pieces(path, ["patient_id"]):
            patients.add(piece["patient_id"])
        return {"records": pq.read_metadata(path).num_rows, "patients": patients.count()}, sha256_file(path)
    paths = shard_tables(results / stage / source, ".parquet", shards)
    tables = (pd.read_parquet(path, columns=["n_samples", "sampling_rate"]) for path in paths)
    seconds = [(len(table), float((table["n_samples"] / table["sampling_rate"]).sum())) for table in tables]
    records, hours = (sum(part) for part in zip(*seconds, strict=True))
    metrics = {"records": float(records), "hours": hours / 3600}
    metrics |= {
        f"{action}/{reason}": float(number)
        for (of, at, action, reason), number in ledger.items()
        if (of, at) == (source, stage)
    }
    return metrics, sha256_json([sha256_file(path) for path in paths])
