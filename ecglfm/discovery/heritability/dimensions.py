"""The step `discover dimensions`: which features are worth a GWAS."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import DimensionsConfig
from ecglfm.discovery.heritability.ranking import rank_dimensions, share_explained
from ecglfm.discovery.recordings import read_features, write_tables
from ecglfm.evaluation.confounders import read_variables
from ecglfm.evaluation.serial import intraclass_correlations
from ecglfm.provenance import write_json

logger = logging.getLogger(__name__)

_SERIAL = "people with several recordings"


def run_dimensions(
    config: DimensionsConfig,
    *,
    features: Path,
    vectors: Sequence[Path],
    manifest: Path,
    index: Sequence[Path],
    ingested: Path,
    heritability: Path | None = None,
) -> None:
    """Write `dimensions.parquet`, `.tsv` and `.json`, which says what is not known, and why.

    Parameters
    ----------
    config : DimensionsConfig
    features : path
        Folder `discover/{encoder}` with `edf.parquet`, `edf_weights.parquet`, `people.parquet`; written to.
    vectors : sequence of path
        `{source}.parquet` that the features were made of, with all recordings of each person.
    manifest : path
        `manifest/records.parquet`.
    index : sequence of path
        `index/{source}.parquet`.
    ingested : path
        Folder `ingest/`.
    heritability : path, optional
        `heritability.parquet`; without it that has no part in the ranking.
    """
    people, edf = read_features(features)
    unknown: dict[str, str] = {}
    records = pd.read_parquet(manifest)
    shares = _shares(config, people, edf, records, index=index, ingested=ingested, unknown=unknown)
    icc = _stability(config, features / "edf_weights.parquet", vectors, records, unknown)
    known = None if heritability is None else pd.read_parquet(heritability)
    if known is None:
        unknown["h2"] = "discover.heritability names no reference panel"
    table = rank_dimensions([str(name) for name in edf], heritability=known, icc=icc, confounding=shares)
    write_tables(features, "dimensions", table)
    write_json(features / "dimensions.json", {"unknown": unknown})
    logger.info("the first: %s", ", ".join(table["edf"].head(5)))


def _shares(
    config: DimensionsConfig,
    people: pd.DataFrame,
    edf: pd.DataFrame,
    records: pd.DataFrame,
    *,
    index: Sequence[Path],
    ingested: Path,
    unknown: dict[str, str],
) -> pd.DataFrame | None:
    """Share of each feature's variance that each variable of people's recordings explains."""
    own = records[records["record_id"].isin(people["record_id"])]
    variables, missing = read_variables(own, config.variables, index=index, ingested=ingested)
    unknown |= missing
    shares = {}
    for name, variable in variables.items():
        if variable.is_quantity:
            unknown[name] = "a quantity: only classes are looked at"
            continue
        group = variable.values.reindex(people["record_id"]).to_numpy(object)
        if len(pd.unique(group[~pd.isna(group)])) < 2:
            unknown[name] = "the same for everybody"
            continue
        shares[name] = [share_explained(edf[feature].to_numpy(np.float64), group) for feature in edf]
    return pd.DataFrame({"edf": list(edf)} | shares) if shares else None


def _stability(
    config: DimensionsConfig,
    weights: Path,
    vectors: Sequence[Path],
    records: pd.DataFrame,
    unknown: dict[str, str],
) -> dict[str, float] | None:
    """Intraclass correlation of each feature, before the rank transform, over the recordings of a person."""
    table = pd.read_parquet(weights)
    vector = pd.concat([pd.read_parquet(path) for path in vectors]).drop(columns="patient_id")
    rows = records.loc[_serial(records), ["record_id", "patient_id"]].merge(
        vector, left_on="record_id", right_on="record"
    )
    names = list(table["dimension"])
    lacking = [name for name in names if name not in rows]
    if lacking:
        raise UserError(f"{vectors[0]}: no dimension {lacking[0]}: run the step `discover features` again")
    rows = rows[np.isfinite(rows[names].to_numpy(np.float64)).all(axis=1)]
    rows = rows[_serial(rows)]  # of those that have vectors
    if (patients := rows["patient_id"].nunique()) < config.min_patients:
        unknown["icc"] = f"{patients} {_SERIAL}, fewer than {config.min_patients}"
        return None
    features = [str(name) for name in table if name not in ("dimension", "mean")]
    value_nk = (rows[names].to_numpy(np.float64) - table["mean"].to_numpy()) @ table[features].to_numpy()
    found = intraclass_correlations(
        value_nk, rows["patient_id"].to_numpy(),
        resamples=0, confidence=0.95, seed=0, min_patients=len(records) + 1,  # so no interval
    )  # fmt: skip
    return dict(zip(features, found.icc.tolist(), strict=True))


def _serial(rows: pd.DataFrame) -> np.ndarray:
    """Rows of people who have several."""
    return rows["patient_id"].duplicated(keep=False).to_numpy()
