"""Rows of one big array in each form, against the array that was written; and what is refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.arrays.opened import open_rows
from ecglfm.sources.inside import Root

ARRAY = np.random.default_rng(0).integers(-3000, 3000, (5, 3, 40)).astype(np.int16)
NAMES = [f"k{number}" for number in (30, 10, 20, 50, 40)]


def _hdf5(path: Path, **how: object) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("group/ecg", data=ARRAY, **how)
        file["keys"] = NAMES


def _parquet(path: Path, rows: list, row_group_size: int = 2) -> None:
    pq.write_table(pa.table({"key": NAMES, "signal": rows}), path, row_group_size=row_group_size)


FORMS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a.npy": (lambda path: np.save(path, ARRAY), ""),
    "a.h5": (_hdf5, "#group/ecg"),
    "b.hdf5": (lambda path: _hdf5(path, chunks=(2, 3, 40), compression="gzip"), "#group/ecg"),
    "a.parquet": (lambda path: _parquet(path, [row.tolist() for row in ARRAY]), "#signal"),
    "b.parquet": (lambda path: _parquet(path, [row.ravel() for row in ARRAY]), ""),
}


@pytest.mark.parametrize("name", FORMS)
def test_rows_are_those_of_the_array_in_any_order(tmp_path: Path, name: str) -> None:
    write, inner = FORMS[name]
    write(tmp_path / name)
    rows = open_rows(Root(tmp_path), name + inner)
    assert rows.shape[0] == 5
    for number in (4, 0, 3, 1, 2):
        np.testing.assert_array_equal(rows.read(number).reshape(3, 40), ARRAY[number])


@pytest.mark.parametrize(("name", "ids"), [("a.h5", "keys"), ("a.parquet", "key")])
def test_ids_are_in_the_order_of_the_rows(tmp_path: Path, name: str, ids: str) -> None:
    write, inner = FORMS[name]
    write(tmp_path / name)
    assert open_rows(Root(tmp_path), name + inner).ids(ids).to_pylist() == NAMES


def test_ids_that_pandas_made_numbers_of_are_whole(tmp_path: Path) -> None:
    """123456789012.0 is 1.23456789012e+11 to Arrow."""
    signal = ARRAY.reshape(5, -1).tolist()
    pq.write_table(
        pa.table({"key": [12345.0, 123456789012.0, 1e16, None, 3.0], "signal": signal}), tmp_path / "a.parquet"
    )
    expected = ["12345", "123456789012", "10000000000000000", None, "3"]
    assert open_rows(Root(tmp_path), "a.parquet#signal").ids("key").to_pylist() == expected
    pq.write_table(pa.table({"key": [7.5] * 5, "signal": signal}), tmp_path / "a.parquet")
    with pytest.raises(RecordError, match=r"a.parquet: key: no ids: Float value 7.5"):
        open_rows(Root(tmp_path), "a.parquet#signal").ids("key")


def test_ids_of_an_array_of_numpys_are_another_one(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAY)
    np.save(tmp_path / "ids.npy", np.array([30, 10, 20, 50, 40]))
    assert open_rows(Root(tmp_path), "a.npy").ids("ids.npy").to_pylist() == ["30", "10", "20", "50", "40"]


def test_a_row_of_a_file_of_60_gb_takes_its_own_room(tmp_path: Path) -> None:
    shape = (1_000_000, 12, 2500)
    with (tmp_path / "big.npy").open("wb") as file:  # sparse: zeros that take no room on the disk
        np.lib.format.write_array_header_1_0(file, {"descr": "<i2", "fortran_order": False, "shape": shape})
        file.seek(2 * np.prod(shape[1:]) * 999_999, 1)
        file.write(np.ones(shape[1:], "<i2").tobytes())
    tracemalloc.start()
    rows = open_rows(Root(tmp_path), "big.npy")
    assert (rows.read(999_999) == 1).all()
    assert not rows.read(500_000).any()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.csv", lambda path: path.write_text("1"), "signal_unreadable: a.csv: none of .npy"),
        ("a.npy#ecg", lambda path: np.save(path, ARRAY), "signal_missing: a.npy#ecg: a .npy file holds one array"),
        ("a.npy", lambda path: np.save(path, np.array([{}])), "signal_unreadable: a.npy: an array of object"),
        ("a.h5", _hdf5, r"signal_missing: a.h5: write FILE#NAME with a name of: group keys"),
        ("a.h5#keys", _hdf5, "signal_unreadable: a.h5: keys is object"),
        ("a.parquet#key", lambda path: _parquet(path, [[1.0]] * 5), "signal_unreadable: a.parquet: 'key' is no column of"),
        ("a.parquet", lambda path: path.write_bytes(b"PAR1" * 9), "signal_unreadable: a.parquet: "),
        ("a.parquet#b", None, "signal_missing: a.parquet does not exist"),
        ("../a.h5#ecg", None, "path_outside_root"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_one_sentence(
    tmp_path: Path, name: str, write: Callable[[Path], None] | None, message: str
) -> None:
    if write is not None:
        write(tmp_path / name.partition("#")[0])
    with pytest.raises(RecordError, match=message):
        open_rows(Root(tmp_path), name)


def test_a_row_group_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of zeros, which are next to nothing in the file: 2 rows of 1000 numbers."""
    _parquet(tmp_path / "a.parquet", [np.zeros(1000)] * 5)
    assert (tmp_path / "a.parquet").stat().st_size < 8000
    monkeypatch.setattr("ecglfm.sources.arrays.opened._MAX_GROUP", 15_999)
    with pytest.raises(RecordError, match=r"signal_too_long: a.parquet: row groups of 16000 bytes; write it with a sm"):
        open_rows(Root(tmp_path), "a.parquet").read(0)


@pytest.mark.parametrize(("cell", "reason"), [(None, "signal_empty"), ([[1.0], [1.0, 2.0]], "shape_unknown")])
def test_a_cell_of_another_form_is_one_sentence(tmp_path: Path, cell: object, reason: str) -> None:
    table = pa.table({"signal": pa.array([[[1.0], [2.0]], cell], pa.list_(pa.list_(pa.float32())))})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(RecordError, match=reason):
        open_rows(Root(tmp_path), "a.parquet").read(1)
