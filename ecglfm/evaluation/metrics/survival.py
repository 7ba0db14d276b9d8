"""Predictions of the time to an event: discrimination on the test records, calibration through the validation split.

A model gives a log hazard ratio. What it takes to read it as a probability of survival (Breslow's baseline hazard),
the times at which survival is judged, the unit of a hazard ratio and the limits of the groups of risk all come from
the validation split, so that nothing is fitted to the test split. The slope of the risk came with the model, and
stands in the table; a table without one is of a model that has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics.hazards import RiskSets, followed_beyond
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.outcomes import Outcome, columns_of, models_of
from ecglfm.evaluation.metrics.references import Reference, make_references
from ecglfm.evaluation.metrics.survival_metrics import SURVIVAL_METRICS, FollowUp, at_time
from ecglfm.models.baseline_hazard import GROUPS


@dataclass(frozen=True)
class SurvivalPredictions(Outcome):
    """What a model said of some records, and what became of the patients.

    Attributes
    ----------
    names : list of str
        Labels.
    times, events : ndarray, shape (n, l)
        Time to the event or to censoring, and 1 or 0; NaN where not known.
    risks : ndarray, shape (n, l)
        Log hazard ratios.
    patients : ndarray of str, shape (n,)
    references : list of Reference or None
        By label.
    """

    declared: ClassVar[tuple[Metric, ...]] = SURVIVAL_METRICS
    lacks: ClassVar[dict[str, str]] = Outcome.lacks | {
        "event": "no event among the test records",
        "reference": "no event among the validation records, or one risk for all of them",
    }

    names: list[str]
    times: np.ndarray
    events: np.ndarray
    risks: np.ndarray
    patients: np.ndarray
    references: list[Reference | None]

    @classmethod
    def read(
        cls, table: pd.DataFrame, kind: TaskKind, names: list[str], config: EvaluateConfig
    ) -> tuple[Self, dict[str, Any]]:
        """The test split, with baseline hazards and times of the validation split; `describe` has them."""
        test, which = table[table["split"] == "test"], [rows for rows, _ in models_of(table)]
        valid = [own for _, own in models_of(table)]
        references = [
            make_references([_judges(own, name) for own in valid], which, times=config.survival_times) for name in names
        ]
        time, event, risk = (columns_of(test, what, names) for what in ("time", "event", "risk"))
        return cls(names, time, event, risk, test["patient_id"].to_numpy(dtype=str), references), {}

    @classmethod
    def told(cls, names: list[str], truth: Sequence[np.ndarray], output: np.ndarray, patients: np.ndarray) -> Self:
        """Without references."""
        time, event = truth
        return cls(names, time, event, output, patients, [None] * len(names))

    @property
    def measures(self) -> tuple[Metric, ...]:
        """With `td_auc_1`, … at the label's times, of which `td_auc` is the mean."""
        count = max([len(reference.times) for reference in self.references if reference is not None], default=0)
        place = [metric.name for metric in self.declared].index("td_auc") + 1
        return (*self.declared[:place], *(at_time(number) for number in range(count)), *self.declared[place:])

    def view(self, label: int, weight_nr: np.ndarray) -> FollowUp | None:
        """Records of which the label is known."""
        known = self.known(label)
        if not known.any():
            return None
        time, event, risk = (column[known, label] for column in (self.times, self.events, self.risks))
        return FollowUp(time, event, risk, weight_nr[known], self.reference(label))

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of one label under record weights (n, r); without a reference those that need none."""
        view, undefined = self.view(label, weight_nr), np.full(weight_nr.shape[1], np.nan)
        return {
            metric.name: undefined
            if view is None or (view.told is None and "reference" in metric.needs)
            else metric.of(view)
            for metric in self.measures
        }

    def binned(self, label: int | None, weight_nr: np.ndarray) -> FollowUp | None:
        """Records of which the label is known, in groups of risk; labels are not pooled."""
        view = None if label is None else self.view(label, weight_nr)
        return None if view is None or view.told is None else view

    def needed(self, label: int) -> np.ndarray:
        """Records with an event and those without, bool (2, n)."""
        known = self.known(label)
        return np.stack([known & (self.events[:, label] == 1), known & (self.events[:, label] == 0)])

    def classes(self, label: int) -> dict[str, np.ndarray]:
        """Records with the event."""
        return {"patients with the event": self.events[:, label] > 0}

    def groups(self, label: int) -> dict[str, np.ndarray]:
        """Known records, those with the event and without, and all known ones where there is a reference."""
        known = self.known(label)
        event, free = known & (self.events[:, label] > 0), known & (self.events[:, label] == 0)
        return {
            "known": known,
            "event": event,
            "free": free if free.any() else known,
            "reference": known & (self.references[label] is not None),
        }

    def describe(self) -> dict[str, Any]:
        """What the metrics stand on: counts, times and the groups of the calibration."""
        known = {name: self.known(label) for label, name in enumerate(self.names)}
        events = {name: int(self.events[rows, label].sum()) for label, (name, rows) in enumerate(known.items())}
        pairs = zip(self.names, self.references, strict=True)
        return {
            "n": {"events": events, "known": {name: int(rows.sum()) for name, rows in known.items()}},
            "survival_times": {
                name: None if reference is None else reference.times.tolist() for name, reference in pairs
            },
            "risk_groups": {name: self.risk_groups(label) for label, name in enumerate(self.names)},
        }

    def risk_groups(self, label: int) -> list[dict[str, Any]]:
        """Predicted and observed survival at the horizon by group of risk, the lowest first; none where unknown."""
        reference = self.reference(label)
        rows = self.known(label)
        if reference is None or not rows.any():
            return []
        time, event, risk = self.times[rows, label], self.events[rows, label], self.risks[rows, label]
        group, found = reference.groups(risk), list[dict[str, Any]]()
        if not followed_beyond(RiskSets(time, event), reference.horizon):
            return found
        for number in range(GROUPS):
            one = group == number
            entry: dict[str, Any] = {"records": int(one.sum()), "events": int(event[one].sum())}
            if one.any():
                observed, low, high = kaplan_meier_interval(time[one], event[one], reference.horizon)
                predicted = float(reference.at(one).survival(risk[one]).mean())
                entry |= {"predicted": predicted, "observed": observed, "ci_low": low, "ci_high": high}
            found.append(entry)
        return found

    def reference(self, label: int) -> Reference | None:
        """Reference of the records of which the label is known."""
        found = self.references[label]
        return None if found is None else found.at(self.known(label))

    def known(self, label: int) -> np.ndarray:
        """Records of which the label is known, bool (n,)."""
        return ~np.isnan(self.times[:, label]) & ~np.isnan(self.events[:, label])


def _judges(valid: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Time, event and risk of a label in the validation split, (n,) each, and the slope of the model."""
    time, event, risk = (columns_of(valid, what, [name])[:, 0] for what in ("time", "event", "risk"))
    slopes = valid.get(f"slope.{name}")
    return time, event, risk, 1.0 if slopes is None or not len(slopes) else float(slopes.iloc[0])


def kaplan_meier_interval(
    time: np.ndarray, event: np.ndarray, at: float, z: float = 1.959964
) -> tuple[float, float, float]:
    """Kaplan-Meier estimate at a time with a 95 % interval (Greenwood's variance of log -log, Borgan & Liestol 1990).

    Returns
    -------
    tuple of float
        Estimate, lower and upper end; all the same where the estimate is 0 or 1.
    """
    sets = RiskSets(time, event)
    ones = np.ones((len(time), 1))
    row = int(sets.rows_at(np.array(at)))
    value = float(sets.kaplan_meier(ones)[row, 0])
    if not 0 < value < 1:
        return value, value, value
    events, risk = sets.sums(ones, sets.event)[:row, 0], sets.at_risk(ones)[:row, 0]
    half = z * np.sqrt((events / (risk * (risk - events))).sum()) / abs(np.log(value))
    return value, float(value ** np.exp(half)), float(value ** np.exp(-half))
