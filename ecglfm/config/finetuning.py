"""What a user may say about fine-tuning, and which of it fits which kind of task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ecglfm.config.augmentation import AugmentConfig
from ecglfm.config.base import Precision, Section, Seed, UserError
from ecglfm.config.fits import Mode, is_variant
from ecglfm.config.kinds import KINDS
from ecglfm.config.one_of import OneOf
from ecglfm.config.schedule import ScheduleConfig


def _losses() -> Iterator[str]:
    """Values of `loss`."""
    yield "auto"
    yield from (name for kind in KINDS.values() for name in kind.losses)


def _selections() -> Iterator[str]:
    """Values of `select_by`."""
    yield "loss"
    yield from (name for kind in KINDS.values() for name in kind.scores)


def _by_kind(what: str) -> str:
    """Names of losses or scores with the kinds of task that have them, for a description."""
    kinds: dict[str, list[str]] = {}
    for kind in KINDS.values():
        kinds.setdefault(", ".join(getattr(kind, what)), []).append(kind.name)
    return "; ".join(f"{' and '.join(of)}: {names}" for names, of in kinds.items())


Seeds = Annotated[list[Seed], Field(min_length=1)]
#: Shares of the training patients.
Fractions = Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]


class LabelEfficiencyConfig(Section):
    """Fits of the target `label_efficiency`, in every mode of `finetune.modes`."""

    fractions: Fractions = Field(
        [0.01, 0.05, 0.1, 0.5, 1.0],
        description="shares of the training and validation patients, as `finetune.fractions`; of one seed, each holds "
        "the smaller. All have the updates of all patients",
    )
    seeds: Seeds = Field([0, 1, 2], description="one fit per seed and share; a seed also draws the patients")


class LoraConfig(Section):
    """Mode `lora`: low-rank adapters beside Linears of a frozen encoder (arXiv:2106.09685)."""

    rank: int = Field(8, ge=1, description="width between an adapter's two Linears")
    alpha: float = Field(16.0, gt=0, description="what an adapter gives is multiplied by alpha / rank")
    targets: list[str] = Field(
        [],
        description="names of the Linears that get an adapter, in every layer: `linear_q`, `linear_k`, `linear_v`, "
        "`linear_out`, `w_1`, `w_2` of a Conformer; []: those of queries and values (`output_linear` of `s4`)",
    )


class FinetuneConfig(Section):
    """Fine-tuning of encoders to tasks."""

    # Keys that say which fits there are; each fit's name holds its part of them.
    NAMED: ClassVar[frozenset[str]] = frozenset({"modes", "seeds", "fractions", "label_efficiency", "variants"})

    LATER = frozenset({"lora", "variants", "augment", "head_start", "linear_solver"})

    modes: list[Mode] = Field(
        ["full"],
        min_length=1,
        description="full: every weight; frozen: attention pooling, frozen encoder; linear: linear head on its mean; "
        "lora: low-rank adapters in the encoder, and a linear head on its mean; zero_shot: nothing is trained, the "
        "task's `prompts` are compared with the recording (encoders of `objective.kind: report_alignment` only)",
    )
    seeds: Seeds = Field([0], description="one fit per seed")
    fractions: Fractions = Field(
        [1.0],
        description="shares of the training and validation patients (of the latter 10 at least), one fit each; 0.1 "
        "makes the fit `full-s0-10pct`. The seed draws them; where a label would have no positive or no negative "
        "among those to learn from, the first drawn who has one takes another's place",
    )
    label_efficiency: LabelEfficiencyConfig = Field(
        LabelEfficiencyConfig(), description="`snakemake label_efficiency`: fits with few training patients"
    )
    variants: dict[str, dict[str, Any]] = Field(
        {},
        description="name: keys of this section with other values, which win over it and over the encoder's own; each "
        "variant adds its fits beside the plain ones: `{lr3: {lr: 3.0e-3}}` adds `full-s0-lr3`",
    )
    epochs: int = Field(
        100,
        ge=1,
        description="passes over the training records; of a share of the patients an epoch is as long as one of all, "
        "of several passes over its own",
    )
    patience: int = Field(10, ge=1, description="epochs without a better `select_by` before training stops")
    select_by: Annotated[str, OneOf(_selections)] = Field(
        "loss",
        description="what chooses the best epoch on the validation split: the loss, or a mean over labels (of F1 the "
        f"largest over thresholds). {_by_kind('scores')}",
    )
    loss: Annotated[str, OneOf(_losses)] = Field(
        "auto",
        description=f"what is minimised. {_by_kind('losses')}; auto: the first of the task's kind. "
        "Those of regression are of standardised targets",
    )
    focal_gamma: float = Field(2.0, ge=0, description="`loss: focal` only: exponent that plays easy records down")
    asymmetric_gammas: tuple[float, float] = Field(
        (1.0, 4.0), description="`loss: asymmetric` only: the same exponent for positives, for negatives"
    )
    asymmetric_margin: float = Field(
        0.05, ge=0, lt=1, description="`loss: asymmetric` only: a negative below this probability counts nothing"
    )
    huber_delta: float = Field(
        1.0, gt=0, description="`loss: huber` only: error from which the loss grows linearly, standard deviations"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description="classification: balanced weights each class by records / (classes x its records) in train, "
        "by label",
    )
    aggregate: Literal["mean", "max", "median"] = Field(
        "mean", description="how the outputs (probabilities) of a record's windows become the record's"
    )
    lr: float = Field(5.0e-5, gt=0, description="learning rate of the encoder (Adam)")
    head_start: Literal["random", "probe"] = Field(
        "random",
        description="`full` and `lora`: what the head begins with; probe: a linear probe of the encoder as it comes, "
        "whose L2 penalty is chosen on the validation split (arXiv:2202.10054)",
    )
    linear_solver: Literal["adamw", "lbfgs"] = Field(
        "adamw",
        description="`linear`: what finds the head. adamw: steps, as in other modes; lbfgs: the least loss with an L2 "
        "penalty that the validation split chooses, the probe of `head_start`: better with few patients, and no rate, "
        "epoch or batch size has a say in it",
    )
    head_lr: float | None = Field(None, gt=0, description="learning rate of the head; null: `lr`")
    batch_size: int = Field(128, ge=1, description="records per device and forward")
    accumulate: int = Field(1, ge=1, description="forwards per update")
    num_workers: int = Field(0, ge=0, description="loader processes per device")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay")
    calibration: Literal["none", "temperature", "temperature_per_label"] = Field(
        "temperature",
        description="classes: temperature scaling fitted on the validation split, one for the model or one a label "
        "(`multiclass`: always one); thresholds are of calibrated probabilities; survival: a slope of each label's log "
        "hazard ratios, whichever of the two it says; none: as they come",
    )
    threshold: Literal["f1", "fbeta", "youden", "sensitivity"] = Field(
        "f1",
        description="what a label's threshold maximises on the validation split; sensitivity: the highest threshold "
        "that reaches `threshold_sensitivity` there",
    )
    threshold_beta: float = Field(
        2.0, gt=0, description="`threshold: fbeta` only: how many times as much sensitivity counts as PPV"
    )
    threshold_sensitivity: float = Field(
        0.9, gt=0, le=1, description="`threshold: sensitivity` only: share of the positives to be called"
    )
    threshold_min_positives: int = Field(
        20,
        ge=0,
        description="below so many positive validation patients a label's threshold is smoothed: each positive stands "
        "for a range of log odds, not for itself alone; 0: never",
    )
    conformal_coverage: float | None = Field(
        0.9,
        gt=0,
        lt=1,
        description="classes: share of the patients with, and of those without a label whose prediction set is to hold "
        "the truth; null: no sets",
    )
    outlier_share: float | None = Field(
        0.03,
        gt=0,
        lt=1,
        description="share of the validation patients that may be called unlike the training recordings; `predict` "
        "decides nothing of a recording that is; null: every recording is decided",
    )
    freeze_frontend: bool = Field(
        True,
        description="`full` only: keep the convolutional front end as pretrained; of an encoder with random weights it "
        "learns whatever this says",
    )
    zero_stage: Literal[0, 1, 2, 3] = Field(0, description="DeepSpeed ZeRO stage")
    precision: Precision = Field("fp32", description="numbers of the products; tf32: float32 of fewer digits, on a GPU")
    schedule: ScheduleConfig = Field(ScheduleConfig(), description="learning rates over the updates of all `epochs`")
    clip_norm: float = Field(0.0, ge=0, description="largest gradient norm; 0: no clipping")
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="`full` and `lora`: the learning rate of each encoder layer is this times that of the layer above "
        "it, the front end's the smallest; 1: `lr` everywhere",
    )

    augment: list[AugmentConfig] = Field(
        [],
        description="all modes but `linear`: changes of the training segments, as `augment` of a pretraining",
    )
    lora: LoraConfig = Field(
        LoraConfig(), description="`lora` only: the adapters; they learn at `lr`, for which 1e-3 is usual"
    )

    @field_validator("variants")
    @classmethod
    def _variants_are_fits(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, own in value.items():
            if not is_variant(name):
                raise ValueError(
                    f"{name!r} becomes the end of a fit's name: begin with a letter, go on with letters, digits and _"
                    " (`f0of5` is a fold)"
                )
            if not own:
                raise ValueError(f"{name}: no key: the variant would be the plain fit once more")
            if named := sorted(cls.NAMED & set(own)):
                raise ValueError(f"{name}: {named[0]} says which fits there are, of every variant: write it above")
        return value

    @model_validator(mode="after")
    def _gammas_are_exponents(self) -> FinetuneConfig:
        if min(self.asymmetric_gammas) < 0:
            raise ValueError(f"asymmetric_gammas {list(self.asymmetric_gammas)}: an exponent below 0")
        return self


def check_kind(config: FinetuneConfig, kind: str, task: str, where: Mapping[str, str] | None = None) -> None:
    """Raise `UserError` where the section asks for what a task's kind does not have.

    Parameters
    ----------
    config : FinetuneConfig
    kind : str
        Of the task.
    task : str
        Its name, for the message.
    where : mapping of str to str, optional
        File that a key stands in, for the message.
    """
    at = {key: f"{file}: finetune.{key}" for key, file in (where or {}).items()}
    for key, value, fitting in (
        ("loss", config.loss, ("auto", *KINDS[kind].losses)),
        ("select_by", config.select_by, ("loss", *KINDS[kind].scores)),
    ):
        if value not in fitting:
            raise UserError(
                f"{at.get(key, f'finetune.{key}')}: {value} does not fit task {task} of kind {kind};"
                f" write one of {', '.join(fitting)}"
            )
    if "zero_shot" in config.modes and not KINDS[kind].has_classes:
        raise UserError(
            f"finetune.modes: zero_shot asks for labels in words, and task {task} of kind {kind} has no classes; leave"
            " one of them out"
        )
    if config.class_weights != "none" and not KINDS[kind].has_classes:
        key = at.get("class_weights", "finetune.class_weights")
        raise UserError(f"{key}: task {task} of kind {kind} has no classes; write none")
