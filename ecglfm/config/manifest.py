"""What a user may say about splits and their audit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ecglfm.config.base import Section

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class FoldsConfig(Section):
    """Which of a database's own folds make which split; folds not named are in no split."""

    train: list[int] = Field(description="folds of the training split")
    valid: list[int] = Field(description="folds of the validation split")
    test: list[int] = Field(description="folds of the locked test split")

    @model_validator(mode="after")
    def _folds_are_disjoint(self) -> FoldsConfig:
        folds = self.train + self.valid + self.test
        if len(folds) != len(set(folds)):
            raise ValueError("a fold stands in two splits")
        return self


class ManifestConfig(Section):
    """Splits by patient, and the audit of them."""

    valid_fraction: Fraction = Field(
        0.1, description="share of patients in the validation split (sources without `folds`)"
    )
    test_fraction: Fraction = Field(
        0.1, description="share of patients in the locked test split (sources without `folds`)"
    )
    group_by: Literal["patient", "record"] = Field(
        "patient", description="unit of the split; `record` fails the audit as soon as a patient crosses splits"
    )
    folds: dict[str, FoldsConfig] = Field({}, description="source: native folds to use instead of the seeded hash")
    seed: int = Field(0, ge=0, description="seed of the hash that assigns patients to splits")
    duplicate_correlation: float = Field(
        0.98,
        gt=0,
        le=1,
        description="recordings correlating at least this much are duplicates; a pair across splits fails the build",
    )

    @model_validator(mode="after")
    def _something_left_to_train_on(self) -> ManifestConfig:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError("valid_fraction + test_fraction leave nothing to train on")
        return self
