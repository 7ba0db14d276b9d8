"""Reads a checkpoint that nobody vouches for: its settings as plain data, its weights as tensors.

Only the tensors of the model are read: optimizer state, twice their size, stays in the file.
"""

from __future__ import annotations

import io
import math
import mmap
import pickle
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from torch import Tensor

from ecglfm.config import UserError
from ecglfm.models.importers.hub import SETTINGS, WEIGHTS, is_safetensors, read_safetensors
from ecglfm.models.importers.unpickle import StoredTensor, Unpickler, plain, shown

#: Under which key a checkpoint has its weights: fairseq's, Lightning's, HuBERT-ECG's, ECG-JEPA's.
_HOLDERS = ("model", "state_dict", "model_state_dict", "encoder")
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DAMAGE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Checkpoint:
    """What an importer is given.

    Attributes
    ----------
    path : Path
        The file.
    config : dict
        Its settings (`cfg`, or `args` of older ones; of safetensors the `config.json` beside it) as plain dicts, lists,
        numbers and text; empty without any.
    state : dict of str to Tensor
        Its `model`, `state_dict`, `model_state_dict` or `encoder`, or the whole file: every tensor by its name.
    updates : int or None
        Updates of the training, where the file says so.
    heads : int or None
        Attention heads, as the user says where the file does not (`--heads`).
    """

    path: Path
    config: dict[str, Any]
    state: dict[str, Tensor]
    updates: int | None = None
    heads: int | None = None


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint that `torch.save` wrote, in its zip form or in that before PyTorch 1.6, or one of safetensors.

    Parameters
    ----------
    path : path
        The file, or a folder with `model.safetensors` and `config.json`.

    Returns
    -------
    Checkpoint

    Raises
    ------
    UserError
        The file would run code (the message names the global), is damaged, or is no checkpoint of a model.
    """
    path = Path(path)
    if (path / WEIGHTS).is_file():
        path /= WEIGHTS
    if path.exists() and not path.is_file():
        whole = f"or a folder with {WEIGHTS} and {SETTINGS}"
        raise UserError(f"{path}: is a folder or a device; give the checkpoint's file, {whole}")
    try:
        if is_safetensors(path):
            settings, state = read_safetensors(path)
            _check_names(state)
            return Checkpoint(path, settings, state)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            content, places = _read_zip(file) if zipfile.is_zipfile(file) else _read_legacy(data)
            return _checkpoint(path, content, places, data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except _DAMAGE as error:
        raise UserError(
            f"{path}: not a readable PyTorch checkpoint ({shown(str(error) or 'it ends early')}); copy it again"
        ) from None


def _read_zip(file: BinaryIO) -> tuple[Any, dict[str, tuple[int, int]]]:
    """Content of `data.pkl`, and where each storage's bytes lie: (start, length)."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if "data.pkl" not in members:
            raise UserError("a zip file, but without data.pkl: not a PyTorch checkpoint")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise UserError("its zip entries are compressed, as PyTorch never writes them")
        end = file.seek(0, io.SEEK_END)  # reading an entry takes as much memory as the entry says
        if any(max(info.compress_size, info.file_size) > end for info in members.values()):
            raise zipfile.BadZipFile("an entry is larger than the file")
        if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
            raise UserError("its numbers are big-endian; save it again on a little-endian machine")
        content = Unpickler(io.BytesIO(archive.read(members["data.pkl"]))).load()
    places = {}
    for name, info in members.items():
        if name.startswith("data/"):
            file.seek(info.header_offset + 26)  # the local header ends with a name and padding of its own
            name_length, extra_length = struct.unpack("<HH", file.read(4))
            places[name.removeprefix("data/")] = (info.header_offset + 30 + name_length + extra_length, info.file_size)
    return content, places


