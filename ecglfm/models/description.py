"""What `encoder.json` and `model.json` say, checked by types: they may have been edited by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from ecglfm.config import InputConfig, ModelConfig, PreprocessConfig, Section
from ecglfm.config.fits import Mode
from ecglfm.config.kinds import KINDS
from ecglfm.config.one_of import OneOf
from ecglfm.models.baseline_hazard import GROUPS, BaselineHazard
from ecglfm.models.calibration import Calibration
from ecglfm.models.conformal import Conformal
from ecglfm.models.outputs import AGGREGATES, Link, link_of
from ecglfm.models.reference import PARTS

MAX_WINDOW = 1 << 20  # samples, 35 minutes at 500 Hz: what a batch of short recordings is filled up to
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Description(Section):
    """Keys that a module is built from; the others in the file tell where it comes from, and are not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class EncoderDescription(Description):
    """The encoder."""

    model: ModelConfig
    leads: list[str]
    sampling_rate: int = Field(ge=1)
    preprocess: PreprocessConfig
    crop_seconds: float = Field(gt=0, allow_inf_nan=False)
    input: InputConfig | None = None

    @field_validator("leads")
    @classmethod
    def _leads_are_known(cls, leads: list[str]) -> list[str]:
        return PreprocessConfig(leads=leads).leads

    @model_validator(mode="after")
    def _agrees(self) -> EncoderDescription:
        of, name = (self.preprocess, "preprocess") if self.input is None else (self.input, "input")
        for key in ("leads", "sampling_rate"):
            found, said = getattr(self, key), getattr(of, key)
            if found != said:
                raise ValueError(f"{key} is {found}, but {name}.{key} is {said}: one of them was edited")
        if self.input is not None and self.crop_seconds != self.input.window_seconds:
            seconds = self.input.window_seconds
            raise ValueError(f"crop_seconds is {self.crop_seconds:g}, but input.window_seconds is {seconds:g}")
        if self.crop_seconds * self.sampling_rate > MAX_WINDOW:
            raise ValueError(
                f"windows of crop_seconds {self.crop_seconds:g} at {self.sampling_rate} Hz are longer than "
                f"{MAX_WINDOW} samples, the most that is read"
            )
        return self


class ConformalDescription(Description):
    """Cut-offs of prediction sets, by label."""

    coverage: float = Field(gt=0, lt=1)
    present_from: list[Finite | None]
    absent_to: list[Finite | None]
    positives: list[int]
    negatives: list[int]


class BaselineDescription(Description):
    """Cumulative baseline hazard of a label of survival, and what its risks are like."""

    times: list[Annotated[Finite, Field(gt=0)]] = Field(min_length=1)
    hazard: list[Annotated[Finite, Field(gt=0)]] = Field(min_length=1)
    until: Annotated[Finite, Field(gt=0)]
    horizons: list[Annotated[Finite, Field(gt=0)]] = Field(min_length=1)
    scale: Annotated[Finite, Field(gt=0)]
    limits: list[Finite] = Field(min_length=GROUPS - 1, max_length=GROUPS - 1)
    slope: Annotated[Finite, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _rises(self) -> BaselineDescription:
        if len(self.times) != len(self.hazard):
            raise ValueError("`times` and `hazard` must be lists of the same length")
        for key in ("times", "hazard", "horizons", "limits"):
            values = getattr(self, key)
            if values != sorted(values):
                raise ValueError(f"`{key}` must rise")
        if max(self.times[-1], self.horizons[-1]) > self.until:
            raise ValueError(f"there is a time beyond `until`, {self.until:g}")
        return self

    @property
    def baseline(self) -> BaselineHazard:
        """What it describes."""
        lists = {key: tuple(getattr(self, key)) for key in ("times", "hazard", "horizons", "limits")}
        return BaselineHazard(until=self.until, scale=self.scale, slope=self.slope, **lists)


class ReferenceDescription(Description):
    """Limits of distances to the training recordings, whose clouds lie with the weights."""

    share: float = Field(gt=0, lt=1)
    limits: dict[Literal[PARTS], Annotated[Finite, Field(ge=0)]] = Field(min_length=len(PARTS))  # type: ignore[valid-type]
    common_flags: list[str]


class ModelDescription(Description):
    """What stands on the encoder; a file from before there were kinds is of a multilabel model."""

    encoder: dict[str, Any]
    mode: Mode
    kind: Annotated[str, OneOf(lambda: KINDS)] = "multilabel"
    aggregate: Literal[AGGREGATES] = "mean"  # type: ignore[valid-type]
    label_names: list[str] = Field(min_length=1)
    thresholds: list[Annotated[Finite, Field(ge=0, le=1)]] | None = None
    temperature: list[Annotated[Finite, Field(gt=0)]] | None = None
    conformal: ConformalDescription | None = None
    baseline_hazards: list[BaselineDescription | None] | None = None
    reference: ReferenceDescription | None = None
    target_mean: list[Finite] | None = None
    target_scale: list[Annotated[Finite, Field(gt=0)]] | None = None

    @field_validator("label_names")
    @classmethod
    def _names_can_be_shown(cls, names: list[str]) -> list[str]:
        for name in names:
            if not 0 < len(name) <= 200 or not name.isprintable():
                raise ValueError(f"{name[:40]!r} is no name of a label: up to 200 characters that can be printed")
        return names

    @model_validator(mode="after")
    def _has_one_of_each_label(self) -> ModelDescription:
        if len(set(self.label_names)) < len(self.label_names):
            raise ValueError(f"label_names has a name twice: {self.label_names}")
        kind = KINDS[self.kind]
        needed = ["thresholds", *(["temperature"] if self.temperature is not None else [])] if kind.has_classes else []
        for key in needed + (["target_mean", "target_scale"] if kind.standardized else []):
            if len(getattr(self, key) or ()) != len(self.label_names):
                raise ValueError(f"`label_names` and `{key}` must be lists of the same length")
        if not kind.has_classes and (self.temperature or self.conformal):
            raise ValueError(f"a model of kind {self.kind} has no `temperature` and no `conformal`")
        if self.baseline_hazards is not None:
            if kind.time is None:
                raise ValueError(f"a model of kind {self.kind} has no `baseline_hazards`")
            if len(self.baseline_hazards) != len(self.label_names):
                raise ValueError("`label_names` and `baseline_hazards` must be lists of the same length")
        for key, values in dict(self.conformal or {}).items():
            if isinstance(values, list) and len(values) != len(self.label_names):
                raise ValueError(f"`label_names` and `conformal.{key}` must be lists of the same length")
        if self.temperature and kind.exclusive and len(set(self.temperature)) > 1:
            raise ValueError(f"`temperature` of kind {self.kind} is one number for all classes: {self.temperature}")
        return self

    @property
    def calibration(self) -> Calibration | None:
        """Temperatures; None where the file has none: the model is not calibrated."""
        if self.temperature is None:
            return None
        return Calibration(np.array(self.temperature), KINDS[self.kind].exclusive)

    @property
    def sets(self) -> Conformal | None:
        """Cut-offs of prediction sets; None where the file has none."""
        if self.conformal is None:
            return None
        cuts = {key: tuple(value) for key, value in self.conformal if isinstance(value, list)}
        return Conformal(coverage=self.conformal.coverage, **cuts)

    @property
    def baselines(self) -> list[BaselineHazard | None]:
        """Baseline hazards by label; empty where the file has none."""
        return [None if one is None else one.baseline for one in self.baseline_hazards or []]

    @property
    def link(self) -> Link:
        """What the logits mean."""
        return link_of(self.kind, tuple(self.target_mean or ()), tuple(self.target_scale or ()))
