"""What a fitted model decides by: temperatures, thresholds, prediction sets, baseline hazards, and when not to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecglfm.config import FinetuneConfig
from ecglfm.models.baseline_hazard import fit_baselines
from ecglfm.models.calibration import fit_calibration
from ecglfm.models.conformal import fit_conformal
from ecglfm.models.heads import ECGModel
from ecglfm.models.reference import Reference, quality_flags
from ecglfm.training.finetuning.labelled import Labelled
from ecglfm.training.finetuning.thresholds import Rule, Threshold, choose_thresholds
from ecglfm.training.inference import predict, predict_described

#: Training records that the reference is made of; more change it little and take long.
REFERENCE_RECORDS = 1000


def decide(model: ECGModel, data: Labelled, config: FinetuneConfig) -> dict[str, Threshold]:
    """Give a fitted model all that it decides by; of classes the thresholds come back with what they stand on.

    The validation records choose; the reference is also made of training records.

    Parameters
    ----------
    model : ECGModel
        In `eval()`; is changed.
    data : Labelled
    config : FinetuneConfig
    """
    windows = windows_of(model, data, data.valid)
    if config.outlier_share is None:
        outputs = predict(model, data.signals, windows, batch_size=config.batch_size)
    else:
        outputs, numbers = predict_described(model, data.signals, windows, batch_size=config.batch_size)
        model.reference = _reference(model, data, config, numbers, config.outlier_share)
    if model.link.kind.time is not None:
        model.baselines = fit_baselines(data.target[data.valid], outputs, sloped=config.calibration != "none")
    if not model.link.kind.has_classes:
        return {}
    target, patients = data.target[data.valid], _patients(data)
    rule = Rule(config.threshold, config.threshold_beta, config.threshold_sensitivity, config.threshold_min_positives)
    model.calibration = fit_calibration(target, outputs, config.calibration, exclusive=model.link.kind.exclusive)
    said = model.calibrated(outputs)
    chosen = choose_thresholds(target, said, patients, data.label_names, rule)
    model.thresholds = [threshold.value for threshold in chosen.values()]
    if config.conformal_coverage is not None:
        model.conformal = fit_conformal(target, said, patients, config.conformal_coverage)
    return chosen


def windows_of(model: ECGModel, data: Labelled, rows: np.ndarray) -> pd.DataFrame:
    """Every window of some records."""
    windows = data.signals.windows(model.encoder.crop_samples)
    return windows[windows["row"].isin(rows)]


def _reference(
    model: ECGModel, data: Labelled, config: FinetuneConfig, valid_nd: np.ndarray, share: float
) -> Reference:
    """Training records as the model sees them, and limits by the validation records, described as `valid_nd`."""
    step = -(-len(data.train) // REFERENCE_RECORDS)
    windows = windows_of(model, data, data.train[::step])
    _, train_nd = predict_described(model, data.signals, windows, batch_size=config.batch_size)
    reference = Reference(model.embedding_dim, len(model.encoder.leads))
    reference.fit(train_nd)
    said = data.records["flags"].iloc[data.valid] if "flags" in data.records else [""] * len(data.valid)
    flags = [quality_flags(text.split(",")) for text in said]
    reference.choose(valid_nd, flags, _patients(data), share)
    return reference.to(next(model.parameters()).device)


def _patients(data: Labelled) -> np.ndarray:
    return data.records["patient_id"].to_numpy(dtype=str)[data.valid]
