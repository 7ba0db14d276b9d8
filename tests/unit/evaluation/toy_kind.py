"""A kind of task that the project does not know: grades from 0 to 2, in order, as a cumulative logistic model has them.

Its loss is that of McCullagh's model (1980) with cut points that are given; it is measured by Cohen's kappa with
quadratic weights (1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from ecglfm.config import EvaluateConfig, FinetuneConfig
from ecglfm.config.kinds import TaskKind
from ecglfm.evaluation.metrics import Metric, Outcome
from ecglfm.models.outputs import Link
from ecglfm.training.finetuning.scores import Score
from ecglfm.training.finetuning.targets import Numbers

CUTS = (-1.5, 1.5)

GRADE = TaskKind(
    name="grade",
    description="grades from 0 to 2, in order",
    read_from=("value",),
    columns=("grade",),
    truth=("graded",),
    output="expected",
    outputs="grades",
    positive="known grade",
    carried=False,
    needed="patients",
    listed="graded",
    statistics={"mean grade": "mean"},
    targets=f"{__name__}:Grades",
    losses={"cumulative": f"{__name__}:make_cumulative"},
    scores={"kappa": f"{__name__}:KAPPA"},
    link=f"{__name__}:Cumulative",
    outcome=f"{__name__}:GradePredictions",
    headline=("kappa",),
    pictures=f"{__name__}:grade_figures",
    captions={"curves": "Expected grade by grade", "calibration": "Grades told"},
)


class Grades(Numbers):
    """0, 1 or 2."""

    def faults(self, *columns: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
        (grade,) = columns
        yield ~np.isnan(grade) & ~np.isin(grade, (0, 1, 2)), "a grade of 0, 1 or 2"


class Cumulative(Link):
    """The expected grade is the sum of the probabilities of exceeding 0, and 1."""

    def outputs(self, logits: Tensor) -> Tensor:
        return sum((logits - cut).sigmoid() for cut in CUTS)

    def logits(self, outputs: Tensor) -> Tensor:
        low, high = torch.full_like(outputs, -50.0), torch.full_like(outputs, 50.0)
        for _ in range(60):
            middle = (low + high) / 2
            above = self.outputs(middle) > outputs
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2


def make_cumulative(config: FinetuneConfig, link: Link, weights: Tensor | None):
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        known = ~torch.isnan(target)
        pairs = [(logits[known] - cut, (target[known] > grade).to(logits.dtype)) for grade, cut in enumerate(CUTS)]
        return sum(functional.binary_cross_entropy_with_logits(*pair) for pair in pairs)

    return loss


def kappa(target: np.ndarray, told: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
    """1 - the mean squared difference, over that of grades with these frequencies that have nothing to do with it."""
    share_nr = weight_nr / weight_nr.sum(axis=0)
    sums = (np.square(target - told), target**2 + told**2, target, told)
    found, both, mean, mean_told = (each @ share_nr for each in sums)
    return 1 - found / (both - 2 * mean * mean_told)


def _macro(target: np.ndarray, output: np.ndarray) -> float:
    known = ~np.isnan(target)
    columns = zip(target.T, output.T, known.T, strict=True)
    return float(np.mean([kappa(y[k], np.rint(s[k]), np.ones((k.sum(), 1)))[0] for y, s, k in columns]))


KAPPA = Score(_macro)


@dataclass(frozen=True)
class GradesTold:
    target: np.ndarray
    told: np.ndarray
    weight_nr: np.ndarray


def _influence(view: GradesTold) -> tuple[float, np.ndarray]:
    step, count = 1e-6, len(view.target)
    value, *moved = kappa(view.target, view.told, np.c_[np.ones(count), 1 + step * np.eye(count)])
    return float(value), (np.array(moved) - value) / step


KAPPA_METRIC = Metric(
    name="kappa",
    title="Kappa, quadratic",
    of=lambda view: kappa(view.target, view.told, view.weight_nr),
    range=(-1.0, 1.0),
    undefined="all grades are equal",
    influence=_influence,
)


@dataclass(frozen=True)
class GradePredictions(Outcome):
    declared = (KAPPA_METRIC,)

    names: list[str]
    targets: np.ndarray
    told_grades: np.ndarray
    patients: np.ndarray

    @classmethod
    def read(
        cls, table: pd.DataFrame, kind: TaskKind, names: list[str], config: EvaluateConfig
    ) -> tuple[Self, dict[str, Any]]:
        test = table[table["split"] == "test"]
        truth, output = (test[[f"{what}.{name}" for name in names]].to_numpy(float) for what in ("graded", "expected"))
        return cls.told(names, [truth], output, test["patient_id"].to_numpy(str)), {}

    @classmethod
    def told(cls, names: list[str], truth: Sequence[np.ndarray], output: np.ndarray, patients: np.ndarray) -> Self:
        return cls(names, truth[0], np.rint(output), patients)

    def view(self, label: int, weight_nr: np.ndarray) -> GradesTold:
        known = self.known(label)
        return GradesTold(self.targets[known, label], self.told_grades[known, label], weight_nr[known])

    def known(self, label: int) -> np.ndarray:
        return ~np.isnan(self.targets[:, label])

    def describe(self) -> dict[str, Any]:
        return {"n": {"known": {name: int(self.known(label).sum()) for label, name in enumerate(self.names)}}}


def grade_figures(data: GradePredictions, metrics: dict[str, Any]) -> dict[str, Figure]:
    figures = {"curves": Figure(), "calibration": Figure()}
    for figure in figures.values():
        figure.add_subplot().scatter(data.targets, data.told_grades)
    return figures
