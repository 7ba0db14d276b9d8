"""Fine-tuning: an encoder and the labels of a task become a disease model.

Weights, epoch, temperatures and thresholds are chosen on the validation split; the test split is not even loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ecglfm import distributed
from ecglfm.config import FinetuneConfig, FinetuneSlice, PromptsSlice, TaskSlice, TrackingSlice, UserError
from ecglfm.config.augmentation import check_augment
from ecglfm.config.finetuning import check_kind
from ecglfm.config.fits import Fit, parse_fit
from ecglfm.config.wording import counted
from ecglfm.data.labels import read_left_out
from ecglfm.data.samples import Signals, check_reads
from ecglfm.data.signals import as_read
from ecglfm.models.adapters import adapt, merge
from ecglfm.models.augmentation import Augmentation
from ecglfm.models.bundle import load_encoder, save_model
from ecglfm.models.heads import ECGModel
from ecglfm.models.seen import fingerprints, read_seen, write_seen
from ecglfm.models.settings import fit_hash
from ecglfm.provenance import sha256_json, write_text
from ecglfm.records import manifest_hash
from ecglfm.tracking import start_run
from ecglfm.training.checkpoints import Checkpoints, SavedTraining
from ecglfm.training.finetuning.batches import Batch, Changes, EpochBatches, iterate
from ecglfm.training.finetuning.criterion import Criterion, make_criterion
from ecglfm.training.finetuning.decisions import decide, windows_of
from ecglfm.training.finetuning.history import TrainingHistory
from ecglfm.training.finetuning.labelled import Labelled, load_labelled, share_of_patients
from ecglfm.training.finetuning.linear_probe import linear_learner
from ecglfm.training.finetuning.probed_head import solve_head, start_from_probe
from ecglfm.training.finetuning.resume import saved_epochs
from ecglfm.training.finetuning.summary import lacking, summarize
from ecglfm.training.finetuning.supervised import Learner, train
from ecglfm.training.finetuning.targets import make_link
from ecglfm.training.finetuning.tracked import NO_PART, best_of, run_of_fit
from ecglfm.training.finetuning.zero_shot import answer_by_words, prompts_of
from ecglfm.training.inference import predict
from ecglfm.training.vectors import weights_hash

logger = logging.getLogger(__name__)


def run_finetune(
    slice: FinetuneSlice,  # noqa: A002
    *,
    fit: str,
    encoder: Path,
    task: TaskSlice,
    labels: Path,
    manifest: Path,
    signals: Path,
    output: Path,
    vectors: Path | None = None,
    prompts: Path | None = None,
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int | None = None,
    stop: distributed.StopFlag | None = None,
) -> ECGModel:
    """Fit one encoder to one task, in one mode with one seed, to all training patients or a share of them.

    Parameters
    ----------
    slice : FinetuneSlice
    fit : str
        `{mode}-s{seed}`, `{mode}-s{seed}-{P}pct` or, of a cross-validation, `{mode}-s{seed}-f{i}of{k}`.
    encoder : path
        `pretrain/{encoder}`, or a file in it.
    task : TaskSlice
        What the labels were made by.
    labels, manifest, signals : path
        `labels/{task}.parquet`, `manifest/records.parquet`, `preprocess/`.
    output : path
        Folder of `model.safetensors`, `model.json`, `history.csv`; and, until they are written, of `checkpoints/`, from
        which a fit that was interrupted goes on.
    vectors : path, optional
        Mode `linear`: folder of what the stage `embed` made with this encoder; None: the fit makes them itself.
    prompts : path, optional
        Mode `zero_shot`: slice of the task's prompts; None: labels are asked for by their names.
    tracking : TrackingSlice, optional
    rule : str, optional
        Snakemake rule, a tag in MLflow.
    threads : int, optional
        Threads of torch on the CPU.
    stop : StopFlag, optional
        Ends the training soon.

    Returns
    -------
    ECGModel
        As saved, with all that it decides by.

    Raises
    ------
    UserError
        The fit's name, the files or the labels are not usable, the config does not fit the kind of task, or the loss
        is not finite any more.
    Stopped
        `stop` was raised; a rerun goes on.
    """
    parsed, config = parse_fit(fit), slice.finetune
    check_kind(config, task.config.kind, task.task)
    device, data = distributed.init(threads), _read(task, parsed, labels, manifest, signals)
    model = _build(encoder, data, parsed, config).to(device)
    data = _read_by(model, data, f"{task.task}, {fit}", encoder)
    settings = config.model_dump(mode="json", exclude=set(NO_PART))
    hashes = {"config_hash": fit_hash(settings, fit, task), "data_hash": data.hash()}
    about_run = run_of_fit(
        tracking if distributed.is_main() else None, encoder=model.encoder.info, task=task, fit=parsed, config=config,
        hashes=hashes | {"manifest_hash": manifest_hash(manifest)}, rule=rule,
    )  # fmt: skip
    checkpoints = _checkpoints(output, config, parsed, hashes, weights_hash(encoder))
    seen = read_seen(encoder) | {"finetuning": (hashes["data_hash"], fingerprints(data.records["sha256"]))}
    with (
        SavedTraining(checkpoints) as saved,
        start_run(**about_run, key=saved.run_key, step=saved_epochs(saved)) as run,
    ):
        if distributed.is_main():
            saved.note(run.key)
            write_seen(checkpoints.folder, seen)
        criterion = make_criterion(config, model.link, data.target[data.train])
        said = prompts_of(parsed, task, prompts)
        history = _without_steps(model, data, config, encoder, vectors, said, criterion, stop)
        if history is None:
            if config.head_start == "probe" and model.mode in ("full", "lora") and not saved.step:
                start_from_probe(model, data, criterion, stop)
            learner = _learner(model, data, config, parsed.seed, encoder, vectors, stop)
            valid = {"seed": parsed.seed, "target": data.target[data.valid]}
            history = train(learner, config, criterion, **valid, run=run, saved=saved, stop=stop)
            model = _best(encoder, data, parsed, config, history).to(device).eval()
        chosen = decide(model, data, config)
        if distributed.is_main():
            about = {"task": task.task, "fit": fit, "seed": parsed.seed, "left_out": _left_out(task, data)}
            write_text(output / "history.csv", pd.DataFrame(history.rows).to_csv(index=False))
            write_seen(output, seen)
            about |= {"finetune": settings, "training": summarize(history, data, parsed, chosen, config)}
            save_model(output, model, {**about, **hashes, **({} if said is None else {"prompts": said.prompts})})
            run.log(best_of(history, criterion.select_by), 0)  # one value a run: a bar in MLflow
            run.artifact(output / "history.csv")
            run.artifact(output / "model.json")
            saved.remove()
    return model


def _checkpoints(
    output: Path, config: FinetuneConfig, fit: Fit, hashes: dict[str, str], encoder_hash: str
) -> Checkpoints:
    """States of a fit that goes on only with the same config, data, encoder and global batch."""
    told = hashes["config_hash"]
    if fit.fraction < 1:  # before epochs of a share were as long as those of all, its states were another training's
        told = sha256_json([told, "epochs of all"])
    checkpoints = Checkpoints(
        output / "checkpoints", config_hash=told, data_hash=hashes["data_hash"], keep_last=1,
        pairs_per_update=config.batch_size * config.accumulate * distributed.world_size(),
    )  # fmt: skip
    checkpoints.identity["encoder_hash"] = encoder_hash
    return checkpoints


def _read(task: TaskSlice, fit: Fit, labels: Path, manifest: Path, signals: Path) -> Labelled:
    """What the fit sees: train and valid records, of train those of its share of the patients."""
    data = load_labelled(labels, manifest, signals, task.config.kind, fit)
    unknown = [name for name in data.label_names if name not in task.config.labels]
    if unknown:
        raise UserError(
            f"{labels}: label {unknown[0]!r}, but the task lists {list(task.config.labels)}: the table"
            f" is older than the task; run `ecglfm labels` again, or snakemake --forcerun {labels}"
        )
    left_out = _left_out(task, data)
    if stale := sorted(set(left_out) - set(read_left_out(labels))):
        raise UserError(
            f"{labels}: has no label {stale[0]!r}, which task {task.task!r} lists: the table is older than the task;"
            f" run `ecglfm labels` again, or snakemake --forcerun {labels}"
        )
    if left_out:
        logger.warning("labels of the task that %s leaves out: %s", labels, ", ".join(left_out))
    if fit.fraction < 1:
        data = share_of_patients(data, fit.fraction, fit.seed)
        n_valid = counted(data.valid_patients, "valid patient chooses", "valid patients choose")
        logger.info("%s: %s epoch and thresholds", fit.name, n_valid)
        for name, lack in lacking(data).items():
            logger.warning(
                "label %s has %s among the %s of %s: it cannot be learnt from them",
                name, lack, counted(data.train_patients, "training patient"), fit.name,
            )  # fmt: skip
    return data


def _left_out(task: TaskSlice, data: Labelled) -> list[str]:
    """Labels of the task's YAML that its table does not have, because they are too rare."""
    return [name for name in task.config.labels if name not in data.label_names]


