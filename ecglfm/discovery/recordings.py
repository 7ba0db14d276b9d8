"""Prepared recordings by their ids, and the people whose features are looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import LEADS, UserError
from ecglfm.data.samples import Signals
from ecglfm.discovery.summary import with_written_p
from ecglfm.provenance import atomic, write_parquet

_HUM = 10.0  # uV, of which on delineation suffers


class Recordings:
    """Prepared samples of some records, found by id.

    Parameters
    ----------
    manifest : path
        `manifest/records.parquet`.
    folder : path
        `preprocess/`.
    names : sequence of str
        `record_id` of those that may be asked for.

    Raises
    ------
    UserError
        The manifest lacks one.
    """

    def __init__(self, manifest: Path, folder: Path, names: Sequence[str]) -> None:
        columns = [
            "record_id",
            "source",
            "sampling_rate",
            "n_samples",
            "shard",
            "offset",
            "mains_noise",
            "mains_frequency",
        ]
        table = pd.read_parquet(manifest, columns=columns, filters=[("record_id", "in", list(names))])
        self.folder = folder
        self.records = table.set_index("record_id", drop=False).reindex(list(names))
        if self.records["source"].isna().any():
            lacking = self.records.index[self.records["source"].isna()][0]
            raise UserError(f"{manifest}: no record {lacking}; run the step `discover features` again")
        self.records = self.records.reset_index(drop=True).astype({"n_samples": int, "shard": int, "offset": int})

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.records["record_id"])}

    @cached_property
    def _signals(self) -> Signals:
        return Signals(self.records, self.folder)

    @cached_property
    def _leads(self) -> dict[Path, list[str] | int]:
        return self._signals.leads_by_file()

    def __call__(self, name: str) -> np.ndarray:
        """Samples of a record, int16 microvolts (samples, leads)."""
        place = self._places[name]
        rows, starts = np.array([place]), np.array([0])
        return self._signals.views(rows, starts, int(self.records["n_samples"].iloc[place]))[0]

    def sampling_rate(self, name: str) -> float:
        """Hz."""
        return float(self.records["sampling_rate"].iloc[self._places[name]])

    def mains(self, name: str) -> float | None:
        """Frequency of the mains' hum, Hz; None where it is below 10 uV."""
        row = self.records.iloc[self._places[name]]
        return float(row["mains_frequency"]) if row["mains_noise"] > _HUM else None

    def leads(self, name: str) -> list[str]:
        """Names of the columns of a record."""
        found = self._leads[self._signals.path(self._places[name])]
        return list(LEADS[:found]) if isinstance(found, int) else found


def read_features(folder: Path, *, raw: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """People and their features, joined by id.

    Parameters
    ----------
    folder : path
        `discover/{encoder}`, with `people.parquet` and `edf.parquet`.
    raw : bool
        Features before the rank-inverse-normal transform: `edf_raw.parquet`.

    Returns
    -------
    people : DataFrame
        `patient_id, record_id, age, sex, …` in the order of `patient_id`.
    edf : DataFrame
        A column per feature, the same rows.
    """
    edf = pd.read_parquet(folder / ("edf_raw.parquet" if raw else "edf.parquet")).drop(columns="record_id")
    people = pd.read_parquet(folder / "people.parquet").merge(edf[["patient_id"]], on="patient_id")
    people = people.sort_values("patient_id", ignore_index=True)
    return people, edf.set_index("patient_id").reindex(people["patient_id"]).reset_index(drop=True)


def age_and_sex(people: pd.DataFrame) -> pd.DataFrame:
    """Covariates as numbers: `age` in years, `sex` 1 for men and 0 for women; NaN where unknown."""
    sex = people["sex"].map({"female": 0.0, "male": 1.0}).astype(np.float64)
    return pd.DataFrame({"age": people["age"].astype(np.float64), "sex": sex})


def blind(name: str) -> bytes:
    """A key that sorts ids in an order that knows nothing of what they are."""
    return hashlib.sha256(name.encode()).digest()


def write_tables(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write `{name}.parquet` and `{name}.tsv` with the same rows; text also has P that a double holds as 0."""
    write_parquet(folder / f"{name}.parquet", table)
    with atomic(folder / f"{name}.tsv") as temporary:
        written = with_written_p(table)
        written.to_csv(temporary, sep="\t", index=False, na_rep="NA", float_format="%.9g", lineterminator="\n")
