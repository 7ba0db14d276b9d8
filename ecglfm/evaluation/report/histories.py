"""Training histories as lines to plot: `history.csv` of pretraining and fine-tuning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.evaluation.plots import Series

SPLITS = ("train", "valid")
#: What tells how a run went on, not what it learnt.
_TECHNICAL = re.compile(
    r"^(step|epoch|lr|head_lr|seconds|time|elapsed|grad_norm|temperature|masked_fraction|skipped|memory_mb|.*_per_second|.*seconds.*)$"
)


@dataclass
class History:
    """What `history.csv` says of a training.

    Attributes
    ----------
    x : str
        `step` or `epoch`, the first column.
    terms : dict
        Term, in the order of the file: its lines, on train and on valid, points without value left out.
    """

    x: str
    terms: dict[str, list[Series]] = field(default_factory=dict)

    def final(self, term: str, split: str) -> float | None:
        """Last value of a term, None when it was never measured."""
        for series in self.terms.get(term, []):
            if series.name == split:
                return float(series.y[-1])
        return None


def read_history(path: Path) -> History | None:
    """Read a history; None when there is no file or no row.

    The first column counts; `train.loss`, `train_loss` and a `loss` beside a column `split` are all the
    loss on train; a column that names no split was measured in training.

    Raises
    ------
    UserError
        The file is not a table of numbers.
    """
    if not path.exists():
        return None
    try:
        frame = pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV table: {error}") from None
    if frame.empty:
        return None
    history = History(str(frame.columns[0]))
    found: dict[str, dict[str, Series]] = {}
    groups = frame.groupby("split", sort=False) if "split" in frame else [("train", frame)]
    for group, rows in groups:
        for column in rows.columns[1:]:
            term, split = _term(str(column), str(group))
            series = _series(rows, history.x, str(column), split)
            if series is not None and not _TECHNICAL.match(term):
                found.setdefault(term, {})[split] = series
    for term, lines in found.items():
        history.terms[term] = [lines[split] for split in SPLITS if split in lines]
    return history


def _term(column: str, split: str) -> tuple[str, str]:
    """Term and split of a column."""
    match = re.match(r"^(train|valid)(?:ation)?[._/](.+)$", column)
    return (match[2], match[1]) if match else (column, split if split in SPLITS else "train")


def _series(rows: pd.DataFrame, x: str, column: str, split: str) -> Series | None:
    """The points that have a value, None when there is none."""
    y = pd.to_numeric(rows[column], errors="coerce").to_numpy(dtype=np.float64)
    measured = np.isfinite(y)
    if not measured.any():
        return None
    return Series(split, rows[x].to_numpy(dtype=np.float64)[measured], y[measured])
