"""What models say of the records of a task: the table that `evaluate` measures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics import Predictions
from ecglfm.models.conformal import set_names
from ecglfm.records import require_columns

if TYPE_CHECKING:
    from ecglfm.data.samples import Signals
    from ecglfm.models.heads import ECGModel

logger = logging.getLogger(__name__)


def labelled_records(
    labels: pd.DataFrame, records: pd.DataFrame, names: list[str], where: Path, kind: str = "multilabel"
) -> pd.DataFrame:
    """Validation and test records of a task: their rows of the manifest and their labels, by record.

    Raises
    ------
    UserError
        A label that the model predicts is missing, the labels are of another manifest, or no record is in
        the test split.
    """
    columns = [column for name in names for column in KINDS[kind].label_columns(name)]
    keys = ["record_id", "split", *(["fold"] if "fold" in labels else [])]
    require_columns(labels, keys, str(where))
    require_columns(records, keys, "the manifest")
    if "fold" not in keys:  # the manifest has them where any task is cross-validated
        records = records.drop(columns="fold", errors="ignore")
    absent = [column.partition(".")[2] for column in columns if column not in labels]
    if absent:
        raise UserError(
            f"{where}: has no label {absent[0]!r}, which the model predicts: the model is older than the labels, or of"
            " another task; run `ecglfm finetune` again (or `ecglfm labels`, where this table is the older one)"
        )
    prefix = columns[0].partition(".")[0] + "."
    others = set(map(str, labels.columns)) - set(columns)
    new = sorted(column.removeprefix(prefix) for column in others if column.startswith(prefix))
    if new:
        logger.warning(
            "%s: label %s is unknown to the model, which is older: it is not evaluated; run `ecglfm finetune` again",
            where, ", ".join(new),
        )  # fmt: skip
    wanted = labels.loc[labels["split"].isin(["valid", "test"]), [*keys, *columns]]
    joined = records.merge(wanted, on=keys, validate="one_to_one")
    joined = joined.sort_values("record_id", ignore_index=True)
    if len(joined) != len(wanted):  # a record that has changed its split since could have been trained on
        count = len(wanted) - len(joined)
        raise UserError(f"{where}: {count} of its records have another split or fold in the manifest; run labels again")
    if not (joined["split"] == "test").any():
        raise UserError(
            f"{where}: no record of the task is in the test split; raise `manifest.test_fraction` or name test folds"
        )
    return joined


class SomeLeads(NamedTuple):
    """Prepared signals of which a model is told some leads only; the others are zero, as those not recorded are.

    Attributes
    ----------
    store : Signals
    kept_l : ndarray of bool, shape (leads,)
        Leads that stay as they are.
    """

    store: Signals
    kept_l: np.ndarray

    @property
    def n_samples(self) -> np.ndarray:
        """Of each record."""
        return self.store.n_samples

    def views(self, rows: np.ndarray, starts: np.ndarray, length: int) -> list[np.ndarray]:
        """Pieces of some records, int16 microvolts, shape (at most length, leads)."""
        return [piece * self.kept_l.astype(np.int16) for piece in self.store.views(rows, starts, length)]

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        """Samples, int16 microvolts, shape (rows, length, leads)."""
        return self.store.crops(rows, starts, length) * self.kept_l.astype(np.int16)

    def windows(self, length: int) -> pd.DataFrame:
        """Table `row, start, valid` of every record's windows."""
        return self.store.windows(length)


def predict_records(
    model: ECGModel, records: pd.DataFrame, signals: Path, *, leads: Sequence[str] | None = None
) -> pd.DataFrame:
    """Table of `predictions.parquet` for these records (rows of the manifest with the columns of their labels).

    Parameters
    ----------
    model : ECGModel
    records : DataFrame
    signals : path
        Folder `preprocess/`.
    leads : sequence of str, optional
        Those that the model is told, the others being zero; None: all.

    Raises
    ------
    UserError
        The signals are not prepared as the model reads them.
    ValueError
        An output is not finite: the model or its input is broken.
    """
    from ecglfm.data.samples import Signals, check_reads
    from ecglfm.data.signals import as_read
    from ecglfm.training.inference import predict

    store, wanted = Signals(records, signals), model.encoder.preprocess
    check_reads(
        records, store, reader="the model", sampling_rate=wanted.sampling_rate, leads=wanted.leads,
        anew="the stages `pretrain` and `finetune`",
    )  # fmt: skip
    told = store if leads is None else SomeLeads(store, np.array([lead in leads for lead in wanted.leads]))
    outputs = predict(model, as_read(told, model.encoder))
    if outputs.shape != (len(records), len(model.label_names)) or not np.isfinite(outputs).all():
        raise ValueError(f"predictions of shape {outputs.shape} for {len(records)} records are missing or not finite")
    said = model.calibrated(outputs)
    table, kind = records[["record_id", "patient_id", "split"]].copy(), KINDS[model.kind]
    for column, name in enumerate(model.label_names):
        for truth, label in zip(kind.truth_columns(name), kind.label_columns(name), strict=True):
            table[truth] = records[label].astype(np.float32)
        table[kind.output_column(name)] = said[:, column]
        if model.calibration is not None:
            table[f"uncalibrated.{name}"] = outputs[:, column]
    if model.conformal is not None:
        sets = set_names([model.conformal], said[None])
        table = table.assign(**{f"set.{name}": sets[:, column] for column, name in enumerate(model.label_names)})
    if kind.time is not None:
        slopes = zip(model.label_names, model.slopes, strict=True)
        table = table.assign(**{f"slope.{name}": slope for name, slope in slopes})
    thresholds = zip(kind.threshold_columns(model.label_names), model.thresholds, strict=True)
    return table.assign(**{name: float(threshold) for name, threshold in thresholds})


def predictions_on_test(table: pd.DataFrame, names: list[str]) -> Predictions:
    """The test split of a table of predictions of classes."""
    test = table[table["split"] == "test"]
    return Predictions(
        names,
        test[[f"target.{name}" for name in names]].to_numpy(dtype=np.float64),
        test[[f"probability.{name}" for name in names]].to_numpy(dtype=np.float64),
        test[[f"threshold.{name}" for name in names]].to_numpy(dtype=np.float64),
        test["patient_id"].to_numpy(dtype=str),
    )
