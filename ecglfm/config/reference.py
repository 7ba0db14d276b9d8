"""Code that the config names and does not import: `module:name`, found when it is needed."""

from __future__ import annotations

import importlib
from typing import Any


def look_up(reference: str) -> Any:
    """What a module of this project calls so, given `module:name`; the config's classes name it, never a user."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
