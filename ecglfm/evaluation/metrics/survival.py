"""Predictions of the time to an event: discrimination on the test records, calibration through the validation split.

A model gives a log hazard ratio. What it takes to read it as a probability of survival (Breslow's baseline hazard),
the times at which survival is judged, the unit of a hazard ratio and the limits of the groups of risk all come from
the validation split, so that nothing is fitted to the test split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics.hazards import (
    RiskSets,
    concordance,
    cumulative_dynamic_auc,
    hazard_ratio,
    survival_brier,
)
from ecglfm.evaluation.metrics.influence import concordance_influence
from ecglfm.evaluation.metrics.outcomes import Outcome, columns_of, models_of
from ecglfm.evaluation.metrics.references import GROUPS, Reference, make_references


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

    by_definition: ClassVar[dict[str, float]] = {"c_index": 0.5, "c_index_uno": 0.5, "td_auc": 0.5}

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
        valid = [[columns_of(own, what, names).T for what in ("time", "event", "risk")] for _, own in models_of(table)]
        references = [
            make_references(
                [(time[label], event[label], risk[label]) for time, event, risk in valid],
                which,
                times=config.survival_times,
            )
            for label in range(len(names))
        ]
        time, event, risk = (columns_of(test, what, names) for what in ("time", "event", "risk"))
        return cls(names, time, event, risk, test["patient_id"].to_numpy(dtype=str), references), {}

    @classmethod
    def told(cls, names: list[str], truth: Sequence[np.ndarray], output: np.ndarray, patients: np.ndarray) -> Self:
        """Without references."""
        time, event = truth
        return cls(names, time, event, output, patients, [None] * len(names))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of `values`; `td_auc_1`, … are at the label's times, `td_auc` is their mean."""
        count = max([len(reference.times) for reference in self.references if reference is not None], default=0)
        return ("c_index", "c_index_uno", "td_auc", *(f"td_auc_{k + 1}" for k in range(count)),
                "hazard_ratio", "brier", "ece")  # fmt: skip

    def values(self, label: int, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of one label under record weights (n, r)."""
        undefined = dict.fromkeys(self.metrics, np.full(weight_nr.shape[1], np.nan))
        known, reference = self.known(label), self.reference(label)
        risk, weight_nr = self.risks[known, label], weight_nr[known]
        if not known.any():
            return undefined
        sets = RiskSets(self.times[known, label], self.events[known, label])
        if reference is None:
            return undefined | {"c_index": concordance(sets, risk, weight_nr, np.inf)["c_index"]}
        areas = cumulative_dynamic_auc(sets, risk, weight_nr, reference.times)
        return (
            undefined
            | concordance(sets, risk, weight_nr, float(reference.times[-1]))
            | {f"td_auc_{k + 1}": area for k, area in enumerate(areas)}
            | {
                "td_auc": np.mean(areas, axis=0),
                "hazard_ratio": hazard_ratio(sets, risk / reference.scale, weight_nr),
                "brier": survival_brier(sets, reference.survival(risk), weight_nr, reference.horizon),
                "ece": np.abs(calibration_gaps(sets, risk, weight_nr, reference)).sum(axis=0),
            }
        )

    def needed(self, label: int) -> np.ndarray:
        """Records with an event and those without, bool (2, n)."""
        known = self.known(label)
        return np.stack([known & (self.events[:, label] == 1), known & (self.events[:, label] == 0)])

    def classes(self, label: int) -> dict[str, np.ndarray]:
        """Records with the event."""
        return {"patients with the event": self.events[:, label] > 0}

    def influence(self, label: int) -> dict[str, tuple[float, np.ndarray]]:
        """Harrell's C with what each known record adds."""
        known = self.known(label)
        columns = (column[known, label] for column in (self.times, self.events, self.risks))
        return {"c_index": concordance_influence(*columns)}

    def gaps(self, label: int | None, weight_nr: np.ndarray) -> dict[str, np.ndarray]:
        """Gaps of the groups of risk, shape (groups, r); labels are not pooled."""
        reference = None if label is None else self.reference(label)
        if label is None or reference is None or not self.known(label).any():
            return {}
        known = self.known(label)
        sets = RiskSets(self.times[known, label], self.events[known, label])
        return {"ece": calibration_gaps(sets, self.risks[known, label], weight_nr[known], reference)}

    def support(self, label: int, patient_of: np.ndarray) -> dict[str, tuple[int, ...]]:
        """Patients with the event and those without, or all of them."""
        known = self.known(label)
        event, free, every = (
            len(np.unique(patient_of[rows]))
            for rows in (known & (self.events[:, label] > 0), known & (self.events[:, label] == 0), known)
        )
        areas = [name for name in self.metrics if name.startswith(("c_index", "td_auc"))]
        rarer, other = sorted((event, free or every))
        return dict.fromkeys(areas, (rarer, other)) | {"brier": (every,), "hazard_ratio": (every,)}

    def reason(self, metric: str, label: int) -> str:
        """Why the metric of the label has no value."""
        known = self.known(label)
        if not known.any():
            return "no test record with a known label"
        if not (self.events[known, label] > 0).any():
            return "no event among the test records"
        if self.references[label] is None and metric != "c_index":
            return "no event among the validation records, or one risk for all of them"
        return "no event or nobody left under observation at that time" if metric.startswith("td_auc") else "undefined"

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
        """Predicted and observed survival at the horizon by group of risk, the lowest first."""
        reference = self.reference(label)
        rows = self.known(label)
        if reference is None or not rows.any():
            return []
        time, event, risk = self.times[rows, label], self.events[rows, label], self.risks[rows, label]
        group, found = reference.groups(risk), []
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


def calibration_gaps(sets: RiskSets, risk: np.ndarray, weight_nr: np.ndarray, reference: Reference) -> np.ndarray:
    """Mean predicted less Kaplan-Meier survival at the horizon in each group of risk, times its share of the records.

    Returns
    -------
    ndarray, shape (groups, r)
    """
    group, survival = reference.groups(risk), reference.survival(risk)
    gaps = []
    for number in np.unique(group):
        one = group == number
        weight = weight_nr[one]
        members = RiskSets(sets.time[one], sets.event[one])
        observed = members.kaplan_meier(weight)[members.rows_at(np.array(reference.horizon))]
        gaps.append(survival[one] @ weight - observed * weight.sum(axis=0))
    return np.stack(gaps) / weight_nr.sum(axis=0)


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
