"""Databases, one adapter file per kind, one contract (`ecglfm.sources.base.Source`).

To add a database: write an adapter, name it in `KINDS`, and add its kind to `SourceConfig.kind`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.config import SourceSlice, UserError

if TYPE_CHECKING:
    from ecglfm.sources.base import Source

#: kind -> "module:class". `synthetic` is not here: it writes a database of one of these kinds.
KINDS: dict[str, str] = {
    "ptbxl": "ecglfm.sources.ptbxl:PtbXl",
    "mimic_iv_ecg": "ecglfm.sources.mimic_iv_ecg:MimicIvEcg",
}


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
    module, name = KINDS[config.native_kind].split(":")
    source: Source = getattr(importlib.import_module(module), name)(slice.source, root, config)
    return source
