"""The steps from prepared signals to what an encoder reads: a class for each `step`, with its units.

A new step is a class here and its name in a union below; its arithmetic is in `ecglfm.data.signals.input_steps`, and
what it is in an ONNX graph in `ecglfm.app.handover`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ecglfm.config.base import Section

_Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Over = Literal["lead", "all"]
_OVER = "statistics of each lead by itself, or one for all leads and samples together"


class _Step(Section):
    """What steps of every kind have."""

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """Why signals of these leads at `rate` (Hz) cannot be treated so, with the key that says so; None: they can."""
        del rate, leads
        return None


class ResampleStep(_Step):
    """Another sampling rate."""

    step: Literal["resample"] = Field(description="another sampling rate; at that rate already nothing is done")
    rate: int = Field(ge=20, le=20_000, description="sampling rate behind this step, Hz")
    method: Literal["polyphase", "fourier", "linear", "every"] = Field(
        "polyphase",
        description="SciPy's `resample_poly`; its `resample`; a line from sample to sample, the first and the last in"
        " place; or every k-th sample, without a filter",
    )
    ends: Literal["line", "zeros"] = Field(
        "line",
        description="`polyphase`: a lead goes on along the line through its first and last sample, as in `preprocess`,"
        " or with zeros",
    )

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """Every k-th sample is there where k is whole."""
        del leads
        if self.method == "every" and rate % self.rate:
            mend = "prepare signals at one (`preprocess.sampling_rate`), or in an `input` of your own write"
            return f"method: every: {rate} Hz is no multiple of {self.rate} Hz: {mend} `method: polyphase`"
        return None


class DecimateStep(_Step):
    """SciPy's `decimate`."""

    step: Literal["decimate"] = Field(
        description="every k-th sample behind a low-pass without delay (Chebyshev, order 8, 0.05 dB, 0.8 of the new"
        " half rate); a window that is no multiple of k loses its last samples"
    )
    factor: int = Field(ge=2, le=13, description="k")
    joined: bool = Field(
        False, description="leads are one signal while they are filtered, the next behind the last, and parted again"
    )


class ButterworthStep(_Step):
    """Zero-phase Butterworth filter."""

    step: Literal["butterworth"] = Field(
        description="Butterworth filter, forwards and backwards: band-pass, or with one cut-off high- or low-pass"
    )
    low: float | None = Field(None, gt=0, description="lower cut-off, Hz; null: a low-pass")
    high: float | None = Field(None, gt=0, description="upper cut-off, Hz; null: a high-pass")
    order: int = Field(ge=1, le=8, description="order of the filter")
    form: Literal["sos", "ba"] = Field(
        "sos", description="second-order sections (`sosfiltfilt`), or one quotient of polynomials (`filtfilt`)"
    )

    @model_validator(mode="after")
    def _is_a_filter(self) -> ButterworthStep:
        if self.low is None and self.high is None:
            raise ValueError("a Butterworth filter has a cut-off: write `low`, `high` or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low: {self.low:g} Hz is not below high: {self.high:g} Hz")
        return self

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """Beyond half the sampling rate there are no such frequencies."""
        del leads
        key, highest = ("high", self.high) if self.high is not None else ("low", self.low)
        return _too_fast(key, highest or 0.0, rate)


class NotchStep(_Step):
    """Zero-phase notch against mains hum."""

    step: Literal["notch"] = Field(description="notch of second order (`iirnotch`), forwards and backwards")
    frequency: float = Field(50.0, gt=0, description="what is taken out, Hz")
    quality: float = Field(30.0, gt=0, le=1e4, description="centre frequency over width")

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """Beyond half the sampling rate there are no such frequencies."""
        del leads
        return _too_fast("frequency", self.frequency, rate)


class FirStep(_Step):
    """Zero-phase band-pass of finite length."""

    step: Literal["fir"] = Field(description="band-pass of finite length (`firwin`, Hamming), forwards and backwards")
    low: float = Field(gt=0, le=10_000, description="lower cut-off, Hz")
    high: float = Field(gt=0, description="upper cut-off, Hz")
    taps: int = Field(ge=3, le=2001, description="length of the filter, samples; odd")

    @model_validator(mode="after")
    def _is_a_filter(self) -> FirStep:
        if self.low >= self.high:
            raise ValueError(f"low: {self.low:g} Hz is not below high: {self.high:g} Hz")
        if self.taps % 2 == 0:
            raise ValueError(f"taps: {self.taps} is even, and such a filter passes nothing at half the rate")
        return self

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """Beyond half the sampling rate there are no such frequencies."""
        del leads
        return _too_fast("high", self.high, rate)


