"""What a user may say about augmentation: a class for each `kind` of change of a training segment, with its units.

A new kind is a class here and its name in `AugmentConfig`, and a module in `KINDS` of `ecglfm.models.augmentation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from ecglfm.config.base import Section, UserError
from ecglfm.config.input import InputConfig
from ecglfm.config.signals import LEADS, PreprocessConfig

CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
LIMBS = ("RA", "LA", "LL")


def _in_order(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"from {limits[0]:g} to {limits[1]:g} is no range: the smaller number comes first")
    return limits


#: Smallest and largest: each segment draws its own value, uniformly between them.
Range = Annotated[tuple[float, float], AfterValidator(_in_order)]


def _positive(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] < 0:
        raise ValueError(f"{limits[0]:g} is below 0")
    return limits


_Amplitude = Annotated[Range, AfterValidator(_positive)]


class _Change(Section):
    """What changes of every kind have."""

    probability: float = Field(0.5, gt=0, le=1, description="share of the segments that are changed so")

    def misfit(self, preprocess: PreprocessConfig) -> str | None:
        """Why signals that are prepared so cannot be changed so, with the key that says so; None: they can."""
        del preprocess
        return None


class NoiseConfig(_Change):
    """White noise of each electrode."""

    kind: Literal["noise"] = Field(description="white noise of each electrode, as muscles make it")
    mv: _Amplitude = Field((0.0, 0.05), description="root mean square in leads I, II and III, mV, from and to")


class PowerlineConfig(_Change):
    """Hum of the mains at each electrode."""

    kind: Literal["powerline"] = Field(description="a sine of the mains at each electrode, with a phase of its own")
    mv: _Amplitude = Field((0.0, 0.05), description="root mean square in leads I, II and III, mV, from and to")
    hz: float = Field(50.0, gt=0, description="of the mains, Hz")

    def misfit(self, preprocess: PreprocessConfig) -> str | None:
        """Beyond half the sampling rate there are no such frequencies."""
        return _too_fast(self.hz, preprocess)


class BaselineConfig(_Change):
    """Wander of the baseline."""

    kind: Literal["baseline"] = Field(description="wander of each electrode's potential: three slow sines")
    mv: _Amplitude = Field((0.0, 0.2), description="root mean square in leads I, II and III, mV, from and to")
    hz: _Amplitude = Field((0.05, 0.5), description="from which to which their frequencies are drawn, Hz")

    def misfit(self, preprocess: PreprocessConfig) -> str | None:
        """Beyond half the sampling rate there are no such frequencies."""
        half = preprocess.sampling_rate / 2
        return (
            None if self.hz[1] < half else f"hz: {self.hz[1]:g} is not below half of preprocess.sampling_rate, {half:g}"
        )


class GainConfig(_Change):
    """One factor for all leads."""

    kind: Literal["gain"] = Field(description="all leads times one factor")
    db: Range = Field((-2.0, 2.0), description="factor, dB: 6 doubles the amplitude, -6 halves it; from and to")


class TimeWarpConfig(_Change):
    """A faster and a slower half."""

    kind: Literal["time_warp"] = Field(description="one half of the segment is played slower, the other faster")
    percent: Range = Field(
        (-5.0, 5.0),
        description="by how much later comes what lies in the first half, % of its time; the second half is as much "
        "faster; from and to",
    )

    @field_validator("percent")
    @classmethod
    def _time_runs_forward(cls, percent: tuple[float, float]) -> tuple[float, float]:
        if max(map(abs, percent)) > 50:
            raise ValueError("more than 50 % leaves too few samples of a half")
        return percent


class LeadPermutationConfig(_Change):
    """Electrodes that are mixed up."""

    kind: Literal["lead_permutation"] = Field(description="electrodes of a group are mixed up")
    group: list[Literal["V1", "V2", "V3", "V4", "V5", "V6", "RA", "LA", "LL"]] = Field(
        min_length=2, description="electrodes of the chest, `V1` to `V6`, or of the limbs, `RA`, `LA`, `LL`"
    )

    @field_validator("group")
    @classmethod
    def _of_one_kind(cls, group: list[str]) -> list[str]:
        if len(set(group)) < len(group):
            raise ValueError(f"an electrode stands twice: {' '.join(group)}")
        if 0 < len(set(group) & set(LIMBS)) < len(group):
            raise ValueError("electrodes of the chest and of the limbs are not mixed up; write two changes")
        return group

    def misfit(self, preprocess: PreprocessConfig) -> str | None:
        """What is mixed up must be there."""
        if set(self.group) & set(LIMBS):
            return _limbs_misfit(preprocess, f"group: {' '.join(self.group)}")
        missing = [name for name in self.group if name not in preprocess.leads]
        return f"group: {missing[0]} is not in preprocess.leads; take it out of the group" if missing else None


class RotationConfig(_Change):
    """The heart's vector is turned and stretched (3KG, arXiv:2106.04452)."""

    kind: Literal["rotation"] = Field(description="the heart's vector is turned and stretched")
    degrees: float = Field(
        20.0, ge=0, le=180, description="largest angle about each of the three axes, degrees; drawn from minus it to it"
    )
    scale: _Amplitude = Field((1.0, 1.0), description="factor along each axis, drawn by itself; from and to")

    def misfit(self, preprocess: PreprocessConfig) -> str | None:
        """The vector is that of eight leads."""
        missing = [name for name in CHEST if name not in preprocess.leads]
        if missing:
            return f"the heart's vector needs V1 to V6, and {missing[0]} is not in preprocess.leads"
        return _limbs_misfit(preprocess, "the heart's vector")


def _too_fast(hz: float, preprocess: PreprocessConfig) -> str | None:
    half = preprocess.sampling_rate / 2
    return None if hz < half else f"hz: {hz:g} is not below half of preprocess.sampling_rate, {half:g}"


def _limbs_misfit(preprocess: PreprocessConfig, what: str) -> str | None:
    limb = [lead for lead in preprocess.leads if lead in LEADS[:6]]
    return None if len(limb) >= 2 else f"{what} needs two leads of the limbs, and preprocess.leads has {len(limb)}"


#: A change of training segments, by its `kind`.
AugmentConfig = Annotated[
    NoiseConfig
    | PowerlineConfig
    | BaselineConfig
    | GainConfig
    | TimeWarpConfig
    | LeadPermutationConfig
    | RotationConfig,
    Field(discriminator="kind"),
]


def check_augment(
    augment: Sequence[AugmentConfig], preprocess: PreprocessConfig, where: str, input_: InputConfig | None = None
) -> None:
    """Raise `UserError` where a change cannot be made of what an encoder reads.

    Parameters
    ----------
    augment : sequence of sections
    preprocess : PreprocessConfig
        How the signals are prepared.
    where : str
        The list's key.
    input_ : InputConfig, optional
        What is made of these before they are changed.
    """
    section = "preprocess"
    if input_ is not None:
        geometry = {"leads": input_.leads, "sampling_rate": input_.sampling_rate}
        preprocess, section = preprocess.model_copy(update=geometry), "input"
    for number, change in enumerate(augment):
        if input_ is not None and change.kind != "time_warp" and not input_.millivolts:
            raise UserError(
                f"{where}.{number}: {change.kind}: changes millivolts, and what the steps of `input` give this encoder"
                " is no longer in mV: of the changes it can only have time_warp; write `augment` for it in its own YAML"
            )
        if (misfit := change.misfit(preprocess)) is not None:
            raise UserError(f"{where}.{number}: {change.kind}: {misfit.replace('preprocess', section)}")
