"""A recording of nothing but zeros: dropped for the same reason whatever kind of file it comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import wfdb

from ecglfm.config import LEADS, PreprocessConfig, SourceConfig, SourceSlice
from ecglfm.data.signals.recording import prepare
from ecglfm.sources import open_source
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm

ZEROS = np.zeros((5000, 12))


def _wfdb(root: Path) -> str:
    names = list(LEADS)
    wfdb.wrsamp("z", 500, ["mV"] * 12, names, p_signal=ZEROS, fmt=["16"] * 12, adc_gain=[1000.0] * 12,
                baseline=[0] * 12, write_dir=str(root))  # fmt: skip
    return "z"


def _numpy(root: Path) -> str:
    np.save(root / "z.npy", ZEROS)
    return "z.npy"


def _muse(root: Path) -> str:
    (root / "z.xml").write_bytes(muse(rhythm({name: [0] * 5000 for name in EIGHT})))
    return "z.xml"


def _code15(root: Path) -> str:
    with h5py.File(root / "p.hdf5", "w") as file:
        file["exam_id"] = np.array([7])
        file["tracings"] = np.zeros((1, 4096, 12), np.float32)
    return "p.hdf5#7"


ARRAYS = {"table": "t.csv", "sampling_rate": 500, "file_leads": list(LEADS)}


@pytest.mark.parametrize(
    ("kind", "write", "more"),
    [("wfdb_folder", _wfdb, {}), ("numpy_folder", _numpy, ARRAYS), ("muse_xml", _muse, {}), ("code15", _code15, {})],
)
def test_zeros_are_dropped_alike_in_every_source(
    tmp_path: Path, kind: str, write: Callable[[Path], str], more: dict[str, object]
):
    path = write(tmp_path)
    source = open_source(SourceSlice(source="s", config=SourceConfig(kind=kind, root=str(tmp_path), **more)))
    record = source.read(path).microvolts()
    dropped = prepare(record.signal, record.sampling_rate, PreprocessConfig(), lead_mask=record.lead_mask).dropped
    assert dropped == ("amplitude", "0 mV, limits 0.2 to 6: no lead moves")
