"""Metrics of the time to an event, each declared once; `FollowUp` is what they are computed of.

A metric is a `Metric` in `SURVIVAL_METRICS`, in the order of tables. Groups of records that it may name (`needs`,
`support`) are `known`, `event`, `free` (known, but without the event), and `reference`: all known ones, where the
validation split says what a risk means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ecglfm.evaluation.metrics.hazards import (
    RiskSets,
    concordance,
    cumulative_dynamic_auc,
    followed_beyond,
    hazard_ratio,
    survival_brier,
)
from ecglfm.evaluation.metrics.influence import concordance_influence
from ecglfm.evaluation.metrics.intervals import LOG
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.references import Reference

#: Whose risks the model was judged by on the validation split.
_REFERENCE = ("event", "reference")
#: Why nothing is known of a risk until a time: without it predicted and observed would be of different times.
_UNSEEN = "no test record was followed beyond that time"


@dataclass(frozen=True)
class FollowUp:
    """Times, events and risks of some records under weights; what several metrics need is computed once.

    Attributes
    ----------
    time, event, risk : ndarray, shape (n,)
        At least one; no NaN.
    weight_nr : ndarray of whole numbers, shape (n, r)
    told : Reference or None
        Of these records; without one only metrics are computed that do not need it.
    """

    time: np.ndarray
    event: np.ndarray
    risk: np.ndarray
    weight_nr: np.ndarray
    told: Reference | None

    @cached_property
    def sets(self) -> RiskSets:
        """Those under observation at each time."""
        return RiskSets(self.time, self.event)

    @property
    def reference(self) -> Reference:
        """What the validation split says of these risks."""
        if self.told is None:
            raise ValueError("a metric that needs `reference`, where there is none")
        return self.told

    @cached_property
    def concordance(self) -> dict[str, np.ndarray]:
        """`c_index` and `c_index_uno`."""
        tau = np.inf if self.told is None else float(self.told.times[-1])
        return concordance(self.sets, self.risk, self.weight_nr, tau)

    @cached_property
    def areas(self) -> list[np.ndarray]:
        """AUROC at each time of the reference, of shape (r,)."""
        return cumulative_dynamic_auc(self.sets, self.risk, self.weight_nr, self.reference.times)

    @cached_property
    def is_seen(self) -> bool:
        """Whether what happened until the horizon is known: somebody was followed for longer, or nobody was left."""
        return followed_beyond(self.sets, self.reference.horizon)

    @cached_property
    def gaps(self) -> np.ndarray:
        """Mean predicted less Kaplan-Meier survival at the horizon in each group of risk, times its share of records.

        Shape (groups, r).
        """
        reference = self.reference
        group, survival = reference.groups(self.risk), reference.survival(self.risk)
        if not self.is_seen:
            return np.full((1, self.weight_nr.shape[1]), np.nan)
        gaps = []
        for number in np.unique(group):
            one = group == number
            weight = self.weight_nr[one]
            members = RiskSets(self.time[one], self.event[one])
            observed = members.kaplan_meier(weight)[members.rows_at(np.array(reference.horizon))]
            gaps.append(survival[one] @ weight - observed * weight.sum(axis=0))
        return np.stack(gaps) / self.weight_nr.sum(axis=0)


def _hazard_ratio(told: FollowUp) -> np.ndarray:
    return hazard_ratio(told.sets, told.risk / told.reference.scale, told.weight_nr)


def _brier(told: FollowUp) -> np.ndarray:
    reference = told.reference
    if not told.is_seen:
        return np.full(told.weight_nr.shape[1], np.nan)
    return survival_brier(told.sets, reference.survival(told.risk), told.weight_nr, reference.horizon)


_TD_AUC = Metric(
    name="td_auc",
    title="AUC over time",
    of=lambda told: np.mean(told.areas, axis=0),
    needs=_REFERENCE,
    undefined="no event or nobody left under observation at that time",
    support=("event", "free"),
    chance=0.5,
    numbered="AUC, time",
)
SURVIVAL_METRICS = (
    Metric(
        name="c_index",
        title="C-index",
        of=lambda told: told.concordance["c_index"],
        needs=("event",),
        support=("event", "free"),
        influence=lambda told: concordance_influence(told.time, told.event, told.risk),
        chance=0.5,
    ),
    Metric(
        name="c_index_uno",
        title="C-index (Uno)",
        of=lambda told: told.concordance["c_index_uno"],
        needs=_REFERENCE,
        support=("event", "free"),
        chance=0.5,
    ),
    _TD_AUC,
    Metric(
        name="hazard_ratio",
        title="Hazard ratio per SD",
        of=_hazard_ratio,
        range=(0.0, np.inf),
        needs=_REFERENCE,
        support=("known",),
        scale=LOG,
    ),
    Metric(
        name="brier",
        title="Brier",
        of=_brier,
        smaller=True,
        needs=_REFERENCE,
        undefined=_UNSEEN,
        support=("known",),
    ),
    Metric(
        name="ece",
        title="ECE",
        of=lambda told: np.abs(told.gaps).sum(axis=0),
        smaller=True,
        needs=_REFERENCE,
        undefined=_UNSEEN,
        support=(),
        gaps=lambda told: told.gaps,
    ),
)


def at_time(number: int) -> Metric:
    """AUC at one time of the label, the first being 0; a label with fewer times has none there."""

    def area(told: FollowUp) -> np.ndarray:
        return told.areas[number] if number < len(told.areas) else np.full(told.weight_nr.shape[1], np.nan)

    return replace(_TD_AUC, name=f"td_auc_{number + 1}", title=f"{_TD_AUC.numbered} {number + 1}", of=area, chance=None)
