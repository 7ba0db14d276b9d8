"""Metrics of classes, each declared once; `Cases` is what they are computed of.

A metric of a label is a `Metric` in `LABEL_METRICS`, in the order of tables: its formula takes `Cases` and gives a
value for each weighting, NaN where undefined. Groups of records that it may name (`needs`, `support`) are `known`,
`positive`, `negative`, `called` and `not called`, at the threshold. One of whole records is in `WHOLE_METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecglfm.evaluation.metrics.challenge import Challenge
from ecglfm.evaluation.metrics.influence import auroc_influence
from ecglfm.evaluation.metrics.label import Cases, accuracy_metrics, ratio
from ecglfm.evaluation.metrics.metric import Metric


def _constant(formula: Callable[[float, float], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    """Metric of saying p, the share of positives in train, for every test record, of which a share s is positive.

    Of decisions that are the same for every record the better one: F1 and PPV of calling all positive, NPV of calling
    none. Sensitivity and specificity, of which either decision has one perfect, are those of the majority's in train.
    """
    return lambda train, test: formula(float(train.mean()), float(test.mean()))


def _where(defined: bool, value: float) -> float:
    return value if defined else np.nan


def _f1(cases: Cases) -> np.ndarray:
    tp, fp, fn, _ = cases.decided
    return np.where(tp + fn > 0, ratio(2 * tp, 2 * tp + fp + fn), np.nan)


def _sensitivity(cases: Cases) -> np.ndarray:
    tp, _, fn, _ = cases.decided
    return ratio(tp, tp + fn)


def _specificity(cases: Cases) -> np.ndarray:
    _, fp, _, tn = cases.decided
    return ratio(tn, tn + fp)


def _ppv(cases: Cases) -> np.ndarray:
    tp, fp, _, _ = cases.decided
    return ratio(tp, tp + fp)


def _npv(cases: Cases) -> np.ndarray:
    _, _, fn, tn = cases.decided
    return ratio(tn, tn + fn)


def _brier(cases: Cases) -> np.ndarray:
    return ratio(cases.squared, cases.total)


def _ece(cases: Cases) -> np.ndarray:
    return ratio(np.abs(cases.gap_sums).sum(axis=0), cases.total)


#: Mean squared error of the probability (Brier 1950).
_BRIER = Metric(
    name="brier",
    title="Brier",
    of=_brier,
    smaller=True,
    constant=_constant(lambda p, s: s * (1 - p) ** 2 + (1 - s) * p**2),
)
#: Expected calibration error: mean over records of |share of positives - mean probability| in the record's bin of 15
#: equally wide ones (Guo et al. 2017, arXiv:1706.04599, taken of the label's own probability, not of the top class's).
_ECE = Metric(
    name="ece",
    title="ECE",
    of=_ece,
    smaller=True,
    support=(),
    gaps=lambda cases: cases.gaps,
    chance_gaps=lambda cases: cases.chance_gaps,
)
LABEL_METRICS = (
    Metric(
        name="auroc",
        title="AUROC",
        of=lambda cases: cases.ranking["auroc"],
        needs=("positive", "negative"),
        influence=lambda cases: auroc_influence(cases.target, cases.probability),
        constant=_constant(lambda p, s: _where(0 < s < 1, 0.5)),
        chance=0.5,
        by_group=True,
    ),
    Metric(
        name="auprc",
        title="AUPRC",
        of=lambda cases: cases.ranking["auprc"],
        needs=("positive", "negative"),
        support=("positive",),
        too_high=True,
        constant=_constant(lambda p, s: _where(0 < s < 1, s)),
        by_group=True,
    ),
    Metric(
        name="f1",
        title="F1",
        of=_f1,
        needs=("positive",),
        constant=_constant(lambda p, s: _where(s > 0, 2 * s / (1 + s))),
        beside_constant=True,
    ),
    Metric(
        name="sensitivity",
        title="Sensitivity",
        of=_sensitivity,
        needs=("positive",),
        constant=_constant(lambda p, s: _where(s > 0, float(p >= 0.5))),
        by_group=True,
    ),
    Metric(
        name="specificity",
        title="Specificity",
        of=_specificity,
        needs=("negative",),
        constant=_constant(lambda p, s: _where(s < 1, float(p < 0.5))),
        by_group=True,
    ),
    Metric(
        name="ppv",
        title="PPV",
        of=_ppv,
        needs=("called",),
        constant=_constant(lambda p, s: s),
        beside_constant=True,
    ),
    Metric(
        name="npv",
        title="NPV",
        of=_npv,
        needs=("not called",),
        constant=_constant(lambda p, s: 1 - s),
    ),
    _BRIER,
    _ECE,
)
#: The same of the probabilities before a calibration, where there was one.
UNCALIBRATED_METRICS = (
    replace(
        _BRIER,
        name="brier_uncalibrated",
        title="Brier, uncalibrated",
        of=lambda cases: _brier(cases.raw),
        constant=None,
    ),
    replace(
        _ECE,
        name="ece_uncalibrated",
        title="ECE, uncalibrated",
        of=lambda cases: _ece(cases.raw),
        gaps=lambda cases: cases.raw.gaps,
        chance_gaps=lambda cases: cases.raw.chance_gaps,
    ),
)


@dataclass(frozen=True)
class Records:
    """Whole records under weights: truth, probabilities and decisions of all labels, each of shape (n, l).

    Attributes
    ----------
    exclusive : bool
        Exactly one label of a record is true.
    challenge : Challenge, optional
    """

    targets: np.ndarray
    probabilities: np.ndarray
    called: np.ndarray
    weight_nr: np.ndarray
    exclusive: bool
    challenge: Challenge | None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of `WHOLE_METRICS` that these have."""
        return (_CLASS_METRICS if self.exclusive else ()) + (_CHALLENGE_METRICS if self.challenge is not None else ())


def _challenge(records: Records) -> np.ndarray:
    assert records.challenge is not None, "declared for a task that has its weights"
    return records.challenge.metric(records.targets, records.called, records.weight_nr)


def _accuracy(name: str, title: str) -> Metric:
    return Metric(
        name=name,
        title=title,
        of=lambda records: accuracy_metrics(records.targets, records.probabilities, records.weight_nr)[name],
    )


_CLASS_METRICS = (_accuracy("accuracy", "Accuracy"), _accuracy("balanced_accuracy", "Balanced accuracy"))
_CHALLENGE_METRICS = (
    Metric(name="challenge_metric", title="Challenge metric", of=_challenge, range=(-np.inf, 1.0), support=()),
)
WHOLE_METRICS = (*_CLASS_METRICS, *_CHALLENGE_METRICS)


def label_metrics(
    target: np.ndarray, probability: np.ndarray, threshold: np.ndarray | float, weight_nr: np.ndarray
) -> dict[str, np.ndarray]:
    """Every metric of one label, by name, of shape (r,); arguments as `Cases` has them."""
    return values_of(LABEL_METRICS, Cases(target, probability, threshold, weight_nr))


def values_of(metrics: Sequence[Metric], cases: Cases) -> dict[str, np.ndarray]:
    """Metrics of some cases by name, each of shape (r,); NaN where there is no case, so that no formula has to ask."""
    if not len(cases.target):
        return {metric.name: np.full(cases.weight_nr.shape[1], np.nan) for metric in metrics}
    return {metric.name: metric.of(cases) for metric in metrics}
