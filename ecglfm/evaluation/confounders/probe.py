"""How well a variable is predicted from vectors: a linear probe, cross-validated by patient.

Intervals over patients take predictions for granted; but models of two folds share most of what they learnt from, and
another cohort would have taught all of them otherwise. Nadeau and Bengio (2003, doi:10.1023/A:1024068626366) say by how
much the variance of a cross-validated mean is larger: k folds have 1 / k + n_2 / n_1 where 1 / k is taken, n_2 / n_1 =
1 / (k - 1) being the ratio of test to training records.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from ecglfm.config import ConfoundersConfig, EvaluateConfig
from ecglfm.config.wording import counted
from ecglfm.evaluation.confounders.variables import Variable
from ecglfm.evaluation.metrics import (
    DIGITS,
    SQUARES,
    Outcome,
    Predictions,
    RegressionPredictions,
    Scale,
    summarize,
)

#: Inverse strength of the ridge of a logistic regression on standardized columns.
_INVERSE_RIDGE = 0.1
_LOGIT = Scale(logit, expit)
#: Strengths of the ridge of a linear regression, of which generalized cross-validation chooses.
_RIDGES = np.logspace(0, 5, 11)


def usable(
    values: pd.Series, patients: pd.Series, min_patients: int, *, quantity: bool
) -> tuple[pd.Series, dict[str, Any]]:
    """Values that can be learnt, and what was left out.

    Parameters
    ----------
    values : Series
        Of a variable, NaN where unknown.
    patients : Series
        Patient of each, aligned.
    min_patients : int
        Fewer patients than this and a class is left out, or a quantity is not measured.
    quantity : bool
        Numbers, not classes.

    Returns
    -------
    Series
        NaN also where a class is left out.
    dict
        `records`, `patients` and `classes` that are left; `left_out`: patients of each class that is not; `reason`
        where nothing can be learnt.
    """
    people, about = patients[values.notna()].nunique(), dict[str, Any]()
    if quantity:
        if people < 2 * min_patients:
            whose = f"{counted(people, 'patient')} of whom it is known"
            about["reason"] = f"too few: {whose}, {2 * min_patients} are wanted"
        elif values.nunique() < 2:
            about["reason"] = f"always the same: {values.dropna().iloc[0]:g}"
    else:
        count = patients.groupby(values).nunique().sort_values(ascending=False, kind="stable")
        kept = count[count >= min_patients]
        about |= {"classes": _counts(kept), "left_out": _counts(count[count < min_patients])}
        if len(count) == 1:
            about["reason"] = f"always the same: {count.index[0]}"
        elif len(kept) < 2:
            about["reason"] = f"too few: only {len(kept)} of {len(count)} classes has {min_patients} patients"
        values = values.where(values.isin(kept.index))
    known = values.notna()
    return values, {"records": int(known.sum()), "patients": int(patients[known].nunique())} | about


def _counts(patients: pd.Series) -> dict[str, int]:
    return {str(name): int(number) for name, number in patients.items()}


def probe(
    vectors: np.ndarray, variable: Variable, patients: pd.Series, config: ConfoundersConfig, evaluation: EvaluateConfig
) -> dict[str, Any]:
    """Predict a variable from vectors, by models that have not seen the patient.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    variable : Variable
        Of the same n records.
    patients : Series
        Patient of each.
    config : ConfoundersConfig
    evaluation : EvaluateConfig
        How intervals are made.

    Returns
    -------
    dict
        As `usable` says; and of classes `auroc` (mean over classes, each against the rest) and `balanced_accuracy`,
        of a quantity `r2`: entries as in `metrics.json`.
    """
    values, about = usable(variable.values, patients, config.min_patients, quantity=variable.is_quantity)
    about = {"kind": "quantity" if variable.is_quantity else "classes", "column": variable.column} | about
    if "reason" in about:
        return about
    known = values.notna().to_numpy()
    x, people = vectors[known].astype(np.float64), patients[known].to_numpy(dtype=str)
    data: Outcome
    if variable.is_quantity:
        y = values[known].to_numpy(np.float64)
        said = _predict_quantity(x, y, people, config)
        data = RegressionPredictions(["it"], y[:, None], said[:, None], people)
    else:
        names = list(about["classes"])
        y = np.array([names.index(value) for value in values[known]])
        said = _predict_classes(x, y, people, config)
        chances = np.full(said.shape, 1 / len(names))
        data = Predictions(names, np.eye(len(names))[y], said, chances, people, exclusive=True)
    found = summarize(
        data, resamples=evaluation.bootstrap, confidence=evaluation.confidence, seed=evaluation.seed,
        min_patients=evaluation.min_patients,
    )  # fmt: skip
    if variable.is_quantity:
        return about | {"r2": widened(found["labels"]["it"]["r2"], SQUARES, config.folds)}
    entries = {"auroc": found["macro"]["auroc"], "balanced_accuracy": found["overall"]["balanced_accuracy"]}
    about |= {name: widened(entry, _LOGIT, config.folds) for name, entry in entries.items()}
    return about | {"chance": 1 / len(names)}


def widened(entry: dict[str, Any], scale: Scale, folds: int) -> dict[str, Any]:
    """An entry whose interval holds the chance of the training folds, too: its ends moved away, on a scale.

    Parameters
    ----------
    entry : dict
        `value`, `ci_low`, `ci_high` of a metric that is 1 at best.
    scale : Scale
    folds : int
        More than one.
    """
    if entry["ci_low"] is None:
        return entry
    factor = math.sqrt(1 + folds / (folds - 1))
    found = np.array([entry["value"], entry["ci_low"], entry["ci_high"]])
    with np.errstate(divide="ignore", invalid="ignore"):
        middle, low, high = scale.to(found)
        ends = scale.back(np.array([middle + factor * (low - middle), middle + factor * (high - middle)]))
    if not np.isfinite(middle):  # at the end of the scale
        ends = np.minimum(found[0] + factor * (found[1:] - found[0]), 1)
    return entry | {"ci_low": round(float(ends[0]), DIGITS), "ci_high": round(float(ends[1]), DIGITS)}


def _predict_classes(x: np.ndarray, y: np.ndarray, patients: np.ndarray, config: ConfoundersConfig) -> np.ndarray:
    """Probabilities of the classes, (n, classes), each by a model of the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    said = np.zeros((len(y), y.max() + 1))
    folds = StratifiedGroupKFold(config.folds, shuffle=True, random_state=config.seed % 2**32)
    for train, test in folds.split(x, y, patients):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=_INVERSE_RIDGE, class_weight="balanced", max_iter=1000)
        )
        model.fit(x[train], y[train])
        said[np.ix_(test, model.classes_)] = model.predict_proba(x[test])
    return said


def _predict_quantity(x: np.ndarray, y: np.ndarray, patients: np.ndarray, config: ConfoundersConfig) -> np.ndarray:
    """Predictions, (n,), each by a model of the other folds; patients are dealt out blindly."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    said = np.zeros(len(y))
    names, of = np.unique(patients, return_inverse=True)
    fold = (np.random.default_rng(config.seed).permutation(len(names)) % config.folds)[of]
    for number in range(config.folds):
        test = fold == number
        model = make_pipeline(StandardScaler(), RidgeCV(_RIDGES)).fit(x[~test], y[~test])
        said[test] = model.predict(x[test])
    return said
