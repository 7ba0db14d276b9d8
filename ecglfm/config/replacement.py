"""What a run is about to replace, why, and how to keep it: said before it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ecglfm.config.base import UserError, read_yaml
from ecglfm.config.difference import Change, difference
from ecglfm.config.wording import counted

NAMED = 3  # folders and changes that a line names; more are counted


class Planned(NamedTuple):
    """A result that is there and will be made again.

    Attributes
    ----------
    folder : str
    slices : list of str
        Slices of the config, by path below `<results>/config`, that it or what it is made of is made anew for.
    made_from : list of str
        Folders of planned ones that it is made from.
    reason : str
        What Snakemake says, for where no slice differs.
    """

    folder: str
    slices: Sequence[str]
    made_from: Sequence[str]
    reason: str


def replacements(planned: Sequence[Planned], slices: Mapping[str, str], config: Path) -> list[str]:
    """A line for every cause: which folders are replaced, what changed, and how both are kept.

    Parameters
    ----------
    planned : sequence of Planned
    slices : mapping of str to str
        Text of every slice as it is now.
    config : path
        `<results>/config`, where they are as they were.

    Returns
    -------
    list of str
        `replaces results/finetune/tiny/af/full-s0 (finetune.lr 0.001 -> 0.003); to keep it, …`. What is made from one
        that is replaced is counted there.
    """
    folders = {one.folder for one in planned}
    first = [one for one in planned if not folders.intersection(one.made_from)]
    causes: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for one in first:
        changes = {name: found for name in one.slices if (found := _changes(name, slices[name], config))}
        keys = dict.fromkeys(str(change) for found in changes.values() for change in found)  # once, of several sources
        told = _some(list(keys), "; ") if changes else one.reason
        causes.setdefault((tuple(changes), told), []).append(one.folder)
    lines = []
    for (changed, told), own in causes.items():
        after = sum(bool(set(own).intersection(one.made_from)) for one in planned)
        what = _some(own, ", ") + (f" and {counted(after, 'result')} made from {_them(own)}" if after else "")
        lines.append(f"replaces {what} ({told}); to keep {_them(own)}, {_advice(changed, slices, config)}")
    return lines


def _them(folders: Sequence[str]) -> str:
    return "it" if len(folders) == 1 else "them"


def _some(texts: Sequence[str], between: str) -> str:
    more = len(texts) - NAMED
    return between.join(texts[:NAMED]) + (f"{between}{more} more" if more > 0 else "")


def _changes(name: str, text: str, config: Path) -> list[Change]:
    """How a slice differs from what the results were made with; nothing where that is not known."""
    try:
        return difference(read_yaml(config / f"{name}.yaml"), yaml.safe_load(text))
    except UserError:
        return []


def _advice(changed: Sequence[str], slices: Mapping[str, str], config: Path) -> str:
    """How to have the old and the new beside each other."""
    if changed and all(name.startswith("finetune/") for name in changed):
        own = _variant(_changes(changed[0], slices[changed[0]], config), yaml.safe_load(slices[changed[0]]))
        return f"take the change back and add it as a variant: `finetune: {{variants: {{NAME: {own}}}}}`"
    if len(changed) == 1 and changed[0].startswith("pretrain/"):
        encoder = changed[0].partition("/")[2]
        changes = _changes(changed[0], slices[changed[0]], config)
        if all(change.key.startswith("config.") for change in changes):
            return f"take the change back and write it to a copy, config/encoders/NAME.yaml beside {encoder}.yaml"
    return "choose another folder for the new ones: `--config results=FOLDER`"


def _variant(changes: Sequence[Change], now: Mapping[str, Any]) -> str:
    """The changed keys of the section as YAML on one line; a section in it as a whole."""
    keys = dict.fromkeys(change.key.split(".")[1] for change in changes)
    own = {key: now["finetune"][key] for key in keys if key in now["finetune"]}
    return yaml.safe_dump(own, default_flow_style=True, sort_keys=False, width=10_000).strip()
