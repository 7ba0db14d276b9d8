"""From recordings to a table of what models say of them: read, prepare as in training, predict in batches.

A recording goes the way of the pipeline: `Record.microvolts` as in `ingest`, `prepare` as in `preprocess`, windows and
their aggregate as in `evaluate`. What cannot be read is a row without an answer.

Shapes: n records, k labels, m models.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from ecglfm.app.prediction.recordings import Reader, Recording
from ecglfm.config import PreprocessConfig, UserError
from ecglfm.data.ingest import flags_of
from ecglfm.data.samples import cut_windows, padded
from ecglfm.data.signals import check_filters, prepare
from ecglfm.distributed import choose_device
from ecglfm.provenance import atomic
from ecglfm.records import RecordError
from ecglfm.sources.parallel import ordered_map

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel

_BATCH = 64  # windows in one forward
_TOGETHER = 4 * _BATCH  # windows of the recordings that are predicted together
_CHUNK = 8  # recordings that a worker reads at a time


class Prepared(NamedTuple):
    """A recording as a worker hands it back; `fault` is (reason, detail) of one that gets no answer."""

    recording: Recording
    signal: np.ndarray
    flags: tuple[str, ...] = ()
    fault: tuple[str, str] | None = None


class _Prepare:
    """Reads and prepares recordings, in worker processes."""

    def __init__(self, reader: Reader, config: PreprocessConfig) -> None:
        self._reader, self._config = reader, config

    def __call__(self, chunk: Sequence[Recording]) -> list[Prepared]:
        return [self._one(recording) for recording in chunk]

    def _one(self, recording: Recording) -> Prepared:
        try:
            record = self._reader.read(recording.path).microvolts()
            if recording.patient_id is None:
                recording = recording._replace(patient_id=self._reader.patient(recording.path))
        except RecordError as error:
            return Prepared(recording, np.empty((0, 0), np.int16), fault=(error.reason, error.detail))
        found = prepare(record.signal, record.sampling_rate, self._config, lead_mask=record.lead_mask)
        flags = (*(reason for reason, _ in flags_of(record)), *found.flags)
        return Prepared(recording, found.signal, flags, found.dropped)


class _Held:
    """Prepared recordings in memory, as `ecglfm.training.inference.predict` reads them."""

    def __init__(self, signals: Sequence[np.ndarray]) -> None:
        self._signals = signals

    def windows(self, length: int) -> pd.DataFrame:
        return cut_windows(np.array([len(signal) for signal in self._signals], np.int64), length)

    def crops(self, rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
        places = zip(rows.tolist(), starts.tolist(), strict=True)
        return padded([self._signals[row][start : start + length] for row, start in places], length)


def check_models(models: Sequence[ECGModel], names: Sequence[Path]) -> None:
    """Raise `UserError` where models do not answer the same question from the same input."""
    first = models[0]
    for model, name in zip(models[1:], names[1:], strict=True):
        for what, a, b in (
            ("kind of task is not that", first.kind, model.kind),
            ("labels are not those", first.label_names, model.label_names),
            ("preprocessing is not that", first.encoder.preprocess, model.encoder.preprocess),
            ("length of a window is not that", first.encoder.crop_samples, model.encoder.crop_samples),
        ):
            if a != b:
                raise UserError(f"{name}: its {what} of {names[0]}; an ensemble is of one task and input")


def predict_recordings(
    models: Sequence[ECGModel], recordings: Sequence[Recording], reader: Reader, *, workers: int = 1
) -> Iterator[tuple[Prepared, np.ndarray | None]]:
    """What models say of recordings, in their order.

    Parameters
    ----------
    models : sequence of ECGModel
        One, or an ensemble that `check_models` lets pass.
    recordings : sequence of Recording
    reader : Reader
    workers : int
        Processes that read and prepare; the outputs do not depend on it.

    Yields
    ------
    prepared : Prepared
        Its signal is left out.
    outputs : ndarray of float32, shape (m, k), or None
        Of each model (`ECGModel.outputs`), put together from windows as it was trained; None where there is a fault.

    Raises
    ------
    UserError
        A filter of the models' preprocessing does not fit their rate.
    """
    config, length = models[0].encoder.preprocess, models[0].encoder.crop_samples
    check_filters(config)
    chunks = [recordings[start : start + _CHUNK] for start in range(0, len(recordings), _CHUNK)]
    prepared = itertools.chain.from_iterable(ordered_map(_Prepare(reader, config), chunks, workers))
    waiting: list[Prepared] = []
    windows = 0
    for one in prepared:
        waiting.append(one)
        windows += max(1, len(one.signal) // length)
        if windows >= _TOGETHER:
            yield from _answers(models, waiting)
            waiting, windows = [], 0
    yield from _answers(models, waiting)


def _answers(models: Sequence[ECGModel], waiting: Sequence[Prepared]) -> Iterator[tuple[Prepared, np.ndarray | None]]:
    from ecglfm.training.inference import predict

    usable = _Held([one.signal for one in waiting if not one.fault])
    outputs_nmk = np.stack([predict(model, usable, batch_size=_BATCH) for model in models], axis=1)
    answers = iter(outputs_nmk)
    for one in waiting:
        yield one._replace(signal=one.signal[:0]), None if one.fault else next(answers)


def row_of(models: Sequence[ECGModel], prepared: Prepared, outputs_mk: np.ndarray | None) -> dict[str, Any]:
    """A row of the table.

    Returns
    -------
    dict
        `record`, `patient_id`; of each label the output, under the name that its kind of task has for it (of an
        ensemble the mean, and `spread`, the standard deviation), and `threshold` and `decision` where labels are there
        or not; `flags`; `abstained` and its `reason`.
    """
    kind = models[0].link.kind
    row: dict[str, Any] = {"record": prepared.recording.name, "patient_id": prepared.recording.patient_id}
    for column, name in enumerate(models[0].label_names):
        values = None if outputs_mk is None else outputs_mk[:, column].astype(np.float64)
        mean = None if values is None else float(values.mean())
        row[kind.output_column(name)] = mean
        if len(models) > 1:
            row[f"spread.{name}"] = None if values is None else float(values.std(ddof=1))
        if kind.has_classes:
            threshold = float(np.mean([model.thresholds[column] for model in models]))
            row |= {f"threshold.{name}": threshold, f"decision.{name}": None if mean is None else mean >= threshold}
    fault = prepared.fault
    return row | {
        "flags": ",".join(prepared.flags),
        "abstained": fault is not None,
        "reason": ": ".join(fault) if fault else "",
    }


def run_predict(
    folders: Sequence[Path],
    recordings: Sequence[Recording],
    reader: Reader,
    output: Path,
    *,
    workers: int = 1,
    threads: int = 1,
) -> pd.DataFrame:
    """Write what models say of recordings.

    Parameters
    ----------
    folders : sequence of path
        Of models that `finetune` wrote; several are an ensemble, whose outputs are averaged.
    recordings : sequence of Recording
    reader : Reader
    output : path
        `.csv`, `.parquet` or `.json` (a list of rows), a row per recording in the order of `recordings`.
    workers : int
        Processes that read and prepare.
    threads : int
        Of torch.

    Returns
    -------
    DataFrame
        The table, as `row_of` describes it.

    Raises
    ------
    UserError
        A model cannot be read, the models of an ensemble are of different tasks, or `output` has another ending.
    """
    if output.suffix not in _WRITERS:
        raise UserError(f"--output {output}: the ending says the format; write one of *{', *'.join(_WRITERS)}")
    import torch

    from ecglfm.models.bundle import load_model

    torch.set_num_threads(max(1, threads))
    device = choose_device()
    models = [load_model(folder).to(device) for folder in folders]
    check_models(models, folders)
    answered = predict_recordings(models, recordings, reader, workers=workers)
    shown = tqdm(answered, "predict", total=len(recordings), unit="record", disable=None)
    table = pd.DataFrame([row_of(models, prepared, outputs) for prepared, outputs in shown])
    with atomic(output) as temporary:
        _WRITERS[output.suffix](table, temporary)
    return table


def _write_json(table: pd.DataFrame, path: Path) -> None:
    table.to_json(path, orient="records", indent=1, force_ascii=False, double_precision=15)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".json": _write_json,
}
