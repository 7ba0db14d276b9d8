"""A small project's files, as the steps before `discover` write them: 40 people of two databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Cohort:
    """Files, and the vectors in them."""

    manifest: Path
    index: list[Path]
    vectors: list[Path]
    x: pd.DataFrame  # by record_id


def write_cohort(folder: Path, *, shuffled: bool = False, dim: int = 4) -> Cohort:
    """Sources a (30 people, two recordings each, the second earlier) and b (10, one each); `shuffled` changes the order of rows."""
    rng = np.random.default_rng(0)
    rows = []
    for source, people, recordings in (("a", 30, 2), ("b", 10, 1)):
        for person in range(people):
            for record in range(recordings):
                when = f"19{90 - record}-01-{person % 28 + 1:02d}"
                rows.append(
                    (
                        f"{source}/{person}_{record}",
                        f"{source}/{person}",
                        source,
                        "train",
                        40.0 + person,
                        "female" if person % 3 else "male",
                        when,
                    )
                )
    records = pd.DataFrame(rows, columns=["record_id", "patient_id", "source", "split", "age", "sex", "native.when"])
    x = pd.DataFrame(rng.standard_normal((len(rows), dim)).astype(np.float32), index=records["record_id"])
    x.columns = [f"vector.{number:04d}" for number in range(dim)]
    index, vectors = [], []
    for source, own in records.groupby("source"):
        table = own[["record_id", "patient_id"]].rename(columns={"record_id": "record"}).join(x, on="record")
        index.append(folder / f"index/{source}.parquet")
        vectors.append(folder / f"embed/{source}.parquet")
        for path, content in ((index[-1], own), (vectors[-1], table)):
            path.parent.mkdir(parents=True, exist_ok=True)
            (content.sample(frac=1, random_state=1) if shuffled else content).to_parquet(path, index=False)
    manifest = folder / "records.parquet"
    (records.sample(frac=1, random_state=2) if shuffled else records).to_parquet(manifest, index=False)
    return Cohort(manifest, index, vectors, x)
