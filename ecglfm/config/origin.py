"""Where a value of the config was given: a mistake is not blamed on `config.yaml` when `--config` made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Origin:
    """`config.yaml` and what was laid over it.

    Attributes
    ----------
    file : path
        `config.yaml`.
    over : sequence of (str, mapping)
        Name and content of each `--configfile` and of `--config`; a later one wins, key by key.
    """

    file: Path
    over: Sequence[tuple[str, Mapping[str, Any]]] = ()

    def of(self, *location: Any) -> str:
        """Name of what holds the key at `location`, or the most of the way there; of two, of the one that won."""
        if not location:
            return " with ".join([str(self.file), *(name for name, _ in self.over)])
        depths = [_depth(content, location) for _, content in self.over]
        most = max(depths, default=0)
        if most == 0:
            return str(self.file)
        return self.over[max(place for place, depth in enumerate(depths) if depth == most)][0]


def _depth(content: Any, location: Sequence[Any]) -> int:
    """How many keys of `location`, one within the other, are in `content`."""
    for depth, key in enumerate(location):
        if not isinstance(content, Mapping) or key not in content:
            return depth
        content = content[key]
    return len(location)
