"""The metric of the PhysioNet/CinC Challenge 2021: diagnoses taken for like ones cost less than for unlike ones.

Reyna et al. 2021 (doi:10.23919/CinC53138.2021.9662687). With y and x the true and the called classes of a record and
N the number of classes in either, the record adds y_j x_k / N to A_jk. The score sum_jk w_jk A_jk is scaled so that
1 is a perfect model and 0 one that calls every record normal sinus rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.sources.snomed import ABBREVIATIONS

#: Normal sinus rhythm, as code and as abbreviation.
NORMAL = ("426783006", "NSR")


@dataclass(frozen=True)
class Challenge:
    """Weights of the classes of a task.

    Attributes
    ----------
    weights_ll : ndarray, shape (l, l)
        Reward for calling class k where class j is true.
    normal : int
        Position of normal sinus rhythm.
    """

    weights_ll: np.ndarray
    normal: int

    def metric(self, targets_nl: np.ndarray, called_nl: np.ndarray, weight_nr: np.ndarray) -> np.ndarray:
        """The Challenge's metric under record weights; records with an unknown label do not count.

        Parameters
        ----------
        targets_nl : ndarray, shape (n, l)
            1, 0, NaN unknown.
        called_nl : ndarray of bool, shape (n, l)
        weight_nr : ndarray, shape (n, r)

        Returns
        -------
        ndarray, shape (r,)
            0 where a model that calls all normal is perfect, as in the Challenge's own code; NaN without a record.
        """
        known = ~np.isnan(targets_nl).any(axis=1)
        targets_nl, called_nl = targets_nl[known] > 0, called_nl[known]
        always_normal = np.zeros_like(targets_nl)
        always_normal[:, self.normal] = True
        guesses = (called_nl, targets_nl, always_normal)
        observed, correct, inactive = (self._scores(targets_nl, guess) @ weight_nr[known] for guess in guesses)
        scale = correct - inactive
        out = np.where(weight_nr[known].sum(axis=0) > 0, 0.0, np.nan)
        np.divide(observed - inactive, scale, out=out, where=np.abs(scale) > 1e-9)
        return out

    def _scores(self, targets_nl: np.ndarray, called_nl: np.ndarray) -> np.ndarray:
        """Score of each record, shape (n,)."""
        named = np.maximum((targets_nl | called_nl).sum(axis=1), 1)
        return np.einsum("nj,jk,nk->n", targets_nl / named[:, None], self.weights_ll, called_nl, optimize=True)


def read_challenge(path: Path, names: list[str]) -> Challenge | None:
    """Weights of a task's labels out of the Challenge's `weights.csv` or `weights_abbreviations.csv`.

    Parameters
    ----------
    path : path
        A square table: first row and column name the classes, those that count as one parted by `|`.
    names : list of str
        Labels of the task: codes or abbreviations as in the table.

    Returns
    -------
    Challenge or None
        None where a label is not in the table, or normal sinus rhythm is no label: the metric is not of this task.

    Raises
    ------
    UserError
        The file is missing or is no such table.
    """
    try:
        table = pd.read_csv(path, index_col=0)
        weights = table.to_numpy(dtype=np.float64)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable table of weights ({error}); see evaluate.challenge_weights") from None
    rows, columns = [str(name) for name in table.index], [str(name) for name in table.columns]
    if rows != columns or not np.isfinite(weights).all():
        raise UserError(f"{path}: rows and columns must name the same classes, with a number in every cell")
    place = {part: position for position, name in enumerate(rows) for part in [name, *name.split("|")]}
    place |= {ABBREVIATIONS[code]: position for code, position in place.items() if code in ABBREVIATIONS}
    normal = [position for position, name in enumerate(names) if name in NORMAL]
    if not normal or any(name not in place for name in names):
        return None
    chosen = [place[name] for name in names]
    return Challenge(weights[np.ix_(chosen, chosen)], normal[0])