def _read_legacy(file: mmap.mmap) -> tuple[Any, dict[str, tuple[int, int]]]:
    """As `_read_zip`, for a row of pickles followed by each storage's count and numbers.

    Out of the mapped file, because reading from a file takes as much memory as is asked for.
    """
    if Unpickler(file).load() != _LEGACY_MAGIC or Unpickler(file).load() != _LEGACY_PROTOCOL:
        raise pickle.UnpicklingError("no PyTorch checkpoint")
    if not Unpickler(file).load()["little_endian"]:
        raise UserError("its numbers are big-endian; save it again on a little-endian machine")
    reader = Unpickler(file)
    content = reader.load()
    places = {}
    for key in Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        length = count * reader.storages[key].dtype.itemsize
        if not 0 <= length <= len(file) - file.tell():
            raise pickle.UnpicklingError("a storage ends early")
        places[key] = (file.tell(), length)
        file.seek(length, io.SEEK_CUR)
    return content, places


def _checkpoint(path: Path, content: Any, places: dict[str, tuple[int, int]], data: mmap.mmap) -> Checkpoint:
    """Read what an importer needs of the content."""
    holders = [*map(content.get, _HOLDERS), content] if isinstance(content, dict) else []
    model = next((one for one in holders if _holds_weights(one)), None)
    if model is None:
        found = ", ".join(sorted(map(str, content))[:8]) if isinstance(content, dict) else type(content).__name__
        raise UserError(f"no `{'` or `'.join(_HOLDERS)}` with weights in it; found {shown(found)}")
    _check_names(model)
    _check_size(model.values(), len(data))
    state = {name: _read(stored, places, data) for name, stored in model.items() if stored is not None}
    config = plain(content.get("cfg")) or plain(content.get("args")) or {}
    history = plain(content.get("optimizer_history")) or [{}]
    updates = history[-1].get("num_updates") if isinstance(history, list) and isinstance(history[-1], dict) else None
    return Checkpoint(path, config if isinstance(config, dict) else {}, state, updates)


def _check_names(names: Iterable[Any]) -> None:
    """Raise where a name is no text that can be shown."""
    odd = [name for name in names if not isinstance(name, str) or not name.isprintable()]
    if odd:
        raise UserError(f"a weight in it has no readable name: {shown(str(odd[0]))}")


def _holds_weights(model: Any) -> bool:
    """Whether it is a mapping with tensors in it."""
    return isinstance(model, dict) and any(isinstance(value, StoredTensor) for value in model.values())


def _check_size(stored: Iterable[Any], size: int) -> None:
    """Raise when weights share their numbers so much that they would take far more memory than the file."""
    tensors = [value for value in stored if isinstance(value, StoredTensor)]
    total = sum(max(0, math.prod(value.shape)) * value.storage.dtype.itemsize for value in tensors)
    if total > 2 * size:  # tied weights count twice
        raise UserError(f"its weights would take {total:,} bytes, but the file has only {size:,}")


def _read(stored: Any, places: dict[str, tuple[int, int]], data: mmap.mmap) -> Tensor:
    """Numbers of one tensor; never more than its part of the file holds."""
    if not isinstance(stored, StoredTensor):
        raise UserError(f"among its weights is something that is no tensor: {type(stored).__name__}")
    (dtype, key, size), offset, shape, stride = stored
    start, length = places[key]
    elements = math.prod(shape)
    extent = 1 + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if min((0, offset, *shape, *stride)) < 0 or elements > size or offset + extent > size:
        raise pickle.UnpicklingError(f"a tensor {shape} reaches beyond its storage of {size}")
    if size * dtype.itemsize > length or start + length > len(data):
        raise pickle.UnpicklingError(f"storage {key!r} ends early")
    if elements == 0:
        return torch.empty(shape, dtype=dtype)
    # Copied element by element: two elements a gigabyte apart take two elements of memory.
    first, steps = start + offset * dtype.itemsize, [step * dtype.itemsize for step in stride]
    stored_numbers = np.frombuffer(data, dtype=f"u{dtype.itemsize}", count=extent, offset=first)
    return torch.from_numpy(np.array(as_strided(stored_numbers, shape, steps))).view(dtype)
