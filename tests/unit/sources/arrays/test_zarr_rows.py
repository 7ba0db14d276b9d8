"""Arrays of Zarr, written here as zarr 3.1.6 writes them: both versions, every codec, and what is refused."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numcodecs
import numpy as np
import pytest

from ecglfm.records import RecordError
from ecglfm.sources.arrays.opened import open_rows
from ecglfm.sources.inside import Root

ARRAY = np.random.default_rng(0).integers(-3000, 3000, (5, 3, 40))
CODECS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes, "zlib": zlib.compress, "gzip": gzip.compress, "zstd": numcodecs.Zstd().encode,
    "blosc": numcodecs.Blosc().encode, "lz4": numcodecs.LZ4().encode,
}  # fmt: skip


def write(
    folder: Path, array: np.ndarray, *, version: int, codec: str, chunks: tuple[int, ...], said: dict | None = None
) -> None:
    """One array, its last chunks filled up with zeros."""
    folder.mkdir(parents=True)
    about = {"shape": array.shape, "fill_value": 0, "zarr_format": version}
    if version == 2:
        name, key = ".zarray", "{}"
        compressor = None if codec == "none" else {"id": codec}
        about |= {"chunks": chunks, "dtype": array.dtype.str, "order": "C", "filters": None, "compressor": compressor}
    else:
        name, key = "zarr.json", "c.{}"
        endian = "big" if array.dtype.str[0] == ">" else "little"
        about |= {
            "node_type": "array", "data_type": array.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": endian}}, *([{"name": codec}] * (codec != "none"))],
        }  # fmt: skip
    (folder / name).write_text(json.dumps(about | (said or {})))
    for place in itertools.product(*(range(-(-n // c)) for n, c in zip(array.shape, chunks, strict=True))):
        part = array[tuple(slice(k * c, (k + 1) * c) for k, c in zip(place, chunks, strict=True))]
        full = np.zeros(chunks, array.dtype)
        full[tuple(slice(n) for n in part.shape)] = part
        path = folder / key.format(".".join(map(str, place))).replace(".", "/" if version == 3 else ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CODECS[codec](full.tobytes()))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", [2, 3])
def test_rows_are_those_of_the_array(tmp_path: Path, version: int, codec: str) -> None:
    kinds, chunks = ("<i2", ">f8") if codec == "zlib" else ("<f4",), ((2, 2, 17), (5, 3, 40), (1, 1, 30))
    for number, (kind, chunk) in enumerate(itertools.product(kinds, chunks)):
        folder = tmp_path / f"{number}.zarr"
        write(folder / "group/ecg", ARRAY.astype(kind), version=version, codec=codec, chunks=chunk)
        ids = np.array([30, 10, 20, 50, 40], "<i8")
        write(folder / "keys", ids, version=version, codec=codec, chunks=(2,))
        rows = open_rows(Root(tmp_path), f"{number}.zarr#group/ecg")
        assert rows.shape == (5, 3, 40)
        for row in (4, 0, 2):
            np.testing.assert_array_equal(rows.read(row), ARRAY[row])
        assert rows.ids("keys").to_pylist() == ["30", "10", "20", "50", "40"]


def test_a_chunk_that_was_never_written_is_the_fill_value(tmp_path: Path) -> None:
    write(
        tmp_path / "a.zarr", ARRAY.astype("<f4"), version=3, codec="zstd", chunks=(2, 3, 40), said={"fill_value": "NaN"}
    )
    (tmp_path / "a.zarr/c/1/0/0").unlink()
    rows = open_rows(Root(tmp_path), "a.zarr")
    assert np.isnan(rows.read(3)).all()
    np.testing.assert_array_equal(rows.read(4), ARRAY[4])


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_that_unpacks_to_less_than_its_size_is_no_recording(tmp_path: Path, codec: str) -> None:
    """What a codec does not fill is whatever was in that memory before."""
    write(tmp_path / "a.zarr", ARRAY.astype("<f4"), version=2, codec=codec, chunks=(5, 3, 40))
    (tmp_path / "a.zarr/0.0.0").write_bytes(CODECS[codec](ARRAY.astype("<f4").tobytes()[:-4]))
    with pytest.raises(RecordError, match="signal_unreadable: a.zarr: chunk 0.0.0: "):
        open_rows(Root(tmp_path), "a.zarr").read(0)


@pytest.mark.parametrize("codec", ["zstd", "blosc", "lz4"])
@pytest.mark.parametrize("last", [0xA5, 0x5A])
def test_a_chunk_may_end_with_any_byte(tmp_path: Path, codec: str, last: int) -> None:
    array = np.frombuffer(bytes(range(11)) + bytes([last]), "<i2").reshape(1, 2, 3)
    write(tmp_path / "a.zarr", array, version=2, codec=codec, chunks=(1, 2, 3))
    np.testing.assert_array_equal(open_rows(Root(tmp_path), "a.zarr").read(0), array[0])


@pytest.mark.parametrize(
    ("version", "more", "message"),
    [
        (2, {"compressor": {"id": "pickle"}}, "codec 'pickle' is not read; known ones: zlib, gzip, zstd, blosc, lz4"),
        (2, {"filters": [{"id": "pickle"}]}, "filters, and Fortran's order, are not read"),
        (2, {"order": "F"}, "filters, and Fortran's order"),
        (2, {"dtype": "|O"}, "an array of object"),
        (2, {"shape": [5, 3]}, r"is \(5, 3\) in chunks of \(2, 3, 40\)"),
        (
            2,
            {"shape": [5, 3, 10**8], "chunks": [1, 1, 1]},
            "signal_too_long: .* in 300000000 chunks; write more in one",
        ),
        (2, {"shape": [float("inf"), 3, 40]}, "signal_unreadable: .*cannot convert float infinity to integer"),
        (2, {"fill_value": 10**400}, "signal_unreadable: .*int too large to convert to float"),
        (2, {"chunks": [1 << 40, 3, 40]}, "signal_too_long: .*chunks of 1099511627776 recordings"),
        (
            3,
            {"codecs": [{"name": "sharding_indexed"}]},
            r"codecs \['sharding_indexed'\] are not read; known: bytes, and",
        ),
        (3, {"data_type": "nothing"}, "signal_unreadable: a.zarr: zarr.json: data type 'nothing' not understood"),
    ],
)
def test_what_is_not_read_is_one_sentence(tmp_path: Path, version: int, more: dict, message: str) -> None:
    write(tmp_path / "a.zarr", ARRAY.astype("<i2"), version=version, codec="none", chunks=(2, 3, 40), said=more)
    with pytest.raises(RecordError, match=message):
        open_rows(Root(tmp_path), "a.zarr")


@pytest.mark.parametrize(("size", "chunk"), [(10**13, 10**8), (10**9, 10**6), (10**8, 1)])
def test_ids_are_no_more_than_recordings_can_be(tmp_path: Path, size: int, chunk: int) -> None:
    write(tmp_path / "a.zarr/ecg", ARRAY.astype("<i2"), version=2, codec="none", chunks=(2, 3, 40))
    about = {"shape": [size], "chunks": [chunk]}
    write(tmp_path / "a.zarr/id", np.zeros(1, "<i8"), version=2, codec="none", chunks=(1,), said=about)
    with pytest.raises(RecordError, match=rf"signal_too_long: a\.zarr#id: \({size},\) in {size // chunk} chunks"):
        open_rows(Root(tmp_path), "a.zarr#ecg").ids("id")


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_chunk_that_unpacks_to_more_than_a_chunk_is_refused(tmp_path: Path, codec: str) -> None:
    write(tmp_path / "a.zarr", ARRAY.astype("<i2"), version=2, codec=codec, chunks=(2, 3, 40))
    (tmp_path / "a.zarr/0.0.0").write_bytes(CODECS[codec](bytes(1 << 20)))
    with pytest.raises(RecordError, match=r"signal_unreadable: a.zarr: chunk 0.0.0: "):
        open_rows(Root(tmp_path), "a.zarr").read(0)


def test_a_chunk_elsewhere_is_not_opened(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root / "a.zarr", ARRAY.astype("<i2"), version=2, codec="none", chunks=(2, 3, 40))
    os.replace(root / "a.zarr/0.0.0", tmp_path / "outside")
    (root / "a.zarr/0.0.0").symlink_to(tmp_path / "outside")
    with pytest.raises(RecordError, match="path_outside_root"):
        open_rows(Root(root), "a.zarr").read(0)


def test_an_array_is_found_without_its_name_where_it_is_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr/ecg", ARRAY.astype("<i2"), version=2, codec="none", chunks=(2, 3, 40))
    assert open_rows(Root(tmp_path), "a.zarr").shape == (5, 3, 40)
    write(tmp_path / "a.zarr/more", ARRAY.astype("<i2"), version=2, codec="none", chunks=(2, 3, 40))
    with pytest.raises(RecordError, match="signal_missing: a.zarr: write FILE#NAME with a name of: ecg more"):
        open_rows(Root(tmp_path), "a.zarr")
    for name in ("b.zarr", "a.zarr#none", "b.zarr#none"):
        with pytest.raises(RecordError, match="signal_missing"):
            open_rows(Root(tmp_path), name)
