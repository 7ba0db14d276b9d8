"""How many records of a label set carry which label, by split and source, and which labels too few do."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pandas as pd

from ecglfm.config import TaskSlice, UserError
from ecglfm.config.wording import counted
from ecglfm.data.labels.source_targets import target_columns
from ecglfm.records import SPLITS


class LabelCounts:
    """Counts over the records of a label set, which come in pieces.

    Parameters
    ----------
    slice : TaskSlice
    folds : int
        Of the cross-validation that a source takes part in; 0: none does.

    Attributes
    ----------
    names : list of str
        The labels, in the task's order.
    together : ndarray of int, shape (labels, labels)
        Records that carry both labels; on the diagonal, those that carry one. Zeros for regression.
    """

    def __init__(self, slice: TaskSlice, folds: int = 0) -> None:  # noqa: A002
        self._slice, self._folds = slice, folds
        self.names = list(slice.config.labels)
        n_labels = len(self.names)
        self.together = np.zeros((n_labels, n_labels), np.int64)
        self._records: dict[tuple[str, str], int] = defaultdict(int)
        self._of_fold: dict[tuple[str, int], np.ndarray] = defaultdict(lambda: np.zeros(n_labels))
        self._sums: dict[tuple[str, str, str], np.ndarray] = defaultdict(lambda: np.zeros(n_labels))

    def add(self, kept: pd.DataFrame) -> None:
        """Count some records: rows of the label table."""
        kind = self._slice.config.task_kind
        columns = [target_columns(self._slice, name) for name in self.names]
        values = kept[[names[-1] for names in columns]].to_numpy(np.float64)
        known = ~np.isnan(values)
        carried = values == 1 if kind.carried else known
        amounts = kept[[names[0] for names in columns]].to_numpy(np.float64)  # the numbers, or the times
        amounts = np.nan_to_num(amounts)
        if kind.carried:
            self.together += carried.T.astype(np.int64) @ carried.astype(np.int64)
        for group, positions in kept.reset_index().groupby(["split", "source"], sort=False).indices.items():
            split, source = map(str, group)  # type: ignore[call-overload]
            rows = np.asarray(positions)
            self._records[split, source] += len(rows)
            for what, table in (("known", known), ("carried", carried), ("sum", amounts), ("squares", amounts**2)):
                self._sums[what, split, source] += table[rows].sum(axis=0)
        if self._folds:
            own = kept["fold"].fillna(-1).to_numpy(np.int64)
            for fold in range(self._folds):
                for what, table in (("known", known), ("carried", carried)):
                    self._of_fold[what, fold] += table[own == fold].sum(axis=0)

    def records(self, *, split: str | None = None, source: str | None = None) -> int:
        """Records of a split, a source, or both."""
        return sum(number for (of, at), number in self._records.items() if split in {None, of} and source in {None, at})

    def of(self, what: str, *, split: str | None = None, source: str | None = None) -> np.ndarray:
        """Sum over records, shape (labels,).

        Parameters
        ----------
        what : {"known", "carried", "sum", "squares"}
            Records whose label is known; those that carry it (of regression: known, of survival: an event); the sum of
            the numbers or times, and of their squares.
        split, source : str, optional
        """
        found = [
            sums
            for (of, in_split, in_source), sums in self._sums.items()
            if of == what and split in {None, in_split} and source in {None, in_source}
        ]
        return np.sum(found, axis=0) if found else np.zeros(len(self.names))

    def training(self, what: str) -> np.ndarray:
        """Sum over the records that a model learns from, shape (models, labels): one, or one of each fold.

        Parameters
        ----------
        what : {"known", "carried"}
        """
        base, k = self.of(what, split="train").astype(np.int64), self._folds
        others = [[self._of_fold[what, j] for j in range(k) if j not in (i, (i + 1) % k)] for i in range(k)]
        return np.array([base + np.sum(own, axis=0).astype(np.int64) for own in others] or [base])

    def too_few(self) -> list[str]:
        """Labels that fewer than `min_positives` training records carry; of a cross-validation, of any model."""
        carried = self.training("carried").min(axis=0)
        return [
            name for name, number in zip(self.names, carried, strict=True) if number < self._slice.config.min_positives
        ]

    def rare(self) -> dict[str, str]:
        """Labels that cannot be trained on, and why, in the task's order: too few carry them, or all do.

        Of a cross-validation it is the model with the fewest that counts.
        """
        config = self._slice.config
        of_models, columns = self.training("carried"), range(len(self.names))
        model = of_models.argmin(axis=0)
        carried, known = (self.training(what)[model, columns] for what in ("carried", "known"))
        positives = {split: self.of("carried", split=split).astype(int) for split in SPLITS}
        if self._folds:
            positives = {f"fold {fold}": self._of_fold["carried", fold].astype(int) for fold in range(self._folds)}
        words = config.task_kind.positive
        found = {}
        for number, name in enumerate(self.names):
            per_split = ", ".join(f"{split} {counts[number]}" for split, counts in positives.items())
            if carried[number] < config.min_positives:
                fewer = f"{counted(carried[number], words)}, fewer than {config.min_positives}, among"
                has = f"no {words} among" if carried[number] == 0 else fewer
                found[name] = f"has {has} {counted(known[number], 'training record')} ({words}s: {per_split})"
            elif config.task_kind.independent and carried[number] == known[number]:
                found[name] = f"is carried by all of {counted(known[number], 'training record')} that it is known of"
        return found


def check_places(slice: TaskSlice, by_place: Counter[str], folds: int) -> None:  # noqa: A002
    """Raise `UserError` where a split, or a fold, is empty: said here, before a training of days ends in it.

    Parameters
    ----------
    slice : TaskSlice
    by_place : Counter
        Records by `records.places`.
    folds : int
        Where there are any, they stand for the splits.
    """
    wanted = [f"fold {fold}" for fold in range(folds)] or [f"split {split}" for split in SPLITS]
    for place in wanted:
        if not by_place[place.removeprefix("split ")]:
            there = ", ".join(f"{name} {by_place[name]}" for name in (place.removeprefix("split ") for place in wanted))
            raise UserError(
                f"task {slice.task!r}: no record of it is in the {place} ({there}); let `manifest` of config.yaml"
                f" (fractions, folds, seed) put some of {', '.join(slice.kinds)} there, or give the task other sources"
            )
