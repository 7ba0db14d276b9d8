"""Databases, one adapter file per kind, one contract (`ecglfm.sources.base.Source`).

To add a kind of database: write its adapter here, and add one line to `KINDS` in `ecglfm/config/sources.py`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.config import SourceSlice, UserError
from ecglfm.config.sources import KINDS

if TYPE_CHECKING:
    from ecglfm.sources.base import Source


def open_source(slice: SourceSlice) -> Source:  # noqa: A002 (the slice of the config)
    """Adapter of a source, after checking that its root is there.

    Raises
    ------
    UserError
        The root is not a folder.
    """
    config = slice.config
    root = Path(config.root or "")
    if not config.root or not root.is_dir():
        raise UserError(
            f"source {slice.source}: root {config.root!r} is not a folder; set `root` in "
            f"config/sources/{slice.source}.yaml or `roots: {{{slice.source}: DIR}}` in config.yaml"
        )
    module, name = KINDS[config.native_kind].adapter.split(":")
    source: Source = getattr(importlib.import_module(module), name)(slice.source, root, config)
    return source
