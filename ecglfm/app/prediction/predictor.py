"""Models that are loaded once and asked: recordings go in, rows of the table of `ecglfm predict` come out.

A recording goes the way of the pipeline: `Record.microvolts` as in `ingest`, `prepare` as in `preprocess`, windows and
their aggregate as in `evaluate`. What cannot be read is a row without an answer.

Shapes: n records, k labels, m models.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ecglfm import gpu
from ecglfm.app.prediction.horizons import Horizons
from ecglfm.app.prediction.preparation import Prepared, Preparer, prepare_record, prepared_together
from ecglfm.app.prediction.recordings import Reader, Recording
from ecglfm.config import UserError
from ecglfm.data.samples import Held
from ecglfm.data.signals import as_read
from ecglfm.models.conformal import set_names
from ecglfm.records import Record

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel

logger = logging.getLogger(__name__)

_BATCH = 64  # windows in one forward


class Predictor:
    """One model, or an ensemble of one task, loaded once and ready to be asked.

    Parameters
    ----------
    models : sequence of ECGModel
        Several are an ensemble, whose outputs are averaged.
    names : sequence of str, optional
        What an error calls them.
    precision : str
        Numbers of the products: fp32, tf32 or bf16.
    at : sequence of float
        Times at which survival models say a risk, as `Horizons` takes them.

    Raises
    ------
    UserError
        The models are of different tasks or read different input, or a filter of their preprocessing does not fit
        their rate, or they cannot say a risk at these times.
    """

    def __init__(
        self,
        models: Sequence[ECGModel],
        names: Sequence[str] = (),
        *,
        precision: str = "fp32",
        at: Sequence[float] = (),
    ) -> None:
        self.models, self.precision = list(models), precision
        names = names or [f"model {number}" for number in range(len(self.models))]
        _check_alike(self.models, names)
        self._horizons = Horizons(self.models, names, at)

    @classmethod
    def load(
        cls,
        folders: Sequence[Path],
        *,
        threads: int = 1,
        precision: str = "fp32",
        compiled: bool = False,
        at: Sequence[float] = (),
    ) -> Predictor:
        """Read the models of some folders that `finetune` wrote, onto the device that there is.

        Parameters
        ----------
        folders : sequence of path
        threads : int
            Of torch, which has them for the whole process.
        precision, at
            As of the constructor.
        compiled : bool
            Compile the layers of their encoders.

        Raises
        ------
        UserError
            As the constructor, or a model cannot be read, or nothing can be compiled.
        """
        from ecglfm.models.bundle import load_model
        from ecglfm.training.inference import ready

        models = [
            ready(load_model(folder), threads=threads, precision=precision, compiled=compiled) for folder in folders
        ]
        logger.info("%s: asked on %s", ", ".join(map(str, folders)), gpu.device_of(models[0]))
        return cls(models, [str(folder) for folder in folders], precision=precision, at=at)

    def prepare(self, record: Record, *, name: str = "", patient_id: str | None = None) -> Prepared:
        """A recording of any rate, order of leads and unit as the models read it, or with its fault.

        Parameters
        ----------
        record : Record
            As `ecglfm.read_record` gives it.
        name, patient_id : str, optional
            `record` and `patient_id` of its row.
        """
        return prepare_record(record, self._encoder.preprocess, name=name, patient_id=patient_id)

    def answer(self, prepared: Sequence[Prepared]) -> list[dict[str, Any]]:
        """Rows of the table, in the order of the recordings.

        Returns
        -------
        list of dict
            `record`, `patient_id`; of each label the calibrated output, under the name that its kind of task has for it
            (of an ensemble the mean, and `spread`, the standard deviation); of survival `within_{time}`, the
            probability of the event until then, where the model keeps a baseline hazard; where labels are there or not
            its `threshold` (of an ensemble the mean) and the `decision`, whether the probability reaches it, and the
            `set` (of an ensemble the union; `ecglfm.models.conformal`): present, absent, either, neither or too few;
            `flags`; `abstained` and its `reason`. Outputs are None of what cannot be used; of what is unlike the
            training recordings (of an ensemble: to most of the models) they are there, and nothing is decided.
        """
        usable = [one for one in prepared if not one.fault]
        outputs_mnk, unlike = self._ask(usable)
        answers = iter(zip(outputs_mnk.swapaxes(0, 1), self._sets(outputs_mnk), unlike, strict=True))
        return [self._row(one, *((None, None, "") if one.fault else next(answers))) for one in prepared]

    def table(self, recordings: Sequence[Recording], reader: Reader, *, workers: int = 1) -> pd.DataFrame:
        """What the models say of recordings: `answer`, a row for each, in their order.

        Parameters
        ----------
        recordings : sequence of Recording
        reader : Reader
        workers : int
            Processes that read and prepare; the table does not depend on it.
        """
        encoder = self._encoder
        preparer = Preparer(reader, encoder.preprocess)
        together = prepared_together(recordings, preparer, encoder.crop_seconds, workers=workers)
        rows = itertools.chain.from_iterable(map(self.answer, together))
        return pd.DataFrame(tqdm(rows, "predict", total=len(recordings), unit="record", disable=None))

    @property
    def outputs(self) -> dict[str, str]:
        """Each label and the column of what is said of it."""
        kind = self.models[0].link.kind
        return {name: kind.output_column(name) for name in self.models[0].label_names}

    @property
    def _encoder(self) -> Any:
        return self.models[0].encoder

    def _ask(self, usable: Sequence[Prepared]) -> tuple[np.ndarray, list[str]]:
        """Outputs of each model, shape (m, n, k), and why recordings are unlike what most of the models know."""
        from ecglfm.models.reference import quality_flags
        from ecglfm.training.inference import predict, predict_described

        flags = [quality_flags(one.flags) for one in usable]
        read = as_read(Held([one.signal for one in usable]), self._encoder)
        outputs, reasons = [], []
        for model in self.models:
            if model.reference is None:
                outputs.append(model.calibrated(predict(model, read, batch_size=_BATCH, precision=self.precision)))
                reasons.append([""] * len(usable))
                continue
            said, numbers_nd = predict_described(model, read, batch_size=_BATCH, precision=self.precision)
            outputs.append(model.calibrated(said))
            reasons.append(model.reference.reasons(numbers_nd, flags))
        told = [[reason for reason in of_models if reason] for of_models in zip(*reasons, strict=True)]
        return np.stack(outputs), [why[0] if 2 * len(why) > len(self.models) else "" for why in told]

    def _sets(self, outputs_mnk: np.ndarray) -> np.ndarray:
        """Names of prediction sets, shape (n, k); no labels where not every model has them."""
        cuts = [model.conformal for model in self.models if model.conformal is not None]
        if len(cuts) < len(self.models):
            return np.empty((outputs_mnk.shape[1], 0), dtype=object)
        return set_names(cuts, outputs_mnk)

    def _row(
        self, prepared: Prepared, outputs_mk: np.ndarray | None, sets_k: np.ndarray | None, unlike: str
    ) -> dict[str, Any]:
        """A row of the table, of the outputs of each model, their sets, and why nothing is decided."""
        kind = self.models[0].link.kind
        row: dict[str, Any] = {"record": prepared.name, "patient_id": prepared.patient_id}
        for column, name in enumerate(self.models[0].label_names):
            values = None if outputs_mk is None else outputs_mk[:, column].astype(np.float64)
            mean = None if values is None else float(values.mean())
            row[kind.output_column(name)] = mean
            if len(self.models) > 1:
                row[f"spread.{name}"] = None if values is None else float(values.std(ddof=1))
            row |= self._horizons.said(column, name, values)
            if kind.has_classes:
                threshold = float(np.mean([model.thresholds[column] for model in self.models]))
                decision = None if mean is None or unlike else mean >= threshold
                row |= {f"threshold.{name}": threshold, f"decision.{name}": decision}
            if all(model.conformal for model in self.models):
                row[f"set.{name}"] = None if sets_k is None or unlike else sets_k[column]
        reason = ": ".join(prepared.fault) if prepared.fault else unlike
        return row | {"flags": ",".join(prepared.flags), "abstained": bool(reason), "reason": reason}


def _check_alike(models: Sequence[ECGModel], names: Sequence[str]) -> None:
    """Raise `UserError` where models do not answer the same question from the same input."""
    first = models[0]
    for model, name in zip(models[1:], names[1:], strict=True):
        for what, a, b in (
            ("kind of task is not that", first.kind, model.kind),
            ("labels are not those", first.label_names, model.label_names),
            ("preprocessing is not that", first.encoder.preprocess, model.encoder.preprocess),
            ("input is not that", first.encoder.input, model.encoder.input),
            ("length of a window is not that", first.encoder.crop_samples, model.encoder.crop_samples),
        ):
            if a != b:
                raise UserError(f"{name}: its {what} of {names[0]}; an ensemble is of one task and input")
