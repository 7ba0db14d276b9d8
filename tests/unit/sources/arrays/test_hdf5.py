"""Data sets of an HDF5 file in groups; what a link or a claim leads to is in `test_code15.py` for the top of a file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.arrays.hdf5 import Hdf5File
from ecglfm.sources.inside import Root


def test_a_data_set_in_a_group_is_read_by_its_rows(tmp_path: Path) -> None:
    array = np.arange(24).reshape(4, 3, 2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/ecg"] = array
    file = Hdf5File(Root(tmp_path), "a.h5")
    ecg = file.dataset("group/ecg", "iu", 3)
    np.testing.assert_array_equal(file.read(ecg, 2, "row 2"), array[2])
    np.testing.assert_array_equal(file.read(ecg, slice(1, 3), "rows"), array[1:3])
    assert file.names() == ["group"]


def test_a_group_that_lies_in_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["group/ecg"] = np.zeros((4, 3, 2))
    with h5py.File(tmp_path / "root/a.h5", "w") as file:
        file["group"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/group")
    with pytest.raises(RecordError, match="signal_unreadable: a.h5: no data set 'group/ecg' of its own"):
        Hdf5File(Root(tmp_path / "root"), "a.h5").dataset("group/ecg", "f", 3)


def test_no_memory_is_taken_for_what_a_file_claims(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("ecg", (2, 12, 10**9), np.int8, chunks=(1, 12, 1000))
    file = Hdf5File(Root(tmp_path), "a.h5")
    with pytest.raises(RecordError, match=r"signal_too_long: a.h5: \(2, 12, 1000000000\) are more than"):
        file.read(file.dataset("ecg", "iu", 3), 0, "row 0")