def _build(encoder: Path, data: Labelled, fit: Fit, config: FinetuneConfig) -> ECGModel:
    """The model before training; the seed decides the head."""
    torch.manual_seed(fit.seed)
    link = make_link(data.kind, data.target[data.train])
    loaded = load_encoder(encoder)
    if fit.mode not in loaded.config.modes:
        raise UserError(
            f"--fit {fit.name}: {encoder} (kind {loaded.config.kind}) has no weights to train in mode {fit.mode};"
            f" take {' or '.join(loaded.config.modes)}"
        )
    model = ECGModel(loaded, data.label_names, fit.mode, link)
    model.aggregate = config.aggregate
    # Random kernels are nothing to keep: a control or a fit from scratch learns all of it.
    model.freeze(fit.mode, config.freeze_frontend and model.encoder.info.get("weights") != "random")
    if fit.mode == "lora":
        adapt(model.encoder, config.lora)
    return model


def _read_by(model: ECGModel, data: Labelled, what: str, encoder: Path) -> Labelled:
    """The data with the signals as the encoder reads them; log what the fit is about.

    Raises `UserError` where they are not prepared so that it can.
    """
    assert isinstance(data.signals, Signals)
    wanted = model.encoder.preprocess
    check_reads(
        data.records, data.signals, reader=f"the encoder {encoder}", sampling_rate=wanted.sampling_rate,
        leads=wanted.leads, anew="the stage `pretrain`",
    )  # fmt: skip
    counts = len(data.train), len(data.valid), counted(len(data.label_names), "label")
    logger.info("%s: %d train and %d valid records, %s", what, *counts)
    return data._replace(signals=as_read(data.signals, model.encoder))


