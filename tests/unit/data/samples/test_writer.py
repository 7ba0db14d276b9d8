"""Shards written piece by piece, by one process or several."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from ecglfm.config import UserError
from ecglfm.data.samples.writer import array_writer, sole_writer, write_rows


def test_a_file_of_unknown_length_is_what_numpy_writes(tmp_path: Path) -> None:
    arrays = [np.arange(6, dtype=np.int16).reshape(3, 2), np.full((1, 2), -32768, np.int16)]
    path = tmp_path / "000.npy"
    for leftover in (".000.npy.1.tmp.npy", ".000.ledger.1.tmp.parquet", ".001.npy.1.tmp.npy"):
        (tmp_path / leftover).touch()
    with sole_writer(path), array_writer(path, 2) as writer:
        for array in arrays:
            writer.append(array.tobytes())
        assert writer.n_rows == 4
        assert not path.exists()
    np.save(tmp_path / "expected.npy", np.concatenate(arrays))
    assert path.read_bytes() == (tmp_path / "expected.npy").read_bytes()
    assert sorted(file.name for file in tmp_path.glob(".*")) == [".001.npy.1.tmp.npy"]  # of another shard


def test_rows_may_be_written_in_any_order(tmp_path: Path) -> None:
    rows = np.arange(20, dtype=np.int16).reshape(10, 2)
    with array_writer(tmp_path / "000.npy", 2) as writer:
        write_rows(writer.path, 4, [rows[4:7], rows[7:]])
        write_rows(writer.path, 0, [rows[:4]])
        write_rows(writer.path, 0, [])
        writer.n_rows = 10
    np.testing.assert_array_equal(np.load(tmp_path / "000.npy"), rows)


def test_a_second_process_is_refused_and_the_first_one_ends_well(tmp_path: Path) -> None:
    path, rows = tmp_path / "000.npy", np.arange(4, dtype=np.int16).reshape(2, 2)
    with sole_writer(path), array_writer(path, 2) as writer:
        with pytest.raises(UserError, match=r"000\.npy: another process writes this shard"), sole_writer(path):
            pytest.fail("was let in")
        with sole_writer(tmp_path / "001.npy"):
            writer.append(rows.tobytes())
    np.testing.assert_array_equal(np.load(path), rows)
    assert [file.name for file in tmp_path.iterdir()] == ["000.npy"]
    with sole_writer(path):  # the next one may
        pass


@pytest.mark.parametrize("taken", [True, False])
def test_a_lock_that_was_removed_between_opening_and_locking_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """The one that had it ends just then, and, or not, a third process makes a lock of the same name and has it."""
    lock, whole = tmp_path / ".000.lock", fcntl.flock
    held: list[BinaryIO] = []
    third: list[BinaryIO | None] = []

    def late(file: BinaryIO, how: int) -> None:
        if not third:
            lock.unlink()
            third.append(lock.open("wb") if taken else None)
            if taken:
                whole(third[0], fcntl.LOCK_EX)
        whole(file, how)
        held.append(file)

    monkeypatch.setattr(fcntl, "flock", late)
    if not taken:
        with sole_writer(tmp_path / "000.npy"):
            assert os.path.samestat(lock.stat(), os.fstat(held[-1].fileno()))
        assert not lock.exists()
        return
    with pytest.raises(UserError, match="another process writes"), sole_writer(tmp_path / "000.npy"):
        pytest.fail("was let in")
    assert lock.exists()
    third[0].close()
