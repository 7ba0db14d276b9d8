"""What a kind of task says of itself; the one place where that is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """A kind of task: how its labels are read, learnt, measured and shown.

    Code is named as `module:name` (`ecglfm.config.reference.look_up`), each on the floor where it belongs, so that a
    kind may be looked at without torch and pandas. A new kind names what is there, or what it brings along.

    Attributes
    ----------
    name : str
        `kind` in the task's YAML.
    description : str
        What its labels are, for `docs/config/`.
    read_from : tuple of str
        Keys of a selector that say a label's value, of `value`, `time`, `event`; none: clauses say who carries it.
    columns : tuple of str
        Columns of a label in `labels/{task}.parquet` are `{column}.{label}`.
    truth : tuple of str
        The same in `predictions.parquet`.
    output : str
        What the model says of a label there: `{output}.{label}`.
    outputs : str
        The same of all labels, in an exported file.
    least, most : int, int or None
        Labels that a task has.
    instead : str
        The kind to write with another number of labels.
    exclusive : bool
        The labels are classes of which a record has exactly one.
    time : str or None
        Of `columns`, one that must be above 0: a record without such a time is left out.
    positive : str
        One record that counts for a label (`min_positives`), in messages.
    carried : bool
        Records that count are those with a 1 in the last of `columns`; else those with any value.
    needed : str
        Patients of whom a label has enough or too few (`min_patients`), as `outcome` counts its classes.
    listed : str
        The column of such records in `describe-labels`.
    statistics : mapping of str to str
        More columns there: title to `mean` or `spread` of the first of `columns`.
    targets : str
        Class of `training.finetuning.targets`: the columns of a label become one array.
    losses : mapping of str to str
        `finetune.loss`, the first is `auto`: function of `training.finetuning.losses` that makes it.
    scores : mapping of str to str
        `finetune.select_by` beside `loss`: `Score` of `training.finetuning.scores`; the first is in every history.csv.
    link : str
        Class of `models.outputs`: logits become outputs.
    standardized : bool
        The link has mean and deviation of the training targets.
    outcome : str
        Class of `evaluation.metrics`: truth and outputs become metrics, which it declares.
    headline : tuple of str
        Metrics of the report's overview.
    pictures : str
        Function of `evaluation.plots`: `curves` and `calibration` of an outcome.
    captions : mapping of str to str
        What these two show.
    """

    name: str
    description: str
    read_from: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("label",)
    truth: tuple[str, ...] = ("target",)
    output: str
    outputs: str
    least: int = 1
    most: int | None = None
    instead: str = ""
    exclusive: bool = False
    time: str | None = None
    positive: str
    carried: bool = True
    needed: str
    listed: str
    statistics: Mapping[str, str] = field(default_factory=dict)
    targets: str
    losses: Mapping[str, str]
    scores: Mapping[str, str]
    link: str
    standardized: bool = False
    outcome: str
    headline: tuple[str, ...]
    pictures: str
    captions: Mapping[str, str]

    @property
    def has_classes(self) -> bool:
        """A record carries a label or not: outputs are probabilities, and there are thresholds."""
        return not self.read_from

    @property
    def independent(self) -> bool:
        """Each label is there or not, whatever the others are."""
        return self.has_classes and not self.exclusive

    def label_columns(self, label: str) -> list[str]:
        """Columns of a label in `labels/{task}.parquet`."""
        return [f"{column}.{label}" for column in self.columns]

    def truth_columns(self, label: str) -> list[str]:
        """Columns of its truth in `predictions.parquet`, in the order of `label_columns`."""
        return [f"{column}.{label}" for column in self.truth]

    def output_column(self, label: str) -> str:
        """Column of `predictions.parquet` that holds what the model says of a label."""
        return f"{self.output}.{label}"

    def threshold_columns(self, labels: Sequence[str]) -> list[str]:
        """Columns of `predictions.parquet` with the thresholds of the model that predicted the record, if there are."""
        return [f"threshold.{label}" for label in labels] if self.has_classes else []

    def check_number(self, labels: int) -> None:
        """Raise `ValueError` where a task has more or fewer labels than this kind."""
        hint = f"; write `{self.instead}`" if self.instead else ""
        if self.most is not None and labels > self.most:
            some = "exactly one label" if self.most == 1 else f"at most {self.most} labels"
            raise ValueError(f"`kind: {self.name}` has {some}, found {labels}{hint}")
        if labels < self.least:
            few = "one" if labels == 1 else labels
            raise ValueError(f"`kind: {self.name}` chooses among labels, found only {few}{hint}")
