"""`discover.biomarkers`, `discover.interpretation`, `discover.survival`: what features mean in ECGs, and for people."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ecglfm.config.base import Section, Seed


class BiomarkersConfig(Section):
    """EDFs against what a cardiologist reads off an ECG."""

    measurements: Literal["machine", "own"] = Field(
        "machine",
        description="`machine`: intervals and axes that the electrocardiograph measured, where a database has them "
        "(MIMIC-IV-ECG, CardioSoft, MUSE), else measured here; `own`: all measured here. Voltages and ST are always "
        "measured here; the table says of every record whose they are",
    )
    people: int | None = Field(
        None, ge=100, description="most people who are looked at, drawn blindly by their ids; null: all"
    )


class SurvivalConfig(Section):
    """Cox models of the time to an event on EDFs, over age and sex."""

    time: str = Field(description="column with the time from the ECG to the event or to the end of follow-up")
    event: str = Field(description="column that says whether the event came: 1 or 0, true or false")
    table: str | None = Field(
        None,
        description="CSV, TSV or Parquet with these columns and `record_id` or `patient_id`; null: the databases' own "
        "columns, e.g. `timey` and `death` of CODE-15, which has them at a patient's first exam only",
    )
    unit: str = Field("years", description="unit of time, for the figure")
    ties: Literal["efron", "breslow"] = Field("efron", description="what is done with events at the same time")
    ranked: int = Field(
        10,
        ge=0,
        description="EDFs with the smallest P whose gain in C-index over age and sex is measured",
    )
    ranked_people: int = Field(
        20000,
        ge=100,
        description="most people whom that gain is measured in, drawn blindly by their ids: it compares pairs",
    )
    curves: int = Field(6, ge=1, description="EDFs with the smallest P whose Kaplan-Meier curves are drawn")
    folds: int = Field(5, ge=2, description="folds of people for the C-index: risks are of models of the other folds")
    bootstrap: int = Field(500, ge=0, description="resamples of people for its interval")
    seed: Seed = Field(0, description="seed of folds and resamples")


class InterpretationConfig(Section):
    """What of an ECG makes an EDF high or low."""

    features: list[str] | int = Field(
        4, description="EDFs that are looked at: names (`[edf_0001]`), or how many, the first"
    )
    share: float = Field(0.1, gt=0, le=0.5, description="share of people with the highest, and with the lowest, EDF")
    records: int = Field(
        6, ge=1, description="of each end, people whose ECG is explained by integrated gradients, drawn blindly by id"
    )
    beats: int = Field(40, ge=1, description="of each end, people whose median beats are averaged, drawn likewise")
    map: Literal["pca", "umap"] = Field(
        "pca",
        description="map of people by their vectors: principal components, or UMAP of the first 50 (needs the extra "
        "`umap`)",
    )
    map_people: int = Field(3000, ge=20, description="most people on the map, drawn by `seed`")
    seed: Seed = Field(0, description="seed of the map")
