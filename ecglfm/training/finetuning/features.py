"""Vectors of windows from a frozen encoder, computed once and kept beside the results.

A file's name is made of hashes of everything that its content depends on, so that an invalid one is never read: another
encoder, other signals or windows have another name. It is written under a temporary name and renamed: jobs that come
to it at once do the work twice at worst, and every one reads a whole file. Whoever writes one removes those of other
weights; a job that was about to read such a file makes it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm import distributed
from ecglfm.provenance import code_version, sha256_file, sha256_frame, sha256_json, write_array

logger = logging.getLogger(__name__)


def encoder_hash(encoder: Path) -> str:
    """Hash of an encoder's weights and description, given its folder or a file in it."""
    folder = encoder if encoder.is_dir() else encoder.parent
    return sha256_json([sha256_file(folder / f"encoder.{ending}") for ending in ("safetensors", "json")])


def features_key(encoder: Path, records: pd.DataFrame, windows: pd.DataFrame) -> str:
    """Hash of the encoder's weights and description (how its signals are made among it), and of records and windows.

    Parameters
    ----------
    encoder : path
        Folder of an encoder, or a file in it.
    records : DataFrame
        Rows of the manifest; `record_id` and `sha256` count.
    windows : DataFrame
        `row, start, valid` of each window.

    Returns
    -------
    str
        `{encoder}-{records and windows}`.
    """
    maker = sha256_json({"version": code_version()["version"], "encoder": encoder_hash(encoder)})
    of = {
        "records": sha256_frame(records, ["record_id", "sha256", "n_samples"]),
        "windows": sha256_frame(windows, ["row", "start", "valid"]),
    }
    return f"{maker[:16]}-{sha256_json(of)}"


def cached(folder: Path, key: str, shape: tuple[int, int], make: Callable[[], np.ndarray]) -> np.ndarray:
    """Vectors of this key from `folder`, made and written first where they are not there yet.

    Parameters
    ----------
    folder : path
        `embed/{encoder}`; its files may be deleted at any time.
    key : str
        `features_key`.
    shape : tuple of int
        (windows, dim).
    make : callable
        Computes them.

    Returns
    -------
    ndarray of float32, shape (windows, dim)
    """
    path = folder / f"{key}.npy"
    found = _read(path, shape)
    if found is not None:
        logger.info("vectors of %d windows from %s", len(found), path)
        return found
    vectors = make()
    if distributed.is_main():
        write_array(path, vectors)
        _remove_stale(folder, key)
    return vectors


def _remove_stale(folder: Path, key: str) -> None:
    """Remove what other weights have made; what another process has open stays readable to it."""
    maker, _, _ = key.partition("-")
    whole = [path for path in folder.glob("*.npy") if not path.name.startswith(".")]  # others are being written
    stale = [path for path in whole if path.stem.partition("-")[0] != maker]
    for path in stale:
        path.unlink(missing_ok=True)  # a job beside this one may have been faster
    if stale:
        logger.info("removed %d files of vectors that an earlier encoder made from %s", len(stale), folder)


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """A whole file of this shape, or None."""
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        logger.warning("%s: not readable (%s); made again", path, error)
        return None
    if found.shape != shape or found.dtype != np.float32:
        logger.warning("%s: holds %s of shape %s; made again", path, found.dtype, found.shape)
        return None
    return np.asarray(found)
