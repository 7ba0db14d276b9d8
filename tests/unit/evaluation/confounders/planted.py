"""Two sites of a database, of which it is known whether they mark their positives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import ConfoundersConfig, EvaluateConfig
from ecglfm.evaluation.confounders import run_confounders, run_probe_encoder
from ecglfm.provenance import write_json, write_parquet

CONFIG = ConfoundersConfig(variables=["source", "site", "device", "year", "noise", "rate"])
EVALUATION = EvaluateConfig(bootstrap=40)
PATIENTS, EACH = 600, 2  # patients, recordings of each
SPLITS = ["train"] * 300 + ["valid"] * 100 + ["test"] * 200


def write_site(root: Path, *, marked: bool, seed: int = 0) -> dict[str, Any]:
    """A results folder of one database with the sites A and B, `PATIENTS` patients of two recordings.

    Where the site is `marked` 90 % of A and 10 % of B have the label, and vectors and model know nothing but the site.
    Otherwise half of both have it, vectors know nothing, and the model sees the label through noise.
    """
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(PATIENTS), EACH)
    at_a = rng.random(PATIENTS) < 0.5
    prevalence = np.where(at_a, 0.9, 0.1) if marked else np.full(PATIENTS, 0.5)
    label = (rng.random(PATIENTS) < prevalence)[person]
    site = np.where(at_a, "A", "B")[person]
    count = len(person)
    noise = rng.normal(size=count)
    score = (2.0 * (site == "A") if marked else 1.5 * label) + noise
    vectors = rng.normal(size=(count, 6))
    vectors[:, 2] += 3.0 * (site == "A") * marked
    ids = [f"clinic/{i:04d}" for i in range(count)]
    table = pd.DataFrame({
        "record_id": ids, "source": "clinic", "patient_id": [f"clinic/p{i}" for i in person],
        "split": np.array(SPLITS)[person], "shard": 0, "sha256": [f"{i:064x}" for i in range(count)], "flags": "",
        "sampling_rate": 500, "n_samples": 5000,
    })  # fmt: skip
    write_parquet(root / "manifest/records.parquet", table)
    own = {
        "native.site": site,
        "native.recording_date": [f"{1990 + i % 8}-05-01 10:00:00" for i in rng.permutation(count)],
    }
    write_parquet(root / "index/clinic.parquet", pd.DataFrame({"record_id": ids, **own}))
    labels = table[["record_id", "patient_id", "source", "split"]].assign(**{"label.AF": label.astype(np.float32)})
    write_parquet(root / "labels/af.parquet", labels)
    names = [f"vector.{i:04d}" for i in range(6)]
    embedded = pd.DataFrame({"record": ids, "patient_id": table["patient_id"]}).join(
        pd.DataFrame(vectors, columns=names)
    )
    write_parquet(root / "embed/tiny/clinic.parquet", embedded.iloc[::-1])
    said = table.loc[table["split"] != "train", ["record_id", "patient_id", "split"]]
    rows = said.index.to_numpy()
    said = said.assign(
        **{"target.AF": label[rows].astype(np.float32), "probability.AF": 1 / (1 + np.exp(-score[rows]))}
    )
    folder = root / "evaluate/tiny/af/full-s0"
    write_parquet(folder / "predictions.parquet", said)
    identity = {"encoder": "tiny", "task": "af", "fit": "full-s0", "kind": "binary", "label_names": ["AF"]}
    write_json(folder / "metrics.json", identity)
    return shared(root)


def shared(root: Path) -> dict[str, Any]:
    return {
        "manifest": root / "manifest/records.parquet",
        "index": [root / "index/clinic.parquet"],
        "ingested": root / "ingest",
    }


def probe_encoder(root: Path, **change: Any) -> dict[str, Any]:
    config, output = CONFIG.model_copy(update=change), root / "confounders/tiny/embedding.json"
    return run_probe_encoder(
        config, EVALUATION, vectors=[root / "embed/tiny/clinic.parquet"], output=output, **shared(root)
    )


def confounders(root: Path, **change: Any) -> dict[str, Any]:
    config, output = CONFIG.model_copy(update=change), root / "confounders/tiny/af/full-s0/metrics.json"
    evaluated, labels = root / "evaluate/tiny/af/full-s0", root / "labels/af.parquet"
    return run_confounders(config, EVALUATION, evaluated=evaluated, labels=labels, output=output, **shared(root))
