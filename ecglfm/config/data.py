"""What a user may say about data: databases, signals, splits, label sets."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Name, Section

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
#: Tables of a database, relative to its root: what its index is made from.
TABLES = {
    "ptbxl": ("ptbxl_database.csv", "scp_statements.csv"),
    "mimic_iv_ecg": ("record_list.csv", "machine_measurements.csv"),
}
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class SourceConfig(Section):
    """One database (`config/sources/{source}.yaml`)."""

    kind: Literal["ptbxl", "mimic_iv_ecg", "synthetic"] = Field(
        description="which adapter of `ecglfm/sources/` reads it"
    )
    root: str | None = Field(
        None, description="folder of the database; `roots:` in config.yaml overrides it; null for `synthetic`"
    )
    shards: int = Field(1, ge=1, description="number of jobs (and files) that ingest and preprocess are split into")
    rate: Literal[100, 500] = Field(500, description="`ptbxl` only: read records100/ or records500/ (Hz)")
    layout: Literal["ptbxl", "mimic_iv_ecg"] = Field("ptbxl", description="`synthetic` only: the file layout to write")
    patients: int = Field(200, ge=1, description="`synthetic` only: number of patients")
    records_per_patient: int = Field(2, ge=1, description="`synthetic` only: recordings of each patient")
    seed: int = Field(0, ge=0, description="`synthetic` only: seed of the generator")

    @property
    def native_kind(self) -> str:
        """The kind whose layout and label selectors apply (a synthetic database imitates one)."""
        return self.layout if self.kind == "synthetic" else self.kind

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables of the database, relative to its root."""
        return TABLES[self.native_kind]

    @model_validator(mode="after")
    def _root_is_given(self) -> SourceConfig:
        if self.kind != "synthetic" and not self.root:
            raise ValueError("`root` is missing: the folder that holds the database")
        return self


class BandpassConfig(Section):
    """Zero-phase Butterworth band-pass."""

    low: float = Field(0.5, gt=0, description="lower cut-off, Hz")
    high: float = Field(100.0, gt=0, description="upper cut-off, Hz")
    order: int = Field(3, ge=1, le=8, description="order of the Butterworth filter (applied forwards and backwards)")


class NotchConfig(Section):
    """Zero-phase notch against mains hum."""

    frequency: float = Field(50.0, gt=0, description="mains frequency, Hz")
    quality: float = Field(30.0, gt=0, description="Q of the notch: centre frequency over width")


class QualityTest(Section):
    """What a measured quality may be at most, and what happens beyond it."""

    limit: float = Field(description="largest value that passes")
    action: Literal["drop", "flag", "keep"] = Field(
        "flag", description="beyond the limit: drop the record, flag it in the ledger, or keep it silently"
    )


class QualityConfig(Section):
    """A test per measured quality; every measurement is in the preprocess table whatever the action."""

    missing_fraction: QualityTest = Field(
        QualityTest(limit=0.1, action="drop"),
        description="share of samples that could not be held (NaN, beyond +-32.767 mV)",
    )
    flat_leads: QualityTest = Field(
        QualityTest(limit=0, action="flag"), description="number of leads that never move (peak to peak under 10 uV)"
    )
    clipped_fraction: QualityTest = Field(
        QualityTest(limit=0.01, action="flag"),
        description="share of samples at a lead's own extreme, in runs of at least 10 ms",
    )
    einthoven_residual: QualityTest = Field(
        QualityTest(limit=0.2, action="flag"),
        description="root mean square of I + III - II over that of II: swapped or uncalibrated limb leads",
    )


class PreprocessConfig(Section):
    """From ingest shards to model-ready signals."""

    sampling_rate: int = Field(500, ge=50, description="rate of the prepared signals, Hz")
    leads: list[str] = Field(
        list(LEADS), description="leads and their order in the prepared signals; the encoder reads them in this order"
    )
    bandpass: BandpassConfig | None = Field(None, description="band-pass filter; null: none (as ECG-LFM)")
    notch: NotchConfig | None = Field(None, description="mains notch; null: none (as ECG-LFM)")
    max_gap_seconds: float = Field(
        0.2, ge=0, description="missing runs up to this long are interpolated; longer ones become 0 and are flagged"
    )
    quality: QualityConfig = Field(QualityConfig(), description="quality tests")

    @field_validator("leads")
    @classmethod
    def _leads_are_known(cls, leads: list[str]) -> list[str]:
        unknown = [lead for lead in leads if lead not in LEADS]
        if unknown or len(set(leads)) != len(leads) or not leads:
            raise ValueError(f"each lead once, out of {' '.join(LEADS)}; wrong here: {unknown or leads}")
        return leads


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


class Selector(Section):
    """Which records of a source kind carry a label: any listed clause is enough."""

    scp: list[str] = Field([], description="`ptbxl`: SCP-ECG codes")
    scp_class: list[str] = Field(
        [], description="`ptbxl`: diagnostic classes of scp_statements.csv (NORM MI STTC CD HYP)"
    )
    min_likelihood: float = Field(
        0.0,
        ge=0,
        le=100,
        description="`ptbxl`: smallest likelihood that counts; 0: any listed code, as the benchmark does",
    )
    report: list[str] = Field([], description="regular expressions searched in the report text, case ignored")
    column: dict[str, list[str]] = Field({}, description="column of the database's own table: values that count")

    @model_validator(mode="after")
    def _selects_something(self) -> Selector:
        if not (self.scp or self.scp_class or self.report or self.column):
            raise ValueError("empty selector: give one of scp, scp_class, report, column")
        for pattern in self.report:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"report pattern {pattern!r} is not a regular expression: {error}") from None
        return self


class TaskConfig(Section):
    """One label set (`config/tasks/{task}.yaml`)."""

    kind: Literal["binary", "multilabel"] = Field(description="what the labels are; `binary` has exactly one label")
    description: str = Field("", description="one sentence for the report")
    sources: list[Name] | None = Field(
        None, min_length=1, description="sources to take records from; null: all of config.yaml"
    )
    labels: dict[str, dict[str, Selector]] = Field(
        description="label: {source kind: selector}; a source kind without selector leaves the label unknown there"
    )
    missing: Literal["negative", "drop"] = Field(
        "negative", description="records without any of the labels: negatives, or dropped (PTB-XL benchmark)"
    )

    @model_validator(mode="after")
    def _labels_fit_kind(self) -> TaskConfig:
        if not self.labels:
            raise ValueError("`labels` is empty")
        if self.kind == "binary" and len(self.labels) != 1:
            raise ValueError(f"`kind: binary` has exactly one label, found {len(self.labels)}; write `multilabel`")
        for label in self.labels:
            if not label or re.search(r"[\s/{}.]", label):
                raise ValueError(f"label {label!r}: no spaces, dots, slashes or braces, please")
        return self
