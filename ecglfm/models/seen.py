"""What a model was made from, in its own folder: fingerprints of recordings, so that a copy elsewhere knows them, too.

Eight bytes of the SHA-256 of each recording's prepared samples. Nothing of a signal or of who it is can be read from
them; ids of patients, which a list of ids would open, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ecglfm.provenance import atomic

FILE = "seen.safetensors"
_DIGITS = 16  # hexadecimal: two of a million recordings and a million others agree with a chance of 5e-8


def fingerprints(sha256: Iterable[str]) -> np.ndarray:
    """Fingerprints of recordings by the SHA-256 of their samples, uint64 (recordings,), ascending."""
    digits = "".join(text[:_DIGITS] for text in sha256)
    return np.sort(np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64))


def known_among(sha256: Iterable[str], prints: np.ndarray) -> np.ndarray:
    """Which recordings, by the SHA-256 of their samples, are among some fingerprints: bool (recordings,)."""
    digits = "".join(text[:_DIGITS] for text in sha256)
    return np.isin(np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64), prints)


def write_seen(folder: Path, parts: Mapping[str, tuple[str, np.ndarray]]) -> None:
    """Write what a model saw.

    Parameters
    ----------
    folder : path
        Of an encoder or a model.
    parts : mapping
        `pretraining`, `before` (of an encoder from elsewhere whose weights that went on with) and `finetuning`, as far
        as known: the `data_hash` that it stands for, and `fingerprints`.
    """
    tensors = {name: np.ascontiguousarray(found) for name, (_, found) in parts.items()}
    with atomic(folder / FILE) as temporary:
        of = json.dumps({name: of for name, (of, _) in parts.items()}, sort_keys=True)
        save_file(tensors, temporary, metadata={"data_hash": of})  # of several entries the order would differ


def read_seen(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """What `write_seen` wrote into a folder, or beside a file; nothing of an older model."""
    folder = path if path.is_dir() else path.parent
    try:
        with safe_open(folder / FILE, framework="numpy") as file:
            of = json.loads((file.metadata() or {}).get("data_hash", "{}"))
            found = {name: (str(of[name]), file.get_tensor(name)) for name in set(file.keys()) & set(of)}
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError):
        return {}
    return {name: part for name, part in found.items() if part[1].dtype == np.uint64 and part[1].ndim == 1}
