"""What the data stages log to MLflow: one experiment a stage, counts as metrics, tables as artifacts.

`index`, `ingest` and `preprocess` run once a source and shard; a run for each would flood the store, so the
manifest, which reads all their tables, logs one run a source for them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecglfm.config import TaskSlice, TrackingSlice
from ecglfm.provenance import sha256_file, sha256_json
from ecglfm.records import SPLITS
from ecglfm.tracking import standard_tags, start_run


def label_counts(labelled: pd.DataFrame) -> dict[str, float]:
    """Records, positives and known labels by split.

    Parameters
    ----------
    labelled : DataFrame
        `labels/{task}.parquet`.

    Returns
    -------
    dict
        `{split}.records`, `{split}.{label}.positives`, `{split}.{label}.known`.
    """
    counts: dict[str, float] = {}
    for split in SPLITS:
        part = labelled[labelled["split"] == split]
        counts[f"{split}.records"] = len(part)
        for column in part.filter(like="label."):
            name = str(column).removeprefix("label.")
            counts[f"{split}.{name}.positives"] = int((part[column] == 1).sum())
            counts[f"{split}.{name}.known"] = int(part[column].notna().sum())
    return counts


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
    with start_run(tracking, stage="labels", name=slice.task, tags=tags, params=content) as run:
        run.log(label_counts(pd.read_parquet(output)) | {"left_out": len(pd.read_parquet(ledger))}, step=0)
        run.artifact(ledger)