class MedianBaselineStep(_Step):
    """Minus the baseline that a running median finds."""

    step: Literal["median_baseline"] = Field(description="minus the baseline that a running median finds")
    seconds: list[Annotated[float, Field(gt=0, le=10)]] = Field(
        min_length=1,
        max_length=4,
        description="lengths of the medians, s, each of what the one before gave; s times rate, and one",
    )
    edges: Literal["zeros", "nearest"] = Field("zeros", description="what is beyond the ends")


class StandardizeStep(_Step):
    """Mean 0 and deviation 1."""

    step: Literal["standardize"] = Field(description="minus the mean, over the population's standard deviation")
    over: Over = Field("lead", description=_OVER)
    epsilon: float = Field(0.0, ge=0, le=1, description="is added to the deviation")
    constant: float = Field(0.0, ge=-1e6, le=1e6, description="what a lead, or all, becomes that never moves (by 1e-7)")


class MinMaxStep(_Step):
    """From the smallest to the largest value."""

    step: Literal["min_max"] = Field(description="smallest value to `low`, largest to 1")
    over: Over = Field("lead", description=_OVER)
    epsilon: float = Field(1e-8, gt=0, le=1, description="is added to the range; a lead that never moves becomes `low`")
    low: Literal[0, -1] = Field(0, description="what the smallest value becomes")


class ConstantsStep(_Step):
    """Fixed numbers per lead."""

    step: Literal["constants"] = Field(
        description="each lead is held between two numbers, then minus a third, over a fourth; in the order of `leads`,"
        " in the unit that it has by then"
    )
    lower: list[_Number] = Field(description="smallest value that stays")
    upper: list[_Number] = Field(description="largest value that stays")
    mean: list[_Number] = Field(description="is subtracted")
    deviation: list[Annotated[float, Field(gt=0)]] = Field(description="is divided by")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> ConstantsStep:
        for lower, upper in zip(self.lower, self.upper, strict=False):
            if lower > upper:
                raise ValueError(f"lower: {lower:g} is above upper: {upper:g}")
        return self

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """A number per lead."""
        del rate
        for name in ("lower", "upper", "mean", "deviation"):
            if len(getattr(self, name)) != len(leads):
                return f"{name}: {len(getattr(self, name))} numbers for {len(leads)} leads"
        return None


class ScaleStep(_Step):
    """Another unit."""

    step: Literal["scale"] = Field(description="another unit")
    per_millivolt: float = Field(gt=0, le=1e9, description="what 1 mV is in it, e.g. 204.918 of 4.88 uV")
    round: bool = Field(False, description="to whole numbers")


class PadStep(_Step):
    """Zeros up to a length."""

    step: Literal["pad"] = Field(description="zeros up to a length; a longer recording stays as it is")
    seconds: float = Field(gt=0, le=60, description="that length, s; at most 60")
    where: Literal["behind", "both"] = Field("behind", description="where they are; both: half of them in front")


class LimbLeadsStep(_Step):
    """Four limb leads anew."""

    step: Literal["limb_leads"] = Field(description="III, aVR, aVL and aVF are computed anew from I and II")

    def misfit(self, rate: int, leads: Sequence[str]) -> str | None:
        """Both must be there."""
        del rate
        missing = [lead for lead in ("I", "II") if lead not in leads]
        return f"{missing[0]} is not in `leads`" if missing else None


_Anywhere = (
    ButterworthStep
    | NotchStep
    | FirStep
    | MedianBaselineStep
    | StandardizeStep
    | MinMaxStep
    | ConstantsStep
    | ScaleStep
    | LimbLeadsStep
)
#: A step over a whole recording, and one over each window, by their `step`.
RecordStep = Annotated[ResampleStep | PadStep | _Anywhere, Field(discriminator="step")]
WindowStep = Annotated[DecimateStep | _Anywhere, Field(discriminator="step")]
InputStep = ResampleStep | PadStep | DecimateStep | _Anywhere


def _too_fast(key: str, frequency: float, rate: int) -> str | None:
    return None if frequency < rate / 2 else f"{key}: {frequency:g} Hz is not below {rate / 2:g} Hz, half of the rate"
