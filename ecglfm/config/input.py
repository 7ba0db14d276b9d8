"""What an encoder may say of its input: how what it reads is made of prepared signals, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from pydantic import Field, field_validator, model_validator

from ecglfm.config.base import Section, UserError, parse
from ecglfm.config.input_steps import (
    ConstantsStep,
    DecimateStep,
    InputStep,
    LimbLeadsStep,
    MinMaxStep,
    PadStep,
    RecordStep,
    ResampleStep,
    ScaleStep,
    StandardizeStep,
    WindowStep,
)
from ecglfm.config.signals import LEADS, PreprocessConfig

_LIMB = LEADS[:6]


class InputConfig(Section):
    """How what an encoder reads is made of prepared signals."""

    leads: list[str] = Field(
        min_length=1,
        description="leads in the order in which it reads them; `preprocess.leads` has each, or two of the limbs to"
        " compute it from",
    )
    sampling_rate: int = Field(ge=20, le=20_000, description="of what it reads, Hz")
    unit: str = Field("mV", max_length=100, description="of what it reads; for people")
    record: list[RecordStep] = Field(
        [],
        max_length=32,
        description="steps over the whole recording, in this order; it begins in mV, at `preprocess.sampling_rate`",
    )
    window_seconds: float = Field(
        gt=0,
        le=3600,
        description="length of the windows that are cut from that, s; one behind the other, a remainder is left out,"
        " a shorter recording is one window of its own length",
    )
    window: list[WindowStep] = Field([], max_length=32, description="steps over each window, in this order")

    @property
    def factor(self) -> int:
        """Samples that a window has before its steps, for one behind them."""
        return prod(step.factor for step in self.window if isinstance(step, DecimateStep))

    @property
    def window_samples(self) -> int:
        """Length of a window as the encoder reads it."""
        return round(self.window_seconds * self.sampling_rate)

    @property
    def millivolts(self) -> bool:
        """Whether what it reads is in mV: no step changes the unit."""
        others = StandardizeStep | MinMaxStep | ConstantsStep | ScaleStep
        return not any(isinstance(step, others) for step in (*self.record, *self.window))

    def in_millivolts(self) -> InputConfig:
        """The same without filters and other units, sample for sample: what people look at."""
        kept = ResampleStep | PadStep | DecimateStep | LimbLeadsStep
        steps = {
            scope: [step for step in getattr(self, scope) if isinstance(step, kept)] for scope in ("record", "window")
        }
        return self.model_copy(update=steps | {"unit": "mV"})

    def raw(self, seconds: float, where: str = "windows") -> InputConfig:
        """The same leads at the same rate in mV, without filters, padding and scaling, in windows of another length.

        Parameters
        ----------
        seconds : float
            Length of the windows.
        where : str
            Who asks for them, for a message.

        Raises
        ------
        UserError
            They would be no whole number of samples.
        """
        raw = self.in_millivolts()
        record = [step for step in raw.record if not isinstance(step, PadStep)]
        content = raw.model_dump() | {"record": record, "window_seconds": seconds}
        return parse(InputConfig, content, where)

    def placed(self, rate: int | None) -> Iterator[tuple[str, InputStep, int | None]]:
        """Each step with its place and the rate before it, Hz; `rate` is that of prepared signals, None: not known."""
        for number, step in enumerate(self.record):
            yield f"record.{number}", step, rate
            rate = step.rate if isinstance(step, ResampleStep) else rate
        rate = self.sampling_rate * self.factor
        for number, piece in enumerate(self.window):
            yield f"window.{number}", piece, rate
            rate = rate // piece.factor if isinstance(piece, DecimateStep) else rate

    def misfit(self, rate: int | None) -> str | None:
        """Why a step cannot be made where prepared signals have this rate, Hz; None: all can, or nobody knows yet."""
        for place, step, before in self.placed(rate):
            problem = None if before is None else step.misfit(before, self.leads)
            if problem is not None:
                return f"{place}: {step.step}: {problem}"
        return None

    @field_validator("leads")
    @classmethod
    def _leads_are_known(cls, leads: list[str]) -> list[str]:
        unknown = [lead for lead in leads if lead not in LEADS]
        if unknown or len(set(leads)) != len(leads):
            raise ValueError(f"each lead once, out of {' '.join(LEADS)}; wrong here: {unknown or leads}")
        return leads

    @model_validator(mode="after")
    def _steps_fit(self) -> InputConfig:
        rates = [step.rate for step in self.record if isinstance(step, ResampleStep)]
        if rates and rates[-1] != self.sampling_rate * self.factor:
            given = f"{rates[-1] / self.factor:g} Hz"
            raise ValueError(f"its steps end at {given}, and sampling_rate is {self.sampling_rate} Hz")
        samples = self.window_seconds * self.sampling_rate
        if abs(samples - self.window_samples) > 1e-6 or not self.window_samples:
            raise ValueError(f"window_seconds: {samples:g} samples at {self.sampling_rate} Hz are no whole number")
        if (problem := self.misfit(None)) is not None:
            raise ValueError(problem)
        return self


def check_input(config: InputConfig, preprocess: PreprocessConfig, where: str) -> None:
    """Raise `UserError` where it cannot be made of signals that are prepared so; `where` is the key that says it."""
    for name in ("bandpass", "notch"):
        if getattr(preprocess, name) is not None:
            raise UserError(
                f"preprocess.{name}: {where} begins with signals that no filter has seen: write `{name}: null`"
            )
    limb = sum(lead in _LIMB for lead in preprocess.leads)
    for lead in config.leads:
        if lead not in preprocess.leads and (lead not in _LIMB or limb < 2):
            raise UserError(
                f"{where}.leads: {lead} is not in preprocess.leads, nor computed from two leads of the limbs; "
                "add it there, or leave this encoder out"
            )
    rate, wanted = preprocess.sampling_rate, config.sampling_rate * config.factor
    if rate != wanted and not any(isinstance(step, ResampleStep) for step in config.record):
        missing = f"`record: [{{step: resample, rate: {wanted}}}]`"
        raise UserError(f"{where}: {wanted} Hz are wanted, and preprocess.sampling_rate is {rate} Hz: write {missing}")
    if (problem := config.misfit(rate)) is not None:
        raise UserError(f"{where}.{problem}")
