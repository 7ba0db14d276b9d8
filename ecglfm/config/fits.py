"""The name of a fit says its mode, its seed and what it learns from: `full-s0`, `full-s0-10pct`, `full-s0-f2of5`.

One with settings of its own has their name in the end, before the fold: `full-s0-lr3`, `full-s0-lr3-f2of5`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

from ecglfm.config.base import UserError

Mode = Literal["full", "frozen", "linear", "lora", "zero_shot"]
#: Names of variants; `f0of5` is a fold, whatever this says.
VARIANT = r"[A-Za-z][A-Za-z0-9_]*"
_FOLD = r"f(\d+)of(\d+)"
MODES: tuple[str, ...] = get_args(Mode)


class Fit(NamedTuple):
    """One fine-tuning of an encoder to a task.

    Attributes
    ----------
    mode : str
        Of `MODES`.
    seed : int
    fraction : float
        Share of the training patients, above 0 and up to 1.
    fold : int or None
        Fold of a cross-validation that it is tested on, from 0; it chooses by the next one and learns from the others.
    folds : int or None
        How many there are.
    variant : str or None
        Of `finetune.variants`, whose keys win over those of the section.
    """

    mode: str
    seed: int
    fraction: float = 1.0
    fold: int | None = None
    folds: int | None = None
    variant: str | None = None

    @property
    def name(self) -> str:
        """`{mode}-s{seed}`, with `-{P}pct` where not all training patients take part, `-{variant}`, `-f{i}of{k}`."""
        share = "" if self.fraction == 1 else f"-{100 * self.fraction:g}pct"
        variant = "" if self.variant is None else f"-{self.variant}"
        fold = "" if self.fold is None else f"-f{self.fold}of{self.folds}"
        return f"{self.mode}-s{self.seed}{share}{variant}{fold}"

    @property
    def chosen_by(self) -> int | None:
        """Fold that chooses epoch and thresholds."""
        return None if self.fold is None or self.folds is None else (self.fold + 1) % self.folds


def split_fold(name: str) -> tuple[str, int, int]:
    """Name of a fit without its fold, the fold and how many there are: `full-s0-f2of5` is `full-s0`, 2 and 5."""
    match = re.fullmatch(rf"(.+)-{_FOLD}", name)
    return (match[1], int(match[2]), int(match[3])) if match else (name, 0, 0)


def is_variant(name: str) -> bool:
    """Whether this may be the name of a variant: a word that no fold is called."""
    return re.fullmatch(VARIANT, name) is not None and re.fullmatch(_FOLD, name) is None


def split_variant(name: str) -> tuple[str, str | None]:
    """Name of a fit without its variant, and that: `full-s0-lr3` is `full-s0` and `lr3`."""
    name, fold = (match[1], match[2]) if (match := re.fullmatch(rf"(.+)(-{_FOLD})", name)) else (name, "")
    match = re.fullmatch(rf"(.+-s\d+(?:-[\d.]+pct)?)-({VARIANT})", name)
    return (match[1] + fold, match[2]) if match else (name + fold, None)


def fold_fits(name: str, folds: int) -> list[str]:
    """Names of the fits of every fold, in their order, that stand for one fit in a cross-validation."""
    return [f"{name}-f{fold}of{folds}" for fold in range(folds)]


def parse_fit(name: str) -> Fit:
    """Mode, seed, share of the training patients and fold that the name of a fit says.

    Raises
    ------
    UserError
        The name is not `{mode}-s{seed}`, `{mode}-s{seed}-{P}pct`, with 0 < P < 100, or `{mode}-s{seed}-f{i}of{k}`, with
        0 <= i < k, the second and the third with `-{variant}` or without.
    """
    plain, variant = split_variant(name)
    match = re.fullmatch(rf"({'|'.join(MODES)})-s(\d+)(?:-(\d+(?:\.\d+)?)pct|-{_FOLD})?", plain)
    if match is not None:
        fold, folds = (int(match[group]) if match[group] else None for group in (4, 5))
        fit = Fit(match[1], int(match[2]), float(match[3]) / 100 if match[3] else 1.0, fold, folds, variant)
        if 0 < fit.fraction <= 1 and (fold is None or (folds or 0) > max(fold, 2)) and fit.name == name:
            return fit
    raise UserError(
        f"--fit {name}: expected {{mode}}-s{{seed}} with a mode out of {', '.join(MODES)}: full-s0;"
        " with a share of the training patients full-s0-10pct; of the first of five folds full-s0-f0of5;"
        " of `variants: {lr3: …}` full-s0-lr3"
    )
