"""When a survival model says a risk, and what: the probability of the event until a time, by its baseline hazard."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.models.baseline_hazard import BaselineHazard, shared_horizons

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel

_WITHIN = "within_"


class Horizons:
    """Times at which models of one task say the risk of each label.

    Parameters
    ----------
    models : sequence of ECGModel
        Of several the mean of their probabilities is said.
    names : sequence of str
        What an error calls them.
    at : sequence of float
        In the unit of the label's times; empty: the quartiles of the event times of the validation patients, and no
        risk where a model keeps no baseline hazard.

    Raises
    ------
    UserError
        A risk is asked for that the models cannot say.
    """

    def __init__(self, models: Sequence[ECGModel], names: Sequence[str], at: Sequence[float] = ()) -> None:
        kind = models[0].link.kind
        if at and kind.time is None:
            raise UserError(f"{names[0]}: a time to say a risk at was named; a model of `kind: {kind.name}` says none")
        self._of = [
            _known(models, names, column, sorted(set(at))) if kind.time is not None else ((), ())
            for column in range(len(models[0].label_names))
        ]

    def said(self, column: int, name: str, risk_m: np.ndarray | None) -> dict[str, float | None]:
        """Columns `within_{time}.{label}` of one label, of the log hazard ratios of each model; None: of no answer."""
        baselines, times = self._of[column]
        return {
            f"{_WITHIN}{time:g}.{name}": None
            if risk_m is None
            else float(np.mean([one.probability(risk, time) for one, risk in zip(baselines, risk_m, strict=True)]))
            for time in times
        }


def _known(
    models: Sequence[ECGModel], names: Sequence[str], column: int, at: Sequence[float]
) -> tuple[tuple[BaselineHazard, ...], tuple[float, ...]]:
    """Baseline hazards of a label and the times asked for; neither where a model keeps none and none is asked for."""
    label, found = models[0].label_names[column], []
    for model, name in zip(models, names, strict=True):
        baseline = model.baselines[column] if model.baselines else None
        if baseline is None:
            if at:
                raise UserError(
                    f"{name}: keeps no baseline hazard of {label}, so that it says no risk at a time: it was fitted"
                    " before there were any, or no validation patient had the event; fit it again"
                )
            return (), ()
        for time in at:
            if not 0 < time <= baseline.until:
                raise UserError(
                    f"{name}: no risk of {label} is known at {time:g}: its validation patients were followed for"
                    f" {baseline.until:g}; ask for a time above 0 and up to that"
                )
        found.append(baseline)
    return tuple(found), tuple(at) or shared_horizons(found)


def percents(row: Mapping[str, Any], label: str) -> list[str]:
    """What a row of `Predictor.answer` says of a label until each time, for people: `12 % within 5`."""
    times = re.compile(rf"{_WITHIN}([0-9.e+-]+)\.{re.escape(label)}")
    risks = [(found[1], row[key]) for key in row if (found := times.fullmatch(key))]
    return [
        f"{100 * value:.{_digits(value)}f} % within {_time(float(time))}" for time, value in risks if pd.notna(value)
    ]


def _time(time: float) -> str:
    return f"{time:.0f}" if time >= 1000 else f"{time:.3g}"


def _digits(value: float) -> int:
    """Of a percentage: one where whole ones would say 0 or 100 too soon."""
    return 0 if 0.095 <= value <= 0.905 else 1
