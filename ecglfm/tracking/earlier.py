"""What journals tell of earlier runs: which one a run belongs to, and how it differs from the first of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglfm.config import TrackingSlice
from ecglfm.config.difference import difference, flatten, shown
from ecglfm.provenance import sha256_json
from ecglfm.tracking.journal import Content, folder_of
from ecglfm.tracking.store import NAME_LENGTH

IDENTITY = ("source", "encoder", "task", "fit")  # tags that say what a run is about, whatever its config
SEPARATOR = " · "
MOST = 4  # differences in a name; with more of them a hash says the rest


def heads(folder: Path) -> Iterator[tuple[Path, Content]]:
    """How each run of a folder began, oldest first: the first line of its journal; what is no journal is left out."""
    found = []
    for path in folder.glob("*.jsonl"):
        content = Content()
        try:
            with path.open("rb") as file:
                content.add(json.loads(file.readline()))
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            continue  # `tracking sync` tells of it
        if content.key:
            found.append((content.began, path, content))
    yield from ((path, content) for _, path, content in sorted(found, key=lambda one: one[:2]))


def find_run(tracking: TrackingSlice | None, stage: str, **tags: str | None) -> Content | None:
    """The newest run of a stage with these tags, as it began; None where there is none, or one of the tags is None."""
    if tracking is None or not tracking.enabled or None in tags.values():
        return None
    found = None
    for _, content in heads(folder_of(tracking) / stage):
        if all(content.tags.get(name) == value for name, value in tags.items()):
            found = content
    return found


def telling_name(
    name: str, config: Mapping[str, Any], *, folder: Path, tags: Mapping[str, str], told: Sequence[str]
) -> str:
    """`tiny/super/full-s0 · lr 0.003 · epochs 5`: what is always told, and what differs from the first run of its kind.

    Parameters
    ----------
    name : str
        What the run is about.
    config : mapping
        All that it does, nested.
    folder : path
        Journals of its stage.
    tags : mapping
        Its own; the first run is the oldest one with the same ones of `IDENTITY`.
    told : sequence of str
        Keys that are always told, `finetune.lr`; their section is left out of the name.
    """
    of_first = (
        content.config
        for _, content in heads(folder)
        if content.config and all(content.tags.get(tag) == tags.get(tag) for tag in IDENTITY)
    )
    changes = difference(next(of_first, config), config)
    values = {key: value for key, value in flatten(config).items() if key in told}
    values |= {change.key: change.after for change in changes}
    parts = [f"{_short(key, told)} {shown(value)}" for key, value in values.items()]
    most = min(len(parts), MOST + len(told))
    while True:
        rest = [f"#{sha256_json(config)[:6]}"] if most < len(parts) else []
        text = SEPARATOR.join([name, *parts[:most], *rest])
        if len(text) <= NAME_LENGTH or not most:
            return text
        most -= 1


def _short(key: str, told: Sequence[str]) -> str:
    """A key without the section of those that are always told."""
    section, _, rest = key.partition(".")
    return rest if rest and any(one.startswith(f"{section}.") for one in told) else key
