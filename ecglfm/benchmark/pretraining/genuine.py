"""Arms of a comparison on genuine records, cross-validated by patient: encoders fitted to the superclasses of PTB-XL.

An encoder is pretrained on the signals of all patients but those of the fold that it is tested on; of these, the fold
that follows chooses a fit's epoch, and the others are what it learns from. Every finished part lies below `work` under
a name that holds its settings, so that a run that was broken off goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import EncoderConfig, EncoderSlice, FinetuneConfig, Project
from ecglfm.config.fits import Fit
from ecglfm.data.ingest import run_ingest
from ecglfm.data.labels import run_labels
from ecglfm.data.manifest import run_manifest
from ecglfm.data.signals import run_preprocess
from ecglfm.evaluation.metrics import Predictions, auroc_influence
from ecglfm.evaluation.prediction import labelled_records, predict_records, predictions_on_test
from ecglfm.provenance import sha256_json
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index
from ecglfm.training.finetuning import lacking, load_labelled, run_finetune, share_of_patients
from ecglfm.training.pretraining import crop_seconds, run_pretrain, write_untrained

logger = logging.getLogger(__name__)

#: What label tables say beside their rows, and is as true of a fold.
_KEPT = (b"left_out",)
SOURCE, TASK = "ptbxl", "ptbxl-superdiagnostic"


@dataclass(frozen=True)
class FoldPredictions(Predictions):
    """AUROC within each fold, and the mean of those: what models of other folds say is not on one scale.

    Attributes
    ----------
    folds : ndarray of int, shape (n,)
        Fold of each record.
    """

    folds: np.ndarray = field(kw_only=True)

    def influence(self, label: int) -> dict[str, tuple[float, np.ndarray]]:
        """The mean of the folds that have both classes, and what each record adds to its error."""
        terms, areas = np.zeros(len(self.folds)), []
        for fold in np.unique(self.folds):
            own = self.folds == fold
            area, terms[own] = auroc_influence(self.targets[own, label], self.probabilities[own, label])
            areas += [] if np.isnan(area) else [area]
        return {"auroc": (float(np.mean(areas)), terms / len(areas)) if areas else (np.nan, terms)}


@dataclass(frozen=True)
class Arm:
    """One encoder of the comparison.

    Attributes
    ----------
    title : str
        What the table calls it.
    encoder : str
        `config/encoders/{encoder}.yaml`.
    random : bool
        Take the architecture and the settings of its fits, with random weights.
    """

    title: str
    encoder: str
    random: bool = False

    def slice(self, project: Project, seed: int, steps: int | None) -> EncoderSlice:
        """What its pretraining is told."""
        only: dict[str, Any] = {"sources": [SOURCE], "mixture": None}
        return arm_slice(project.encoder_slice(self.encoder), seed, steps, random=self.random, **only)


def arm_slice(own: EncoderSlice, seed: int, steps: int | None, *, random: bool, **pretrain: Any) -> EncoderSlice:
    """What the pretraining of an arm is told.

    Parameters
    ----------
    own : EncoderSlice
        The encoder as its YAML says. What is imported and not trained, or has no weights, stays as it is.
    seed : int
    steps : int or None
        Updates; None: as its YAML says.
    random : bool
        Random weights in place of its own.
    **pretrain
        Other keys of `pretrain`.
    """
    config = own.config.model_dump()
    if config["weights"] == "random" or (random and config["weights"] != "none"):
        config |= {"weights": "random", "path": None, "pretrain": None, "seed": seed}
        own = own.model_copy(update={"sha256": None})
    elif config["pretrain"] is not None:
        length = {} if steps is None else {"steps": steps, "epochs": None}
        config["pretrain"] |= length | pretrain | {"seed": seed, "keep_every": None}
        total = config["pretrain"]["steps"] or 10**9
        config["pretrain"] |= {"validate_every": total, "checkpoint_every": {"steps": total}}
    return own.model_copy(update={"config": EncoderConfig.model_validate(config)})


def make_encoder(own: EncoderSlice, told: EncoderSlice, output: Path, *, manifest: Path, signals: Path) -> None:
    """Make the encoder of an arm; a random one has segments as long as its own, which are the windows of its fits."""
    if told.config.weights == "random":
        write_untrained(told, output, crop_seconds(own))
    else:
        run_pretrain(told, manifest=manifest, signals=signals, output=output)


class Comparison:
    """The data of a cross-validation, and what arms say of its test records.

    Parameters
    ----------
    project : Project
        With the source and the task of this module.
    work : path
        Folder of everything that is made.
    folds : int
    steps : int or None
        Updates of each pretraining; None: as the encoder's YAML says.
    fits : dict of FinetuneConfig
        Settings of the fits, by encoder and mode.
    """

    def __init__(
        self,
        project: Project,
        work: Path,
        *,
        folds: int,
        steps: int | None,
        fits: dict[tuple[str, str], FinetuneConfig],
    ) -> None:
        self.project, self.folds, self._steps, self._fits = project, folds, steps, fits
        prepared = {
            "root": project.sources[SOURCE].root,
            "preprocess": project.config.preprocess.model_dump(mode="json"),
        }
        self._work = work / f"{folds}-folds-{sha256_json(prepared)[:8]}"

    @cached_property
    def data(self) -> Path:
        """Folder of signals and, by fold, of manifest and labels; made where it is not there."""
        done = self._work / "done"
        if not done.exists():
            prepare(self.project, self._work, self.folds)
            done.touch()
        return self._work

    def pretrained(self, arm: Arm, seed: int, fold: int) -> Path:
        """Folder of the encoder that has not seen a fold."""
        own, slice_ = self.project.encoder_slice(arm.encoder), arm.slice(self.project, seed, self._steps)
        window = f"-{crop_seconds(own):g}s" if slice_.config.weights == "random" else ""
        output = self.data / "encoders" / f"{arm.encoder}-{_short(slice_)}{window}-f{fold}"
        if not (output / "encoder.json").exists():
            manifest = self.data / f"fold{fold}" / "pretrain.parquet"
            make_encoder(own, slice_, output, manifest=manifest, signals=self.data / "preprocess")
        return output

    def fit(self, arm: Arm, fit: Fit, fold: int) -> Path:
        """Folder of a fitted model, with what it says of its fold's records in `test.parquet`."""
        encoder, own = self.pretrained(arm, fit.seed, fold), self._fits[arm.encoder, fit.mode]
        output = encoder / f"{fit.name}-{_short(own)}{'-as-all' if fit.fraction < 1 else ''}"  # not: of fewer updates
        if (output / "test.parquet").exists():
            return output
        at, signals = self.data / f"fold{fold}", self.data / "preprocess"
        slice_ = self.project.finetune_slice(arm.encoder).model_copy(update={"finetune": own})
        model = run_finetune(
            slice_, fit=fit.name, encoder=encoder, task=self.project.task_slice(TASK), labels=at / "labels.parquet",
            manifest=at / "records.parquet", signals=signals, output=output,
        )  # fmt: skip
        labels, records = pd.read_parquet(at / "labels.parquet"), pd.read_parquet(at / "records.parquet")
        tested = labelled_records(labels, records, model.label_names, at / "labels.parquet")
        said = predict_records(model, tested[tested["split"] == "test"].reset_index(drop=True), signals)
        said.assign(fold=fold).to_parquet(output / "test.parquet")
        return output

    def lacking(self, fit: Fit, fold: int) -> dict[str, str]:
        """Labels that a fit could not learn, and what its training records lack."""
        at, kind = self.data / f"fold{fold}", self.project.task_slice(TASK).config.kind
        whole = load_labelled(at / "labels.parquet", at / "records.parquet", self.data / "preprocess", kind, fit)
        return lacking(share_of_patients(whole, fit.fraction, fit.seed))

    def predictions(self, arm: Arm, fit: Fit) -> FoldPredictions:
        """What the models of all folds say, each of its own."""
        tables = [pd.read_parquet(self.fit(arm, fit, fold) / "test.parquet") for fold in range(self.folds)]
        table = pd.concat(tables).sort_values("record_id", ignore_index=True)
        names = [name.removeprefix("target.") for name in map(str, table) if name.startswith("target.")]
        return FoldPredictions(**vars(predictions_on_test(table, names)), folds=table["fold"].to_numpy())


