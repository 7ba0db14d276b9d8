"""What is compared on one task: encoders, each with its fits of every seed, on the same test records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.fits import split_variant
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics import EXTERNAL, Outcome, Truth, outcome_class
from ecglfm.provenance import read_json


@dataclass(frozen=True)
class Contender:
    """One encoder in one mode and one variant: its fits of every seed, on the test records.

    Attributes
    ----------
    encoder : str
    setting : str
        Name of its fits without seed and variant: `full`, `linear-10pct`.
    fits : list of str
    data : Outcome
        What the first fit said of the records.
    values : dict of ndarray, shape (seeds, labels)
        Each metric of each fit; NaN where undefined.
    terms : dict of ndarray, shape (labels, patients)
        What each patient adds to the metric's mean over the seeds (`influence`).
    """

    encoder: str
    setting: str
    fits: list[str]
    data: Outcome
    values: dict[str, np.ndarray]
    terms: dict[str, np.ndarray]
    variant: str | None = None

    @property
    def name(self) -> str:
        """What it is called in comparisons: `tiny`, `tiny lr3`."""
        return self.encoder if self.variant is None else f"{self.encoder} {self.variant}"


def setting_of(fit: str) -> str:
    """Name of a fit without its seed and variant: `full-s0-10pct` is `full-10pct`, `full-s0-lr3` is `full`."""
    return re.sub(r"-s\d+(?=-|$)", "", split_variant(fit)[0])


def read_metrics(folder: Path) -> dict[str, Any]:
    """`metrics.json` of a model; `UserError` where it is not there."""
    path = folder / "metrics.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; run `evaluate` of this model first")
    return dict(read_json(path))


def read_test(folder: Path, kind: str) -> pd.DataFrame:
    """Test records of a model's `predictions.parquet`, by record; the columns in the order of its labels."""
    names = read_metrics(folder)["label_names"]
    of = KINDS[kind]
    columns = [column for name in names for column in (*of.truth_columns(name), of.output_column(name))]
    table = pd.read_parquet(folder / "predictions.parquet", columns=["record_id", "patient_id", "split", *columns])
    return table[table["split"] == "test"].sort_values("record_id", ignore_index=True)


def read_tested(folder: Path) -> pd.DataFrame:
    """`record_id`, `patient_id` and `split` of what a model was tested on, also of sources that are only tested."""
    table = pd.read_parquet(folder / "predictions.parquet", columns=["record_id", "patient_id", "split"])
    return table[table["split"].isin(["test", EXTERNAL])]


def check_same(tables: dict[Path, pd.DataFrame], kind: str) -> None:
    """Raise `UserError` where models were tested on other records or labels."""
    truth = "|".join(map(re.escape, KINDS[kind].truth))
    (folder, first), *others = (
        (folder, table.filter(regex=rf"^record_id$|^patient_id$|^({truth})\.")) for folder, table in tables.items()
    )
    for path, other in others:
        if not first.equals(other):
            raise UserError(
                f"{path}/predictions.parquet: other test records or labels than {folder} has; evaluate both again"
            )


def measurable(table: pd.DataFrame, kind: str) -> Outcome:
    """What `read_test` read, to be measured."""
    of = KINDS[kind]
    read = {what: table.filter(regex=rf"^{re.escape(what)}\.") for what in (*of.truth, of.output)}
    names = [column.partition(".")[2] for column in read[of.output].columns]
    truth = [read[what].to_numpy(np.float64) for what in of.truth]
    patients = table["patient_id"].to_numpy(dtype=str)
    return outcome_class(kind).told(names, truth, read[of.output].to_numpy(np.float64), patients)


def contender(
    encoder: str, setting: str, fits: list[str], seeds: Sequence[Outcome], metrics: Sequence[str], truth: Truth,
    *, variant: str | None = None,
) -> Contender:  # fmt: skip
    """An encoder in a variant, with some metrics of each of its fits, and what each patient adds to their means."""
    shape = (len(truth.names), truth.classes.shape[1])
    values = {metric: np.full((len(seeds), len(truth.names)), np.nan) for metric in metrics}
    terms = {metric: np.zeros(shape) for metric in metrics}
    for seed, data in enumerate(seeds):
        for label in range(len(truth.names)):
            known = data.known(label)
            told = data.influence(label)
            for metric, (value, of_records) in ((name, told[name]) for name in metrics if name in told):
                values[metric][seed, label] = value
                by_patient = np.bincount(truth.patient_of[known], of_records, minlength=shape[1])
                terms[metric][label] += by_patient / len(seeds)
    return Contender(encoder, setting, fits, seeds[0], values, terms, variant)
