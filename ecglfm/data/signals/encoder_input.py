"""What an encoder with an input contract reads, made of prepared signals.

Shapes: t samples, l leads.
"""

from __future__ import annotations

import math
from itertools import count
from typing import assert_never

import numpy as np

from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError, check_input
from ecglfm.config.input_steps import (
    ButterworthStep,
    ConstantsStep,
    DecimateStep,
    FirStep,
    InputStep,
    LimbLeadsStep,
    MedianBaselineStep,
    MinMaxStep,
    NotchStep,
    PadStep,
    ResampleStep,
    ScaleStep,
    StandardizeStep,
)
from ecglfm.data.signals.filters import ratio
from ecglfm.data.signals.input_steps import (
    LeadSum,
    apply_step,
    denominators,
    length_after,
    median_lengths,
    stable,
    with_sums,
)
from ecglfm.records import limb_weights


class EncoderInput:
    """The steps of a contract over prepared signals, in float64.

    Parameters
    ----------
    config : InputConfig
    preprocess : PreprocessConfig
        How the prepared signals are made.

    Attributes
    ----------
    rate : int
        Of prepared signals, Hz.
    columns : list of int
        Where each lead lies among prepared ones; anywhere, of those in `sums`.
    sums : list of LeadSum
        Leads that are computed from two of the limbs.

    Raises
    ------
    UserError
        It cannot be made of them: a lead is absent, a rate or a filter does not fit, they are filtered already, or a
        filter has no numbers that hold.
    """

    def __init__(self, config: InputConfig, preprocess: PreprocessConfig) -> None:
        check_input(config, preprocess, "input")
        self.config = config
        steps = list(config.placed(preprocess.sampling_rate))
        for place, step, rate in steps:
            if not stable(step, rate or 0):
                mend = "write `form: sos`, or " if getattr(step, "form", "") == "ba" else ""
                raise UserError(
                    f"input.{place}: {step.step}: a filter so narrow at {rate} Hz does not settle in double precision:"
                    f" {mend}higher frequencies or a lower order"
                )
        rated = [(step, rate or 0) for _, step, rate in steps]  # no rate is unknown
        self._record, self._window = rated[: len(config.record)], rated[len(config.record) :]
        self.rate = preprocess.sampling_rate
        self.columns, self.sums = _lead_sources(config.leads, preprocess.leads)

    @property
    def factor(self) -> int:
        """Samples that a window has before its steps, for one behind them."""
        return self.config.factor

    @property
    def shortest(self) -> int:
        """Fewest prepared samples of which the encoder reads at least one."""
        return next(samples for samples in count(2) if self.length(samples))

    @property
    def reach(self) -> float:
        """Seconds beyond which a sample has no part in what `record` makes; infinite where all of a recording has."""
        return sum(reach(step, rate) for step, rate in self._record)

    def length(self, samples: int) -> int:
        """Samples of what the encoder reads that so many prepared samples give."""
        for step, rate in self._record:
            samples = length_after(step, samples, rate)
        return samples // self.factor

    def record(self, signal_tl: np.ndarray) -> np.ndarray:
        """A whole recording behind the steps that concern it.

        Parameters
        ----------
        signal_tl : ndarray of int16, shape (n_samples, len(preprocess.leads))
            Prepared microvolts; at least two samples.

        Returns
        -------
        ndarray of float32, shape (length(n_samples) * factor or some more, len(config.leads))
        """
        given_lt = np.ascontiguousarray(signal_tl.T) / 1000.0
        x_lt = with_sums(given_lt[self.columns], given_lt, self.sums)
        for step, rate in self._record:
            x_lt = apply_step(step, x_lt, rate, self.config.leads)
        return np.ascontiguousarray(x_lt.T, np.float32)

    def window(self, piece_tl: np.ndarray) -> np.ndarray:
        """A window of what `record` gave behind the steps that concern it.

        Parameters
        ----------
        piece_tl : ndarray of float32, shape (n_samples, len(config.leads))
            Recorded samples alone: padding belongs behind this.

        Returns
        -------
        ndarray of float32, shape (n_samples // factor, len(config.leads))
            What the encoder reads.
        """
        if not self._window:
            return piece_tl
        x_lt = np.ascontiguousarray(piece_tl.T, np.float64)
        for step, rate in self._window:
            x_lt = apply_step(step, x_lt, rate, self.config.leads)
        return np.ascontiguousarray(x_lt.T, np.float32)


def reach(step: InputStep, rate: int) -> float:
    """Seconds beyond which a sample has no part in what a step makes; infinite where all of a signal has one.

    What a recursive filter gives has died away to 1e-6 by then. A line through the ends of a resampled lead, and its
    absence in all of a signal, count for nothing here.
    """
    match step:
        case ResampleStep(method="fourier" | "linear"):
            return 0.0 if step.rate == rate else math.inf
        case ResampleStep():
            factor = ratio(rate, step.rate)
            if step.rate * factor.denominator != rate * factor.numerator:
                return math.inf  # by no ratio of small numbers: its samples drift
            return 10 * max(factor.numerator, factor.denominator) / (factor.numerator * rate)
        case ButterworthStep() | NotchStep():
            pole = max(np.abs(np.roots(one)).max(initial=1e-9) for one in denominators(step, rate))
            return math.log(1e-6) / math.log(pole) / rate
        case FirStep():
            return step.taps / rate
        case MedianBaselineStep():
            return sum(median_lengths(step, rate)) / rate
        case ConstantsStep() | ScaleStep() | PadStep() | LimbLeadsStep():
            return 0.0
        case StandardizeStep() | MinMaxStep() | DecimateStep():
            return math.inf
        case _:
            assert_never(step)


def _lead_sources(wanted: list[str], given: list[str]) -> tuple[list[int], list[LeadSum]]:
    """Column of each lead, and those that are computed of two leads of the limbs."""
    columns = [given.index(lead) if lead in given else 0 for lead in wanted]
    limb = [lead for lead in given if lead in LEADS[:6]][:2]
    missing = [lead for lead in wanted if lead not in given]
    both = [given.index(lead) for lead in limb]
    return columns, [(wanted.index(lead), (both[0], both[1]), limb_weights(lead, *limb)) for lead in missing]