def _short(settings: EncoderSlice | FinetuneConfig) -> str:
    """The beginning of a hash of settings."""
    return sha256_json(settings.model_dump(mode="json"))[:8]


def prepare(project: Project, work: Path, folds: int) -> None:
    """Signals, folds and labels of the database below `work`, as the workflow makes them; then a manifest per fold."""
    slice_, index = project.source_slice(SOURCE), work / "index" / f"{SOURCE}.parquet"
    write_index(index, open_source(slice_).recordings())
    ingested = work / "ingest" / SOURCE / "000.npy"
    run_ingest(slice_, index, 0, 1, ingested)
    run_preprocess(project.config.preprocess, ingested, work / "preprocess" / SOURCE / "000.npy", 1)
    whole = project.manifest_slice()
    dealt = type(whole.manifest).model_validate(whole.manifest.model_dump() | {"folds": {SOURCE: {"k": folds}}})
    run_manifest(whole.model_copy(update={"manifest": dealt, "shards": {}}), work, work / "manifest")
    records, labels = work / "manifest" / "records.parquet", work / "labels.parquet"
    run_labels(project.task_slice(TASK), records, [index], labels)
    for fold in range(folds):
        for name, table in split(_read(records), _read(labels), fold, folds):
            (work / f"fold{fold}").mkdir(parents=True, exist_ok=True)
            pq.write_table(table, work / f"fold{fold}" / f"{name}.parquet")


def _read(path: Path) -> pa.Table:
    """A table with what the file says beside it."""
    beside = pq.read_metadata(path).metadata or {}
    return pq.read_table(path).replace_schema_metadata({key: beside[key] for key in beside if key in _KEPT})


def split(records: pa.Table, labels: pa.Table, fold: int, folds: int) -> Iterator[tuple[str, pa.Table]]:
    """Tables of one fold: `pretrain`, whose records are all of `train`, without the fold's; `records` and `labels`.

    Parameters
    ----------
    records, labels : Table
        Of a manifest and a task that are cross-validated.
    fold, folds : int
        The one to be tested on, and how many there are; the next one chooses.
    """

    def placed(table: pa.Table) -> pd.DataFrame:
        frame = table.to_pandas()
        own = frame.pop("fold").to_numpy(np.int64)
        return frame.assign(split=np.where(own == fold, "test", np.where(own == (fold + 1) % folds, "valid", "train")))

    def written(frame: pd.DataFrame, like: pa.Table) -> pa.Table:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table.replace_schema_metadata({**(table.schema.metadata or {}), **(like.schema.metadata or {})})

    whole = placed(records)
    yield "pretrain", written(whole[whole["split"] != "test"].assign(split="train"), records)
    yield "records", written(whole, records)
    yield "labels", written(placed(labels), labels)


def make_project(config: Path, root: Path, encoders: Sequence[str], finetune: dict[str, Any]) -> Project:
    """The project of a comparison."""
    content = {
        "sources": [SOURCE], "roots": {SOURCE: str(root)}, "tasks": [TASK], "encoders": list(dict.fromkeys(encoders)),
        "manifest": {"stratify": [TASK]}, "finetune": finetune,
    }  # fmt: skip
    return Project(content, config)
