"""What predictions are worth: metrics of every kind of task, with intervals over patients."""

from __future__ import annotations

from ecglfm.evaluation.metrics.baselines import majority
from ecglfm.evaluation.metrics.bootstrap import (
    DIGITS,
    PatientWeights,
    interval,
    mean_defined,
    paired_bootstrap,
    point_values,
    resampled_values,
)
from ecglfm.evaluation.metrics.catalogue import all_metrics, by_group, chances, compared, place_of, title_of
from ecglfm.evaluation.metrics.class_metrics import LABEL_METRICS, label_metrics
from ecglfm.evaluation.metrics.classification import Predictions
from ecglfm.evaluation.metrics.cohorts import EXTERNAL, cohort_splits, external_cohorts
from ecglfm.evaluation.metrics.conformal import set_metrics
from ecglfm.evaluation.metrics.entries import entry_of, how_resampled, nothing, summarize
from ecglfm.evaluation.metrics.folds import fold_means
from ecglfm.evaluation.metrics.groups import MIN_PATIENTS, group_names, subgroups
from ecglfm.evaluation.metrics.hazards import RiskSets, concordance, hazard_ratio
from ecglfm.evaluation.metrics.influence import auroc_influence, concordance_influence
from ecglfm.evaluation.metrics.intervals import LOG, SQUARES, Scale, scaled_interval, score_interval
from ecglfm.evaluation.metrics.metric import Metric
from ecglfm.evaluation.metrics.odds import SMALLEST, log_odds
from ecglfm.evaluation.metrics.outcomes import Outcome, outcome_class, read_outcome
from ecglfm.evaluation.metrics.quantity_metrics import QUANTITY_METRICS
from ecglfm.evaluation.metrics.references import Reference, make_reference
from ecglfm.evaluation.metrics.regression import RegressionPredictions
from ecglfm.evaluation.metrics.survival import SurvivalPredictions
from ecglfm.evaluation.metrics.truth import Truth, truth_of

__all__ = [
    "DIGITS",
    "EXTERNAL",
    "LABEL_METRICS",
    "LOG",
    "MIN_PATIENTS",
    "QUANTITY_METRICS",
    "SMALLEST",
    "SQUARES",
    "Metric",
    "Outcome",
    "PatientWeights",
    "Predictions",
    "Reference",
    "RegressionPredictions",
    "RiskSets",
    "Scale",
    "SurvivalPredictions",
    "Truth",
    "all_metrics",
    "auroc_influence",
    "by_group",
    "chances",
    "cohort_splits",
    "compared",
    "concordance",
    "concordance_influence",
    "entry_of",
    "external_cohorts",
    "fold_means",
    "group_names",
    "hazard_ratio",
    "how_resampled",
    "interval",
    "label_metrics",
    "log_odds",
    "majority",
    "make_reference",
    "mean_defined",
    "nothing",
    "outcome_class",
    "paired_bootstrap",
    "place_of",
    "point_values",
    "read_outcome",
    "resampled_values",
    "scaled_interval",
    "score_interval",
    "set_metrics",
    "subgroups",
    "summarize",
    "title_of",
    "truth_of",
]
