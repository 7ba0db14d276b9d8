"""Many files, few of them open; what cannot be mapped is named."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ecglfm.config import UserError
from ecglfm.data.samples import shards
from ecglfm.data.samples.shards import Shards


def write(folder, count):
    """File i holds the sample 100 i + k at place k."""
    paths = [folder / f"{i:03d}.npy" for i in range(count)]
    for i, path in enumerate(paths):
        np.save(path, (100 * i + np.arange(8)).astype(np.int16).reshape(4, 2))
    return Shards(paths, np.full(count, 4))


def test_more_files_than_may_be_open(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "MAX_OPEN", 3)
    files = write(tmp_path, 40)
    before = len(os.listdir("/proc/self/fd"))
    for i in np.random.default_rng(0).integers(40, size=200).tolist():
        assert files.samples(i).tolist() == [[100 * i, 100 * i + 1], [100 * i + 2, 100 * i + 3],
                                             [100 * i + 4, 100 * i + 5], [100 * i + 6, 100 * i + 7]]  # fmt: skip
        assert len(os.listdir("/proc/self/fd")) <= before + 3


def test_the_file_used_longest_ago_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "MAX_OPEN", 2)
    files = write(tmp_path, 3)
    for i in (0, 1, 0, 2):
        files.samples(i)
    (tmp_path / "000.npy").unlink()
    assert files.samples(0)[0, 0] == 0  # still mapped
    (tmp_path / "001.npy").unlink()
    with pytest.raises(UserError, match=r"001\.npy: no such file"):
        files.samples(1)


@pytest.mark.parametrize("left", [0, 140])
@pytest.mark.parametrize("read", [lambda files: files.samples(0), lambda files: files.read_ahead(0, 0, 4)])
def test_a_file_that_is_cut_while_it_is_read_is_one_line(tmp_path, left, read):
    """Reading on would be a bus error, which ends the process."""
    files = write(tmp_path, 1)
    assert files.samples(0)[0, 0] == 0
    os.truncate(tmp_path / "000.npy", left)
    with pytest.raises(UserError, match=rf"000\.npy: was cut from 144 to {left} bytes while it was read"):
        read(files)


def test_advice_covers_the_asked_bytes_in_steps_of_the_usual_read_ahead(tmp_path):
    path = tmp_path / "big.npy"
    np.save(path, np.zeros((100_000, 2), np.int16))  # 400,000 bytes after a header of 128
    files = Shards([path], np.array([100_000]))
    shard, asked = files._shard(0), []

    class Map:
        def madvise(self, advice, first, count):
            asked.append((first, count))

        def size(self):
            return len(self)

        def __len__(self):
            return len(shard.map)

    files._open[0] = shard._replace(map=Map())
    files.read_ahead(0, 2000, 90_000)  # bytes 8128 to 360128, from the page of the first
    assert asked == [(4096, 131072), (135168, 131072), (266240, 360128 - 266240)]
    files._open[0] = shard
    files.read_ahead(0, 99_000, 100_000)  # the kernel takes it, too


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an array", r"cannot be mapped"),
        (b"", r"cannot be mapped"),
        ("float32", r"float32 \(4, 2\), but the manifest needs int16 with 4 samples"),
        ("flat", r"int16 \(8,\)"),
        ("short", r"int16 \(3, 2\)"),
        ("truncated", r"cannot be mapped"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, content, message):
    path = tmp_path / "000.npy"
    arrays = {
        "float32": np.zeros((4, 2), np.float32),
        "flat": np.zeros(8, np.int16),
        "short": np.zeros((3, 2), np.int16),
    }
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, arrays.get(content, np.zeros((4, 2), np.int16)))
    if content == "truncated":
        os.truncate(path, path.stat().st_size - 4)
    with pytest.raises(UserError, match=rf"000\.npy: {message}"):
        Shards([path], np.array([4])).samples(0)
