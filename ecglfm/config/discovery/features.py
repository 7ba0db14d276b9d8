"""`discover.features`: what of an encoder's vectors is looked at as a trait."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ecglfm.config.base import Name, Section


class FeaturesConfig(Section):
    """ECG-derived features (EDFs) of people, from the vectors of their recordings."""

    kind: Literal["components", "dimensions", "attribution"] = Field(
        "components",
        description="`components`: the first principal components of people's vectors; `dimensions`: every dimension; "
        "`attribution`: the dimensions that a fine-tuned model relies on most for a label",
    )
    count: int = Field(
        10, ge=1, description="components, or dimensions by attribution, that are taken; `dimensions` takes all"
    )
    task: Name | None = Field(
        None, description="`attribution`: task of the fine-tuned model, whose vectors are then taken"
    )
    fit: str | None = Field(None, description="`attribution`: its fit, e.g. full-s0; null: the project's first")
    label: str | None = Field(None, description="`attribution`: label of that task")
    record: Literal["first", "mean", "nearest"] = Field(
        "first",
        description="one vector a person: of the first recording by its date (without one by its id), the mean of all, "
        "or of that nearest to the person's date in `baseline`",
    )
    baseline: str | None = Field(
        None, description="`nearest`: CSV or TSV with columns `patient_id` and `date`; who has none is left out"
    )
    sources: list[Name] | None = Field(None, description="sources whose people take part; null: of all")
    splits: list[Literal["train", "valid", "test"]] | None = Field(
        None, description="splits whose people take part; null: all. `attribution` learns labels from train and valid"
    )
    min_distinct: int = Field(
        21,
        ge=3,
        description="different values that a feature needs, or it is dropped and listed: a trait of two values would "
        "silently become a logistic regression",
    )

    @model_validator(mode="after")
    def _kinds_have_what_they_need(self) -> FeaturesConfig:
        if (self.kind == "attribution") != (self.task is not None and self.label is not None):
            raise ValueError("`kind: attribution` needs `task` and `label`, and no other kind takes them")
        if (self.record == "nearest") != (self.baseline is not None):
            raise ValueError("`record: nearest` needs `baseline`, a table of dates, and no other takes it")
        return self
