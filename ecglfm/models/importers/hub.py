"""Weights in Hugging Face's form: `model.safetensors`, with the settings in `config.json` beside it.

Both hold data only. What they say of their own size is held against the files' before memory is taken for it.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ecglfm.config import UserError
from ecglfm.models.importers.unpickle import shown

WEIGHTS, SETTINGS = "model.safetensors", "config.json"
_LENGTH = struct.Struct("<Q")
#: Bytes of a header and of settings; real ones have some thousand.
_HEADER, _SETTINGS = 1 << 24, 1 << 20
_DAMAGE = (SafetensorError, AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)


def is_safetensors(path: Path) -> bool:
    """Whether it is such a file, by its name or by its first bytes: a length, then JSON."""
    if path.suffix == ".safetensors":
        return True
    with path.open("rb") as file:
        return file.read(_LENGTH.size + 1)[_LENGTH.size :] == b"{"


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings (empty without a `config.json`) and weights.

    Raises
    ------
    UserError
        One of the two files is damaged, or lies about its size.
    """
    settings, size = read_settings(path.with_name(SETTINGS)), path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH.size).ljust(_LENGTH.size, b"\xff")
    if (header := _LENGTH.unpack(start)[0]) > min(size - _LENGTH.size, _HEADER):
        reason = f"its header would have {header:,} bytes, and it has {size:,}"
        raise UserError(f"not a readable safetensors file ({reason}); copy it again")
    try:
        return settings, load_file(path)
    except _DAMAGE as error:
        raise UserError(f"not a readable safetensors file ({shown(str(error))}); copy it again") from None


def read_settings(path: Path) -> dict[str, Any]:
    """What a `config.json` says; empty where there is none. Raises as `read_safetensors`, which see."""
    if not path.is_file():
        return {}
    if path.stat().st_size > _SETTINGS:
        raise UserError(
            f"the {SETTINGS} beside it has {path.stat().st_size:,} bytes, which no settings have; copy it again"
        )
    try:
        settings = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"the {SETTINGS} beside it is not valid JSON ({shown(str(error))}); copy it again") from None
    if not isinstance(settings, dict):
        raise UserError(
            f"the {SETTINGS} beside it holds no settings by name, but a {type(settings).__name__}; copy it again"
        )
    return settings
