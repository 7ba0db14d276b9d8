"""The step `discover biomarkers`: what features have to do with what a cardiologist reads off an ECG.

Makes `biomarkers.{parquet,tsv}` (a row a person), `biomarker_associations.{parquet,tsv}` (a row a pair of feature and
biomarker), `biomarkers.png` (a heat map) and `biomarkers.json` (who measured, and how far machine and we agree).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ecglfm.config import BiomarkersConfig, UserError
from ecglfm.discovery.biomarkers.associate import associate
from ecglfm.discovery.biomarkers.figure import heat_map
from ecglfm.discovery.biomarkers.machine import read_machine
from ecglfm.discovery.biomarkers.measure import AXES, INTERVALS, NAMES, measure_biomarkers
from ecglfm.discovery.recordings import Recordings, age_and_sex, blind, read_features, write_tables
from ecglfm.evaluation.plots import save_png
from ecglfm.provenance import write_json
from ecglfm.sources.parallel import ordered_map

logger = logging.getLogger(__name__)

_TOGETHER = 16  # records that a worker measures at a time
_COMPARED = ("rr_ms", "pr_ms", "qrs_ms", "qt_ms")
_BLOCKS = {"intervals_from": INTERVALS, "axes_from": AXES}


@dataclass(frozen=True)
class _Measuring:
    """Measures records; sent to each worker once, where it opens files of its own."""

    manifest: Path
    signals: Path
    names: tuple[str, ...]

    @cached_property
    def _read(self) -> Recordings:
        return Recordings(self.manifest, self.signals, self.names)

    def __call__(self, names: Sequence[str]) -> list[dict[str, float]]:
        read = self._read
        with threadpool_limits(1):  # the matrices are small: threads only wait for each other
            return [
                measure_biomarkers(
                    read(name) / 1000.0, read.sampling_rate(name), read.leads(name), mains=read.mains(name)
                )
                for name in names
            ]


def run_biomarkers(
    config: BiomarkersConfig, *, features: Path, manifest: Path, index: Sequence[Path], signals: Path, workers: int = 1
) -> dict[str, Any]:
    """Measure people's recordings, and set features against what was found.

    Parameters
    ----------
    config : BiomarkersConfig
    features : path
        `discover/{encoder}` with `people.parquet` and `edf.parquet`; results are written there, too.
    manifest : path
        `manifest/records.parquet`.
    index : sequence of path
        `index/{source}.parquet`, which have the machines' measurements.
    signals : path
        `preprocess/`.
    workers : int
        Processes.

    Returns
    -------
    dict
        The content of `biomarkers.json`.

    Raises
    ------
    UserError
        Age and sex of too few people are known, or samples are missing.
    """
    people, edf = read_features(features)
    if config.people is not None and len(people) > config.people:
        chosen = np.sort(np.argsort([blind(name) for name in people["patient_id"]])[: config.people])
        people, edf = people.iloc[chosen].reset_index(drop=True), edf.iloc[chosen].reset_index(drop=True)
    names = people["record_id"].tolist()
    own = _measured(names, _Measuring(manifest, signals, tuple(names)), workers)
    machine = read_machine(index, names)
    values = _preferred(own, machine, config.measurements)
    covariates = _covariates(people, values)
    complete = covariates.notna().all(axis=1)
    if not complete.any():
        raise UserError("discover biomarkers: age and sex of nobody are known: there is nothing to adjust for")
    found = associate(edf, values[list(NAMES)].reset_index(drop=True), covariates)
    content = {
        "people": len(people),
        "adjusted_for": [str(name) for name, values_n in covariates[complete].items() if values_n.nunique() > 1],
        "without_age_or_sex": int((~complete).sum()),
        "measurements": config.measurements,
        "whose": {block: values[block].value_counts().sort_index().to_dict() for block in _BLOCKS},
        "agreement": _agreement(own, machine),
        "significant_pairs": int((found["q_value"] < 0.05).sum()),
        "pairs": int(found["q_value"].notna().sum()),
    }
    write_tables(features, "biomarkers", people[["patient_id"]].join(values.reset_index()))
    write_tables(features, "biomarker_associations", found)
    save_png(heat_map(found), features / "biomarkers.png")
    write_json(features / "biomarkers.json", content)
    logger.info("%d of %d pairs of feature and biomarker have q < 0.05", content["significant_pairs"], content["pairs"])
    return content


def _measured(names: list[str], measuring: _Measuring, workers: int) -> pd.DataFrame:
    """Our own measurements, by `record_id`."""
    tasks = [names[start : start + _TOGETHER] for start in range(0, len(names), _TOGETHER)]
    rows = [row for some in ordered_map(measuring, tasks, workers) for row in some]
    return pd.DataFrame(rows, index=pd.Index(names, name="record_id"), columns=list(NAMES), dtype=np.float64)


def _preferred(own: pd.DataFrame, machine: pd.DataFrame, measurements: str) -> pd.DataFrame:
    """All biomarkers, with a column for each block that says whose it is: `machine`, `ecglfm` or `nobody`.

    A block is of one of the two: definitions of machine and ours are not mixed within a record.
    """
    values = own.copy()
    for column, block in _BLOCKS.items():
        said = machine[list(block)].notna()
        there = said[["qrs_ms", "qt_ms"]].any(axis=1) if column == "intervals_from" else said.any(axis=1)
        theirs = there & (measurements == "machine")
        values.loc[theirs, list(block)] = machine.loc[theirs, list(block)]
        measured = own[list(block)].notna().any(axis=1)
        values[column] = np.select([theirs, measured], ["machine", "ecglfm"], "nobody")
    return values[[*_BLOCKS, *NAMES]]


def _covariates(people: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Age, sex, the database, and whose the measurements are: machines mean other beginnings and ends than we do."""
    covariates = age_and_sex(people)
    for source in sorted(people["source"].unique())[1:]:
        covariates[f"source {source}"] = (people["source"] == source).astype(np.float64)
    for column in _BLOCKS:
        covariates[f"{column} machine"] = (values[column] == "machine").to_numpy(np.float64)
    return covariates


def _agreement(own: pd.DataFrame, machine: pd.DataFrame) -> dict[str, dict[str, float | int]]:
    """Ours less the machine's, of records that both have measured."""
    found: dict[str, dict[str, float | int]] = {}
    for name in _COMPARED:
        difference = (own[name] - machine[name]).dropna()
        if len(difference) > 2:
            found[name] = {
                "records": len(difference), "median_ms": round(float(difference.median()), 3),
                "bias_ms": round(float(difference.mean()), 3), "sd_ms": round(float(difference.std()), 3),
            }  # fmt: skip
    return found
