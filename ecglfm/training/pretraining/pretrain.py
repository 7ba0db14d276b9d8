"""Self-supervised pretraining of an encoder: its data, its state on disk, its outputs; `loop` trains.

A training that was killed continues from its newest whole checkpoint, and ends with the weights of one
that was not (on one CPU in fp32, bit for bit): everything random is a function of the seed and the step.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ecglfm import distributed
from ecglfm.config import EncoderSlice, ReportAlignmentConfig, TrackingSlice
from ecglfm.config.augmentation import check_augment
from ecglfm.data.samples import SAMPLED, Signals, check_reads, check_samples, load_records
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders import Encoder
from ecglfm.models.meta_device import on_meta_device
from ecglfm.models.placement import make_on
from ecglfm.models.pretraining import Objective, ReportAlignment, make_objective, objective_class
from ecglfm.models.seen import fingerprints, write_seen
from ecglfm.provenance import write_text
from ecglfm.records import data_hash, manifest_hash, require_columns
from ecglfm.tracking import History, Run, start_run
from ecglfm.training.checkpoints import Checkpoints, SavedTraining, config_hash, decisive
from ecglfm.training.ema import EMA
from ecglfm.training.engine import full_state_dict, initialize
from ecglfm.training.pretraining.batches import pair_batches
from ecglfm.training.pretraining.encoders import (
    all_seen,
    build_encoder,
    starting_encoder,
    with_base,
    write_untrained,
)
from ecglfm.training.pretraining.loop import history_columns, train
from ecglfm.training.pretraining.reports import PretrainingReports
from ecglfm.training.pretraining.resumed import warn_of_changes
from ecglfm.training.pretraining.tracked import run_of_pretraining
from ecglfm.training.pretraining.watchdog import Watchdog
from ecglfm.training.schedule import phases

logger = logging.getLogger(__name__)


def run_pretrain(
    slice_: EncoderSlice,
    *,
    manifest: Path,
    signals: Path,
    output: Path,
    index: Path | None = None,
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int | None = None,
    stop: distributed.StopFlag | None = None,
) -> None:
    """Make an encoder: pretrained, from new or imported weights, random or imported, always in the same files.

    Parameters
    ----------
    slice_ : EncoderSlice
    manifest : path
        `manifest/records.parquet`.
    signals : path
        The folder `preprocess/`.
    output : path
        Gets `encoder.safetensors`, `encoder.json`, `history.csv`; and `checkpoints/`, the state to resume.
    index : path, optional
        The folder `index/`, where reports are read; None: the one beside the folder of the manifest.
    tracking : TrackingSlice, optional
    rule : str, optional
        Name of the Snakemake rule, for the tags.
    threads : int, optional
        CPU threads.
    stop : StopFlag, optional
        Ends the training at the next update.

    Raises
    ------
    UserError
        Unusable data or settings, another run in the same folder, or a loss that is not finite.
    Stopped
        `stop` was raised; a rerun resumes.
    """
    if slice_.config.pretrain is None:
        if distributed.is_main():
            write_untrained(slice_, output)
        return
    distributed.init(threads)
    Pretraining(slice_, manifest, signals, output, index).run(tracking, rule, stop)


class Pretraining:
    """One training: its data, its length, where its state lies.

    Parameters
    ----------
    slice_ : EncoderSlice
    manifest, signals, output, index : path
        As `run_pretrain`.
    """

    def __init__(
        self, slice_: EncoderSlice, manifest: Path, signals: Path, output: Path, index: Path | None = None
    ) -> None:
        slice_, self.continues = with_base(slice_)
        assert slice_.config.pretrain is not None
        self.slice, self.output, self.config = slice_, output, slice_.config.pretrain
        at = f"{slice_.encoder}: pretrain.augment"
        check_augment(self.config.augment, slice_.preprocess, at, slice_.input)
        records = load_records(manifest, self.config.named_sources)
        require_columns(records, ["lead_mask"], str(manifest))
        rate = slice_.preprocess.sampling_rate
        check_reads(
            records, Signals(records, signals), reader="config.yaml's preprocess section", sampling_rate=rate,
            leads=slice_.preprocess.leads,
        )  # fmt: skip
        seen = records[records["split"].isin(["train", "valid"])]
        self.data_hash, self.config_hash = data_hash(seen), config_hash(slice_)
        self.reports: PretrainingReports | None = None
        if isinstance(said := self.config.objective, ReportAlignmentConfig):
            self.reports = PretrainingReports(said, records, index or manifest.parent.parent / "index", output)
        self.seen = all_seen((self.data_hash, fingerprints(seen["sha256"])), slice_.config.import_path, output)
        self.manifest_hash = manifest_hash(manifest)
        self._check_samples = partial(check_samples, seen, signals, at_most=SAMPLED)
        self.train, self.valid = pair_batches(
            slice_, records, signals, None if self.reports is None else self.reports.vectors
        )
        per_epoch = self.train.updates_per_epoch
        self.total = self.config.steps or (self.config.epochs or 0) * per_epoch
        phases(self.total, self.config.schedule)  # a mistake in it is better known now
        every, kept = self.config.checkpoint_every, self.config.keep_every
        self.save_every = every.steps or (every.epochs or 0) * per_epoch
        self.objective = objective_class(self.config.objective)
        self.watchdog = Watchdog(self.config)
        self.ema: EMA | None = None
        checkpoints = Checkpoints(
            output / "checkpoints",
            config_hash=self.config_hash,
            data_hash=self.data_hash,
            keep_last=self.config.keep_last,
            keep_every=0 if kept is None else kept.steps or (kept.epochs or 0) * per_epoch,
            pairs_per_update=self.train.batch_size * self.train.accumulate * self.train.world_size,
            schedule_steps=self.total if self.config.schedule.needs_length else None,
        )
        if self.reports is not None:
            checkpoints.identity["reports"] = self.reports.hash
        self.saved = SavedTraining(checkpoints, self.total)
        self.saver = self.saved.saver

    def run(self, tracking: TrackingSlice | None, rule: str | None, stop: distributed.StopFlag | None) -> None:
        """Resume or begin, train, write the encoder; raises as `run_pretrain`."""
        with self.saved:
            distributed.from_main(self._prepare)
            engine, objective = self._build()
            with self._start_tracking(tracking, rule) as run:
                train(engine, self, start=self.saved.step, run=run, stop=stop)
                if self.reports is not None and isinstance(objective, ReportAlignment):
                    hashes = {"config_hash": self.config_hash, "data_hash": self.data_hash}
                    self.reports.write(engine, objective, self.output, hashes)
                self._export(engine, objective.exported, run)

    def _prepare(self) -> int:
        """Check the samples, and begin the history or take back what is beyond the checkpoint; on rank 0."""
        self._check_samples()
        self.history = History(self.saved.checkpoints.folder / "history.csv", history_columns(self.objective.columns))
        self.history.truncate(self.saved.step)
        return 0

    def _build(self) -> tuple[Any, Objective]:
        """Engine and objective, new or as they were at the newest checkpoint."""
        objective = make_on(
            distributed.choose_device(),
            lambda: make_objective(starting_encoder(self.slice, self.config.seed), self.config),
        )
        self.encoder = objective.encoder
        self.saved.restore_weights(objective)
        engine = initialize(objective, self.config)
        if self.config.ema is not None:
            self.ema = EMA(objective.encoder, self.config.ema)
        if self.saved.step:
            self.saved.restore_engine(engine, self.ema)
            self.watchdog.load_state_dict(self.saved.state["watchdog"])
            warn_of_changes(self.saved.state, self.slice.config.model, self.objective, pairs=self.train.batch_size)
            logger.info("resumed from step %d of %d", self.saved.step, self.total)
        elif self.continues is not None:
            logger.info(
                "goes on with the weights in %s; what only the objective has (quantizer, heads) and the optimizer's"
                " moments begin new", self.slice.config.path,
            )  # fmt: skip
        return engine, objective

    def save(self, engine: Any, step: int) -> None:
        """Have a checkpoint written; every rank must call it."""
        state = {"watchdog": self.watchdog.state_dict(), "batch_size": self.train.batch_size}
        state["objective"] = self.objective.version
        self.saved.save(engine, step, state, ema=self.ema)

    def _start_tracking(self, tracking: TrackingSlice | None, rule: str | None) -> Run:
        """The MLflow run, the one that a resumed training began."""
        if not distributed.is_main():
            return Run()
        about = run_of_pretraining(
            self.slice, config_hash=self.config_hash, data_hash=self.data_hash, manifest_hash=self.manifest_hash,
            rule=rule,
        )  # fmt: skip
        run = start_run(tracking, **about, key=self.saved.run_key, step=self.saved.step)
        self.saved.note(run.key)
        write_seen(self.saved.checkpoints.folder, self.seen)
        return run

    def log(self, run: Run, step: int, split: str, row: Mapping[str, float | None]) -> None:
        """One line of history.csv, the same to MLflow; rank 0 only."""
        if not distributed.is_main():
            return
        row = {name: value for name, value in row.items() if value is not None and math.isfinite(value)}
        epoch = (step - 1) // self.train.updates_per_epoch + 1
        self.history.append({"step": step, "epoch": epoch, "split": split, **row})
        run.log({f"{split}/{name}": value for name, value in row.items()}, step)

    def _export(self, engine: Any, encoder: Encoder, run: Run) -> None:
        """Write the declared outputs; they need nothing of `checkpoints/`."""
        state = full_state_dict(engine, encoder, everywhere=False)  # a collective operation
        if not distributed.is_main():
            return
        if self.ema is not None:
            state = {name: value.cpu() for name, value in self.ema.state_dict().items()}
        with on_meta_device():
            whole = build_encoder(self.slice, self.config.seed)
        whole.load_state_dict(state, assign=True)
        info = {
            "name": self.slice.encoder,
            "weights": "pretrain",
            "data_hash": self.data_hash,
            "config_hash": self.config_hash,
            "pretrain": decisive(self.config),
            "training": self._summary(),
            **({} if self.reports is None else {"reports": self.reports.hash}),
            **({} if self.continues is None else {"continues": self.continues}),
        }
        write_seen(self.output, self.seen)
        save_encoder(self.output, whole, info)
        write_text(self.output / "history.csv", self.history.path.read_text(encoding="utf-8"))
        run.artifact(self.output / "history.csv")
        run.artifact(self.output / "encoder.json")

    def _summary(self) -> dict[str, Any]:
        """What the training was, for encoder.json: nothing that two equal trainings would not share."""
        batches, rows = self.train, self.history.rows()
        last = {row["split"]: row for row in rows}
        return {
            "seed": self.config.seed,
            "steps": self.total,
            "epochs": self.total / batches.updates_per_epoch,
            "pairs": len(batches.sampler),
            "validation_pairs": len(self.valid.sampler) if self.valid else 0,
            "pairs_per_update": batches.batch_size * batches.accumulate * batches.world_size,
            "processes": batches.world_size,
            "sources": self.config.named_sources,
            **({} if batches.draws_per_epoch is None else {"draws_per_epoch": batches.draws_per_epoch}),
            "ema": self.config.ema,
            "skipped_updates": self.watchdog.skipped,
            "warnings": self.watchdog.summary(),
            "final": {
                split: {term: float(row[term]) for term in ("loss", *self.objective.columns) if row[term]}
                for split, row in sorted(last.items())
            },
        }
