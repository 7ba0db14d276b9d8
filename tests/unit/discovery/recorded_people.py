"""A small study as the steps before have left it: people of two databases, their recordings and two features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.provenance import write_json
from tests.unit.evaluation.beats.hearts import heart

SECONDS = 5


@dataclass(frozen=True)
class Study:
    """Its files."""

    features: Path
    manifest: Path
    index: list[Path]
    signals: Path


def write_study(folder: Path, *, shuffled: bool = False) -> Study:
    """24 people of a, 12 of b (with the machine's measurements), a recording each; of one nobody knows the age.

    `edf_0001` is the heart rate, `edf_0002` is noise. `shuffled` changes the order of rows in every table.
    """
    rng = np.random.default_rng(0)
    rows, shards = [], {"a": [], "b": []}
    for source, people in (("a", 24), ("b", 12)):
        for person in range(people):
            rr = round(0.7 + 0.01 * int(rng.integers(0, 40)), 2)
            signal = np.rint(1000 * heart(seconds=SECONDS, rr=rr)).astype(np.int16)
            rows.append({
                "record_id": f"{source}/{person}", "patient_id": f"{source}/p{person}", "source": source,
                "split": "train", "age": float(rng.integers(30, 80)), "sex": "female" if person % 2 else "male",
                "recordings": 1, "rr": rr, "noise": rng.normal(), "sampling_rate": 500, "n_samples": len(signal),
                "shard": 0, "offset": person * len(signal), "mains_noise": 0.0, "mains_frequency": 50.0,
            })  # fmt: skip
            shards[source].append(signal)
    table = pd.DataFrame(rows)
    table.loc[3, "age"] = np.nan
    features, signals = folder / "discover/tiny", folder / "preprocess"
    edf = table[["patient_id", "record_id"]].assign(edf_0001=60 / table["rr"], edf_0002=table["noise"])
    people = table[["patient_id", "record_id", "source", "split", "age", "sex", "recordings"]]
    _write(features / "people.parquet", people, shuffled)
    _write(features / "edf.parquet", edf, shuffled)
    _write(folder / "manifest/records.parquet", table.drop(columns=["rr", "noise", "recordings"]), shuffled)
    write_json(features / "edf.json", {"record": "first"})
    for source, own in table.groupby("source"):
        (signals / source).mkdir(parents=True, exist_ok=True)
        np.save(signals / source / "000.npy", np.concatenate(shards[source]))
        index = own[["record_id"]]
        if source == "b":
            machine = {"RRInterval": (1000 * own["rr"]).round().astype(int).astype(str), "PQInterval": "160",
                       "QRSDuration": "92", "QTInterval": "380", "RAxis": "40"}  # fmt: skip
            index = index.assign(**{f"native.{name}": value for name, value in machine.items()})
        _write(folder / f"index/{source}.parquet", index, shuffled)
    return Study(
        features, folder / "manifest/records.parquet", [folder / f"index/{name}.parquet" for name in "ab"], signals
    )


def _write(path: Path, table: pd.DataFrame, shuffled: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (table.sample(frac=1, random_state=1) if shuffled else table).to_parquet(path, index=False)
