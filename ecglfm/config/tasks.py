"""What a user may say about a label set."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Name, Section


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
    snomed: list[str] = Field(
        [],
        description="`challenge2021`, and `wfdb_folder` whose headers have `#Dx:`: SNOMED CT codes; those that the "
        "Challenge scores as one diagnosis count as one",
    )
    report: list[str] = Field([], description="regular expressions searched in the report text, case ignored")
    column: dict[str, list[str]] = Field({}, description="column of the database's own table: values that count")

    @field_validator("snomed", mode="before")
    @classmethod
    def _unquoted_codes(cls, codes: Any) -> Any:
        """Codes are numbers to YAML unless they are quoted; both are meant as text."""
        if not isinstance(codes, list):
            return codes
        return [str(code) if isinstance(code, int) and not isinstance(code, bool) else code for code in codes]

    @model_validator(mode="after")
    def _selects_something(self) -> Selector:
        if not (self.scp or self.scp_class or self.snomed or self.report or self.column):
            raise ValueError("empty selector: give one of scp, scp_class, snomed, report, column")
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
