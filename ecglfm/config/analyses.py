"""What a user may say about analyses that are targets of their own: `confounders`, `lead_sets`, `serial`."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Name, Section, Seed
from ecglfm.config.signals import LEADS

#: Six, three and two are those of the Challenge 2021 (Reyna et al., doi:10.23919/CinC53138.2021.9662687).
_SETS = {
    "8-leads": ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"],
    "6-leads": ["I", "II", "III", "aVR", "aVL", "aVF"],
    "3-leads": ["I", "II", "V2"],
    "2-leads": ["I", "II"],
    "1-lead": ["I"],
}


class LeadSetsConfig(Section):
    """Models that are told fewer leads than they were fitted on."""

    sets: dict[Name, list[str]] = Field(
        _SETS,
        min_length=1,
        description="`snakemake lead_sets`: name of a set: its leads; the others are zero, as masked leads are in "
        "pretraining. All leads always stand beside them, and need no entry",
    )

    @field_validator("sets")
    @classmethod
    def _each_lead_once(cls, sets: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, leads in sets.items():
            unknown = [lead for lead in leads if lead not in LEADS]
            if unknown or not leads or len(set(leads)) < len(leads):
                raise ValueError(f"{name}: one lead or more, each once, out of {' '.join(LEADS)}; found {leads}")
        return sets


class ConfoundersConfig(Section):
    """What vectors and models know of the recording that is not the patient."""

    variables: list[str] = Field(
        ["source", "device", "site", "year", "rate", "filter", "noise"],
        min_length=1,
        description="`snakemake confounders`: what is looked for, as far as the databases say it; beside these, a "
        "column of the manifest (`mains_frequency`, `sex`), or `native.{column}` of the databases' own tables",
    )
    min_patients: int = Field(
        20, ge=5, description="patients that a class of a variable needs; a class of fewer is left out, and named"
    )
    folds: int = Field(
        5, ge=2, description="folds of patients by which probes are cross-validated, at most `min_patients`"
    )
    max_records: int = Field(
        5000, ge=100, description="records that vectors are probed on: those of patients drawn by `seed`"
    )
    seed: Seed = Field(0, description="seed of drawing patients and of folds")

    @model_validator(mode="after")
    def _every_fold_has_every_class(self) -> ConfoundersConfig:
        if self.folds > self.min_patients:
            raise ValueError(f"folds {self.folds} is more than min_patients {self.min_patients}: some lack a class")
        return self


class SerialConfig(Section):
    """Reliability of scores and embeddings within a person, by the time between recordings."""

    gaps: list[Annotated[float, Field(gt=0)]] = Field(
        [1, 30, 365],
        min_length=1,
        description="`snakemake serial`: ends of the bins of time between two recordings, in days",
    )
    time: dict[Name, str] = Field(
        {
            "ptbxl": "recording_date",
            "mimic_iv_ecg": "ecg_time",
            "muse_xml": "AcquisitionDate",
            "cardiosoft_xml": "ObservationDateTime",
            "vendor_files": "acquired",
        },
        description="kind of a database: the column of its own table that says when a recording was made, a date or a "
        "number of days; of a kind that is not named nothing is known",
    )

    @field_validator("gaps")
    @classmethod
    def _gaps_grow(cls, gaps: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in itertools.pairwise(gaps)):
            raise ValueError(f"days that grow, e.g. [1, 30, 365]; found {gaps}")
        return gaps
