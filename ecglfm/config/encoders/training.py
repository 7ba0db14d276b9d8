"""What a user may say about a pretraining: data, updates, objective, checkpoints."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ecglfm.config.augmentation import AugmentConfig
from ecglfm.config.base import Name, PretrainPrecision, Section, Seed
from ecglfm.config.encoders.objective import MaskConfig, MaskedCodesConfig, ObjectiveConfig, QuantizerConfig
from ecglfm.config.schedule import CheckpointEvery, ScheduleConfig


class PretrainConfig(Section):
    """Self-supervised pretraining of one encoder."""

    # Keys that change how a run is carried out, not what it computes: they never invalidate a checkpoint.
    EXECUTION: ClassVar[frozenset[str]] = frozenset(
        {
            "steps",
            "epochs",
            "num_workers",
            "checkpoint_every",
            "keep_last",
            "keep_every",
            "validate_every",
            "log_every",
            "processes",
            "activation_checkpointing",
            "non_finite",
            "max_skipped",
            "perplexity_floor",
        }
    )

    # Keys that spread a global batch over processes and forwards, and state over processes: a training goes on with
    # other ones as long as the global batch is as large.
    SPREAD: ClassVar[frozenset[str]] = frozenset({"batch_size", "accumulate", "zero_stage"})

    LATER = frozenset({"half_residual", "mixture", "augment"})

    # Keys that some objectives read (`ObjectiveKind.reads`) and the others must not be given.
    OBJECTIVES: ClassVar[frozenset[str]] = frozenset({"mask", "quantizer", "perplexity_floor"})

    sources: list[Name] | None = Field(
        None, min_length=1, description="sources to pretrain on; null: all of config.yaml"
    )
    mixture: dict[Name, Annotated[float, Field(gt=0)]] | None = Field(
        None,
        min_length=1,
        description="source: weight; of the draws of patients each source has the share of its weight in their sum, in "
        "an epoch and after every update, to one draw; null: every patient once an epoch",
    )
    crop_seconds: float = Field(5.0, gt=0, description="length of a training segment, s")
    min_seconds: float | None = Field(
        None,
        gt=0,
        description="shortest recording that is used, s; below `crop_seconds` it is padded, and hides the same "
        "share of its frames; null: `crop_seconds`",
    )
    min_recordings: int = Field(
        1,
        ge=1,
        description="recordings a patient needs to make pairs; 1: the halves of one long recording will do. "
        "Others are left out of pretraining only",
    )
    shuffle_block: int | None = Field(
        None,
        ge=2,
        description="patients that lie together and are read in one run, for parallel file systems; null: "
        "a full shuffle (docs/performance-notes.md says what the difference is)",
    )
    steps: int | None = Field(None, ge=1, description="updates in all (or give `epochs`)")
    epochs: int | None = Field(None, ge=1, description="passes over the patients (or give `steps`)")
    batch_size: int = Field(64, ge=1, description="pairs of recordings per device and forward")
    accumulate: int = Field(1, ge=1, description="forwards per update")
    num_workers: int = Field(0, ge=0, description="loader processes per device")
    lr: float = Field(5.0e-4, gt=0, description="learning rate (Adam)")
    betas: tuple[float, float] = Field((0.9, 0.98), description="Adam's betas")
    eps: float = Field(1.0e-6, gt=0, description="Adam's epsilon")
    weight_decay: float = Field(0.01, ge=0, description="decoupled weight decay")
    schedule: ScheduleConfig = Field(ScheduleConfig(), description="learning rate over the updates")
    clip_norm: float = Field(0.0, ge=0, description="largest gradient norm; 0: no clipping")
    non_finite: Literal["stop", "skip"] = Field(
        "stop",
        description="a loss or gradient that is not finite stops the training before the update, or its update is "
        "skipped and counted",
    )
    max_skipped: int = Field(10, ge=1, description="`non_finite: skip`: this many skipped in a row stop the training")
    perplexity_floor: float = Field(
        2.0, ge=0, description="a code perplexity below it is reported as a collapsed codebook"
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="decay of a moving average of the encoder's weights, which is then the encoder that is written; "
        "null: the last weights are",
    )
    zero_stage: Literal[0, 1, 2, 3] = Field(0, description="DeepSpeed ZeRO stage")
    precision: PretrainPrecision = Field(
        "fp32",
        description="numbers of the products; tf32: float32 of fewer digits, on a GPU; fp8: of the layers' linear maps "
        "8-bit floats, on an H100 or its like, all else as bf16 (extra `fp8`; go with `compile: true`)",
    )
    half_residual: bool = Field(
        False,
        description="of a Conformer with `precision: bf16` or `fp16`: also keep the sums that run through its layers "
        "in these numbers, not in float32; a sixth fewer bytes on a GPU (counted, docs/performance.md)",
    )
    activation_checkpointing: bool = Field(
        False,
        description="keep only what enters each layer and compute the rest again in the backward pass: less memory, "
        "a third more arithmetic, the same numbers",
    )
    compile: bool = Field(
        False,
        description="compile the layers with `torch.compile` (needs a C++ compiler; a minute at the start); results "
        "differ by rounding, and dropout draws other numbers",
    )
    lead_mask_probability: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="each lead of each segment is zeroed with this probability, but never all that were recorded",
    )
    augment: list[AugmentConfig] = Field(
        [],
        description="changes of the training segments, made in this order, before leads are zeroed; each of its own "
        "share of them",
    )
    mask: MaskConfig = Field(MaskConfig(), description="span masking; every record hides as many frames, 56 of 156")
    quantizer: QuantizerConfig = Field(QuantizerConfig(), description="codebook")
    objective: ObjectiveConfig = Field(MaskedCodesConfig(), description="what is learnt: terms of the loss")
    checkpoint_every: CheckpointEvery = Field(
        CheckpointEvery(steps=1000), description="how often training state is saved"
    )
    keep_last: int = Field(2, ge=0, description="newest checkpoints kept; 0 keeps all")
    keep_every: CheckpointEvery | None = Field(
        None, description="checkpoints at its multiples are kept for ever besides; null: none"
    )
    validate_every: int = Field(1000, ge=1, description="updates between validations (with fixed masks and negatives)")
    log_every: int = Field(10, ge=1, description="updates between lines of history.csv")
    processes: int = Field(1, ge=1, description="ranks started on this machine when there is no Slurm")
    seed: Seed = Field(0, description="seed of weights, order, crops, masks and noise")
    deepspeed: dict[str, Any] = Field(
        {},
        description="for experts: merged into the DeepSpeed JSON, and checked by DeepSpeed; "
        "`{communication_data_type: bf16}` sums gradients in bf16, with half the bytes",
    )

    @property
    def named_sources(self) -> list[str] | None:
        """Sources that it names, in `sources` or `mixture`; None: all of the project."""
        return self.sources if self.mixture is None else sorted(self.mixture)

    @model_validator(mode="after")
    def _mixture_fits(self) -> PretrainConfig:
        if self.mixture is not None and self.sources is not None and (unlike := set(self.mixture) ^ set(self.sources)):
            raise ValueError(f"mixture: {min(unlike)} is in one of `mixture` and `sources` alone; leave `sources` out")
        if self.mixture is not None and self.shuffle_block is not None:
            raise ValueError("mixture: patients of several sources do not lie together: leave `shuffle_block` out")
        return self

    @model_validator(mode="after")
    def _one_length(self) -> PretrainConfig:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("write one of `steps: N` and `epochs: N`")
        return self

    @model_validator(mode="after")
    def _half_is_a_precision(self) -> PretrainConfig:
        if self.half_residual and self.precision not in ("bf16", "fp16", "fp8"):
            raise ValueError(f"half_residual needs `precision: bf16` or `fp16`: {self.precision} is no half precision")
        return self

    @model_validator(mode="after")
    def _kept_are_saved(self) -> PretrainConfig:
        if self.keep_every is not None:
            for unit, every in self.checkpoint_every.model_dump().items():
                kept = getattr(self.keep_every, unit)
                if every and kept and kept % every:
                    raise ValueError(
                        f"keep_every {kept} {unit} is no multiple of checkpoint_every {every}:"
                        " there would be none to keep"
                    )
        return self

    @model_validator(mode="after")
    def _shortest_fits(self) -> PretrainConfig:
        if self.min_seconds is not None and self.min_seconds > self.crop_seconds:
            raise ValueError(f"min_seconds {self.min_seconds} is more than crop_seconds {self.crop_seconds}")
        return self

    @model_validator(mode="after")
    def _objective_reads_what_is_said(self) -> PretrainConfig:
        for key in sorted(self.OBJECTIVES - self.objective.reads):
            if getattr(self, key) != type(self).model_fields[key].default:  # a dump has them all
                raise ValueError(f"`objective.kind: {self.objective.kind}` does not read `{key}`; leave it out")
        return self

    @model_validator(mode="after")
    def _average_is_possible(self) -> PretrainConfig:
        if self.ema is not None and self.zero_stage == 3:
            raise ValueError("ema needs whole weights on every process: use zero_stage 0, 1 or 2, or leave ema out")
        if self.objective.averages:
            kind = f"`objective.kind: {self.objective.kind}`"
            if self.ema is not None:
                raise ValueError(f"{kind} has an average of its own, which is what is written: leave ema out")
            if self.zero_stage == 3:
                raise ValueError(f"{kind} needs whole weights on every process: use zero_stage 0, 1 or 2")
            if self.precision == "fp16":
                raise ValueError(f"{kind} averages weights, too finely for float16: use precision bf16, tf32 or fp32")
        return self