def _without_steps(
    model: ECGModel, data: Labelled, config: FinetuneConfig, encoder: Path, vectors: Path | None,
    said: PromptsSlice | None, criterion: Criterion, stop: distributed.StopFlag | None,
) -> TrainingHistory | None:  # fmt: skip
    """Give the model its head where that takes no step: zero-shot, or a solved probe; None of other fits."""
    if said is not None:
        return answer_by_words(model, data, encoder, said, criterion, calibrated=config.calibration != "none")
    if model.mode == "linear" and config.linear_solver == "lbfgs":
        return solve_head(model, data, encoder, vectors, criterion, stop)
    return None


def _best(encoder: Path, data: Labelled, fit: Fit, config: FinetuneConfig, history: TrainingHistory) -> ECGModel:
    """The model of the best epoch: a fresh one, since the engine may have partitioned or halved what it trained."""
    model = _build(encoder, data, fit, config)
    (model.head if model.mode == "linear" else model).load_state_dict(history.weights)
    merge(model.encoder)
    return model


def _learner(
    model: ECGModel, data: Labelled, config: FinetuneConfig, seed: int, encoder: Path, vectors: Path | None,
    stop: distributed.StopFlag | None,
) -> Learner:  # fmt: skip
    """A learner for the model's mode."""
    if (places := len(data.all_train)) > len(data.train):
        passes = places / len(data.train)
        logger.info("an epoch is as long as one of all %d train records: %.3g passes over those", places, passes)
    ranks = {"rank": distributed.rank(), "world_size": distributed.world_size()}
    common = {"batch_size": config.batch_size, "seed": seed, **ranks}
    if model.mode == "linear":
        return linear_learner(model, data, encoder, vectors, stop=stop, **common)
    length, valid = model.encoder.crop_samples, windows_of(model, data, data.valid)

    def of_epoch(epoch: int) -> EpochBatches:
        return EpochBatches(data, length=length, epoch=epoch, **common)

    def batches(epoch: int, first: int) -> Iterator[Batch]:
        return iterate(of_epoch(epoch), config.num_workers, first)

    def validate(stop: distributed.StopFlag | None) -> np.ndarray:
        return predict(model, data.signals, valid, batch_size=config.batch_size, stop=stop)

    change = None
    if config.augment:
        check_augment(config.augment, model.encoder.preprocess, "finetune.augment", model.encoder.input)
        augmentation = Augmentation(config.augment, model.encoder.leads, model.encoder.sampling_rate)
        change = Changes(augmentation, **common)
    return Learner(model, batches, validate, len(of_epoch(1)), change, lambda epoch: of_epoch(epoch).known)
