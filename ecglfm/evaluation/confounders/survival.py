"""What a survival model adds to the variables alone: Harrell's C of both on the same test records.

Shapes: n records, c columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import EvaluateConfig
from ecglfm.evaluation.confounders.alone import columns_of, partitions
from ecglfm.evaluation.confounders.strata import Areas
from ecglfm.evaluation.confounders.variables import Variable
from ecglfm.evaluation.metrics import concordance_influence

_RIDGE, _STEPS, _CLOSE = 1.0, 50, 1e-8


class Concordances(Areas):
    """As `Areas`, of risks: Harrell's C, its patients those with the event and the others.

    Parameters
    ----------
    time, event : ndarray, shape (n,)
    patients : ndarray, shape (n,)
    config : EvaluateConfig
    """

    def __init__(self, time: np.ndarray, event: np.ndarray, patients: np.ndarray, config: EvaluateConfig) -> None:
        super().__init__(event, patients, config)
        self.time = time

    def measure(self, score: np.ndarray, stratum: np.ndarray | None = None) -> tuple[dict[str, Any], np.ndarray]:
        """Entry of C, and what each patient adds to its error, (1, p); there are no strata."""
        value, terms = concordance_influence(self.time, self.target, score)
        return self.entry(value, terms, np.ones(len(score), bool), "no pair of which it is known who came first")


def fit_cox(x_nc: np.ndarray, time: np.ndarray, event: np.ndarray, *, ridge: float = _RIDGE) -> np.ndarray:
    """Coefficients of Cox's proportional hazards (c,), by Newton's steps; ties as Breslow has them.

    Parameters
    ----------
    x_nc : ndarray
        Of about unit size.
    time, event : ndarray, shape (n,)
    ridge : float
        Half of it times the sum of squares is taken from the log partial likelihood, so that columns that make up each
        other, and a level without an event, have a solution.
    """
    order = np.argsort(time, kind="stable")
    x, time, happened = x_nc[order], time[order], event[order] > 0
    first = np.searchsorted(time, time[happened], side="left")  # of the risk set of each event
    before = np.searchsorted(time[happened], time, side="right")  # events in whose risk sets a record is
    beta = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        weight = np.exp(x @ beta - (x @ beta).max())
        at_risk = np.cumsum(weight[::-1])[::-1][first]
        mean = np.cumsum((weight[:, None] * x)[::-1], axis=0)[::-1][first] / at_risk[:, None]
        hazard = weight * np.append(0.0, np.cumsum(1 / at_risk))[before]  # over all events; no (n, c, c) is held
        slope = (x[happened] - mean).sum(axis=0) - ridge * beta
        bend = x.T @ (hazard[:, None] * x) - mean.T @ mean
        step = np.linalg.solve(bend + ridge * np.eye(len(beta)), slope)
        beta = beta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < _CLOSE:
            break
    return beta


def risk_alone(variables: Mapping[str, Variable], labels: pd.DataFrame, label: str) -> tuple[pd.Series, dict[str, Any]]:
    """Log hazard ratios of the test records by Cox regressions on the variables only, fitted to the training records.

    Parameters
    ----------
    variables : mapping of str to Variable
    labels : DataFrame
        `labels/{task}.parquet`.
    label : str
        Of which it has `time.{label}` and `event.{label}`.

    Returns
    -------
    Series
        By `record_id`.
    dict
        `chosen`: which, one for each fold of a cross-validation; or `reason`.
    """
    records = pd.Index(labels["record_id"])
    time, event = (labels[f"{name}.{label}"].to_numpy(np.float64) for name in ("time", "event"))
    risks, chosen = [], []
    for train, _, test in partitions(labels):
        learnt = train & np.isfinite(time) & np.isfinite(event)
        if not (event[learnt] > 0).any():
            return pd.Series(dtype=float), {"reason": "no training record has the event"}
        x_nc = columns_of(variables, records, train)
        if not x_nc.shape[1]:
            return pd.Series(dtype=float), {"reason": "no variable is known of the training records"}
        beta = fit_cox(x_nc[learnt], time[learnt], event[learnt])
        risks.append(pd.Series(x_nc[test] @ beta, index=records[test]))
        chosen.append(f"Cox regression, ridge {_RIDGE:g}")
    return pd.concat(risks), {"chosen": chosen}


def judge_survival(
    label: str,
    risk: np.ndarray,
    alone: tuple[pd.Series, dict[str, Any]],
    test: pd.DataFrame,
    evaluation: EvaluateConfig,
) -> dict[str, Any]:
    """A label's C, that of the variables alone, and the difference, paired by patient.

    Parameters
    ----------
    label : str
    risk : ndarray, shape (n,)
        What the model says.
    alone : Series, dict
        As `risk_alone` gives them.
    test : DataFrame
        The n test records, by `record_id`: `patient_id`, `time.{label}`, `event.{label}`.
    evaluation : EvaluateConfig
    """
    time, event = (test[f"{name}.{label}"].to_numpy(np.float64) for name in ("time", "event"))
    known = np.isfinite(time) & np.isfinite(event)
    measured = Concordances(time[known], event[known], test["patient_id"][known].to_numpy(dtype=str), evaluation)
    model, (risks, about) = measured.measure(risk[known]), alone
    if "reason" not in about:
        told = measured.measure(risks.loc[test.index[known]].to_numpy())
        about = about | {"c_index": told[0], "difference": measured.difference(model, told)}
    return {"c_index": model[0], "within": {}, "alone": about}
