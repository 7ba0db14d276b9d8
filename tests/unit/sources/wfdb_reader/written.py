"""WFDB records written for tests, and headers edited."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecglfm.config import LEADS
from ecglfm.sources.wfdb_reader.files import write_record


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


SIGNAL = (np.arange(12 * 500).reshape(500, 12) % 401 - 200).astype(np.int16)


def write(root: Path, name: str = "a", digital: np.ndarray = SIGNAL, **kwargs) -> None:
    write_record(
        root, name, digital, leads=kwargs.pop("leads", LEADS), gain=kwargs.pop("gain", 1000.0), sampling_rate=500
    )
