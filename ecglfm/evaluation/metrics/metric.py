"""What a metric says of itself; the one place where that is written down.

Tables, cards, comparisons, intervals, MLflow and benchmarks read it from here: whoever adds a metric declares it beside
the others of its kind (`class_metrics.py`, `quantity_metrics.py`, `survival_metrics.py`) and touches nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecglfm.evaluation.metrics.intervals import Scale

#: The range of areas and shares.
SHARE = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """One metric of a kind of task: what it is called, how it is computed, and what may be said of it.

    It is computed of the view that the outcome of its kind gives (`Outcome.view`), which holds truth, output and record
    weights (n, r), and what metrics share. Groups of records are those of `Outcome.groups`.

    Attributes
    ----------
    name : str
        Its key in `metrics.json` and MLflow.
    title : str
        What tables call it.
    of : callable
        View to values of shape (r,), one of each weighting; NaN undefined.
    range : tuple of float
        Least and greatest value; infinite where there is none.
    smaller : bool
        The smaller value is the better one.
    needs : tuple of str
        Groups of records without one of which it has no value, beside `known`; the first empty one is the reason.
    undefined : str
        The reason where none is empty.
    support : tuple of str, optional
        Groups whose patients stand behind it: of an area two, of another one; by default those that it needs. With none
        its interval is percentiles of resamples.
    scale : Scale, optional
        Where it is near to normal. Without one its interval is that of areas and shares (`intervals.score_interval`)
        where `range` is from 0 to 1, and percentiles where not.
    too_high : bool
        Few positives make it too high, and resamples half as much again: its interval reaches down further.
    gaps, chance_gaps : callable, optional
        Of a calibration error, which is their absolute sum: view to the gaps of bins, shape (bins, r), and to what each
        varies by at least, shape (bins,). Its value and interval are then less what chance adds.
    influence : callable, optional
        View to the metric and what each record adds to its error, shape (n,) (`influence`). Encoders are compared by
        the metrics that have it; the first of them is that of `label_efficiency`.
    constant : callable, optional
        Known truths of train and of test to the value of the answer that never looks at a recording; NaN undefined.
    beside_constant : bool
        That answer can do well, too, so that it stands beside the value of every label.
    chance : float, optional
        What whoever never looks at a recording has by definition.
    by_group : bool
        Shown by sex, age, …; of a kind without such a metric all are.
    macro, micro : bool
        Whether there is a mean over labels, and a value of all pairs of record and label.
    numbered : str
        Title of `{name}_1`, …, which are of one time each, before the number.
    """

    name: str
    title: str
    of: Callable[[Any], np.ndarray]
    range: tuple[float, float] = SHARE
    smaller: bool = False
    needs: tuple[str, ...] = ("known",)
    undefined: str = "undefined"
    support: tuple[str, ...] | None = None
    scale: Scale | None = None
    too_high: bool = False
    gaps: Callable[[Any], np.ndarray] | None = None
    chance_gaps: Callable[[Any], np.ndarray] | None = None
    influence: Callable[[Any], tuple[float, np.ndarray]] | None = None
    constant: Callable[[np.ndarray, np.ndarray], float] | None = None
    beside_constant: bool = False
    chance: float | None = None
    by_group: bool = False
    macro: bool = True
    micro: bool = True
    numbered: str = ""

    @property
    def stands_on(self) -> tuple[str, ...]:
        """Groups whose patients stand behind it."""
        return self.needs if self.support is None else self.support

    @property
    def is_share(self) -> bool:
        """An area or a share, whose interval is Wilson's or Newcombe's."""
        return self.scale is None and self.range == SHARE
