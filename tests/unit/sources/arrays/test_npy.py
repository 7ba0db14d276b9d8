"""A .npy file by its rows: the numbers of NumPy's own reader, and no memory for what a header claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.arrays.npy import read_npy_header, read_numbers


def read(path: Path, row: int | None = None) -> np.ndarray:
    with path.open("rb") as file:
        return read_numbers(file, read_npy_header(file, path.stat().st_size, path.name), path.name, row)


def test_a_row_is_that_of_the_array(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 4 * 5, dtype=">i2").reshape(2, 3, 4, 5)
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read(tmp_path / "a.npy"), array)
    np.testing.assert_array_equal(read(tmp_path / "a.npy", 1), array[1])
    np.save(tmp_path / "f.npy", np.asfortranarray(array))
    np.testing.assert_array_equal(read(tmp_path / "f.npy"), array)


@pytest.mark.parametrize(
    ("write", "row", "message"),
    [
        (lambda path: np.save(path, np.zeros((2, 3, 4))), 2, "signal_missing: a.npy: it holds 2 recordings"),
        (lambda path: np.save(path, np.zeros((2, 3, 4), order="F")), 0, "shape_unknown: .* Fortran's order"),
        (lambda path: np.save(path, np.array([{}])), None, "signal_unreadable: .* an array of object"),
        (lambda path: path.write_bytes(b"PK"), None, "signal_unreadable: a.npy: no .npy array"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, write, row: int | None, message: str) -> None:
    write(tmp_path / "a.npy")
    with pytest.raises(RecordError, match=message):
        read(tmp_path / "a.npy", row)


def test_a_header_is_held_against_the_file(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 12)})
    with pytest.raises(RecordError, match="signal_truncated: .* are 96000000000000 bytes, there are 0"):
        read(tmp_path / "a.npy", 0)
