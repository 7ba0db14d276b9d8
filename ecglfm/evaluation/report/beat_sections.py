"""What the card shows of a model's reasons: mean beats of hits, false alarms and misses, shaded by what they add."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecglfm.config import CardConfig, UserError
from ecglfm.evaluation.plots import data_uri, png
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.model_sections import FittedModel

if TYPE_CHECKING:
    from ecglfm.models.bundle import ECGModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Explainable:
    """What can be explained of a model.

    Attributes
    ----------
    folder : path
        Of the model.
    threads : int
        Of torch.
    records : int
        A group, of which mean beats are made.
    test : DataFrame
        Test rows of its predictions.
    labels, left_out : list of str
        Those with most positive test records, and the others.
    read : callable
        Samples of a record, int16 microvolts (n, l).
    """

    folder: Path
    threads: int
    records: int
    test: pd.DataFrame
    labels: list[str]
    left_out: list[str]
    read: Callable[[str], np.ndarray]

    @cached_property
    def model(self) -> ECGModel:
        """The model, loaded when it is first asked for.

        Raises
        ------
        UserError
            Its files cannot be read.
        """
        import torch  # here, since pages without mean beats do not wait for it

        from ecglfm.models.bundle import load_model

        torch.set_num_threads(max(1, self.threads))
        return load_model(self.folder)


def explainable(
    results: Path, fit: FittedModel, metrics: dict[str, Any], config: CardConfig, threads: int = 1
) -> Explainable | str:
    """Test records and labels of a model that are explained, or the sentence why there are none.

    Parameters
    ----------
    results : path
    fit : FittedModel
    metrics : dict
        Its `metrics.json`.
    config : CardConfig
    threads : int
        Of torch.
    """
    if not config.records:
        return "Not wanted: card.records is 0."
    if "thresholds" not in metrics:
        return "A number has no true and false positives; ecglfm explain shows what speaks for it in a recording."
    if "folds" in metrics:
        return (
            "Not shown of a cross-validation, whose records have a model each; "
            "ecglfm explain takes the model of a fold."
        )
    table = read_if_there(results / "evaluate" / fit.path / "predictions.parquet", pd.read_parquet)
    records = read_if_there(results / "manifest/records.parquet", _test_records)
    names = metrics["label_names"]
    folder = results / "finetune" / fit.path
    model = (folder / "model.safetensors").is_file()
    if table is None or records is None or not model or f"threshold.{names[0]}" not in table:
        return "The model, its predictions or the manifest are not there, or of an earlier version."
    test = table[table["split"] == "test"]
    ranked = sorted(names, key=lambda name: -int((test[f"target.{name}"] == 1).sum()))
    places = {str(record["record_id"]): record for _, record in records.iterrows()}

    def read(name: str) -> np.ndarray:
        return np.rint(read_signal(results, places[name]) * 1000.0).astype(np.int16)

    shown, left_out = sorted(ranked[: config.labels], key=names.index), ranked[config.labels :]
    return Explainable(folder, threads, config.records, test, shown, left_out, read)


def read_signal(results: Path, record: pd.Series) -> np.ndarray:
    """Prepared samples of a record in mV, shape (n_samples, leads)."""
    path = results / "preprocess" / str(record["source"]) / f"{int(record['shard']):03d}.npy"
    shard = np.load(path, mmap_mode="r", allow_pickle=False)
    start = int(record["offset"])
    return np.asarray(shard[start : start + int(record["n_samples"])], dtype=np.float64) / 1000.0


def _test_records(path: Path) -> pd.DataFrame:
    """Where the samples of test records lie; a manifest can have millions of others."""
    columns = ["record_id", "source", "shard", "offset", "n_samples"]
    return pd.read_parquet(path, columns=columns, filters=[("split", "==", "test")])


def beats_section(found: Explainable | str) -> dict[str, Any]:
    """Pictures of the labels with most positive test records, or the sentence why there are none.

    Parameters
    ----------
    found : Explainable or str
        Of `explainable`.

    Returns
    -------
    dict
        `labels` (list of dict of `name`, `picture`, or None with a `reason`), `records` a group, `left_out` labels; or
        `reason` alone.
    """
    if isinstance(found, str):
        return {"reason": found}
    try:
        return _beats(found)
    except (UserError, OSError) as error:
        logger.warning("%s: no mean beats: %s", found.folder, error)
        return {"reason": f"They could not be made: {error}"}


def _beats(found: Explainable) -> dict[str, Any]:
    from ecglfm.evaluation.attribution import choose_records, draw_mean_beats, mean_beat

    model, labels = found.model, []
    for name in found.labels:
        beats = {}
        for group, (chosen, of) in choose_records(found.test, name, found.records).items():
            beat = mean_beat(model, model.label_names.index(name), chosen, found.read, of)
            if beat is not None:
                beats[group] = beat
        picture = None
        if beats:
            sheet = draw_mean_beats(beats, model.encoder.leads, model.encoder.sampling_rate)
            picture = data_uri(png(sheet, dpi=110))
        labels.append({"name": name, "picture": picture})
    return {"labels": labels, "records": found.records, "left_out": found.left_out}
