"""The name of a fit says its mode, its seed and the share of the training patients: `full-s0`, `full-s0-10pct`."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

from ecglfm.config.base import UserError

Mode = Literal["full", "frozen", "linear", "lora"]
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
    """

    mode: str
    seed: int
    fraction: float = 1.0

    @property
    def name(self) -> str:
        """`{mode}-s{seed}`, with `-{P}pct` where not all training patients take part."""
        suffix = "" if self.fraction == 1 else f"-{100 * self.fraction:g}pct"
        return f"{self.mode}-s{self.seed}{suffix}"


def parse_fit(name: str) -> Fit:
    """Mode, seed and share of the training patients that the name of a fit says.

    Raises
    ------
    UserError
        The name is not `{mode}-s{seed}` or `{mode}-s{seed}-{P}pct`, with 0 < P < 100.
    """
    match = re.fullmatch(rf"({'|'.join(MODES)})-s(\d+)(?:-(\d+(?:\.\d+)?)pct)?", name)
    if match is not None:
        fit = Fit(match[1], int(match[2]), float(match[3]) / 100 if match[3] else 1.0)
        if 0 < fit.fraction <= 1 and fit.name == name:
            return fit
    raise UserError(
        f"--fit {name}: expected {{mode}}-s{{seed}} with a mode out of {', '.join(MODES)}: full-s0;"
        " with a share of the training patients full-s0-10pct"
    )
