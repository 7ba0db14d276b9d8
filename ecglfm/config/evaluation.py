"""Config of the evaluation: metrics on the test split, and what becomes of a model elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ecglfm.config.base import Name, Section, Seed


class TransportConfig(Section):
    """A finished model on a new cohort."""

    sources: list[Name] | None = Field(
        None, min_length=1, description="the cohort, all records of these sources whatever their split; null: of all"
    )
    local: list[Annotated[int, Field(ge=1)]] = Field(
        [50, 100, 200, 500],
        description="numbers of records that are labelled on the spot, by patient, to choose thresholds anew and to "
        "recalibrate; those above half of the cohort are left out, and none of the largest is in the test",
    )
    seed: Seed = Field(0, description="seed by which the patients of the local records are drawn")


class EvaluateConfig(Section):
    """Metrics on the locked test split."""

    bootstrap: int = Field(1000, ge=1, description="resamples of patients behind each interval")
    confidence: float = Field(0.95, gt=0, lt=1, description="coverage of the intervals")
    seed: Seed = Field(0, description="seed of the resampling")
    min_patients: int = Field(
        5,
        ge=2,
        description="positive and negative test patients (survival: with the event) that a label needs, in all or in "
        "a subgroup; one with fewer is `too few`: no interval, no verdict, no part in macro values",
    )
    challenge_weights: str | None = Field(
        None,
        description="`weights.csv` or `weights_abbreviations.csv` of the PhysioNet/CinC Challenge 2021: its metric is "
        "given for tasks whose labels are all in it, normal sinus rhythm among them; null: not given",
    )
    survival_times: list[Annotated[float, Field(gt=0)]] = Field(
        [],
        description="`survival`: times of AUCs, in the labels' unit; the middle one is that of the calibration, the "
        "last that of Uno's C; []: the quartiles of the event times of the validation split",
    )
