"""Folders of arrays: orientation, units, many recordings in a file, and arrays that must not be opened."""

from __future__ import annotations

import io
import logging
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.records import SENTINEL, RecordError
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.folders.numpy_folder import samples_first

EIGHT = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]


def config_of(root: Path, **more: object) -> SourceSlice:
    content = {"table": "table.csv", "sampling_rate": 250, "file_leads": list(LEADS)} | more
    return SourceSlice(source="n", config=SourceConfig(kind="numpy_folder", root=str(root), **content))


def source(root: Path, **more: object) -> Source:
    return open_source(config_of(root, **more))


def microvolts_of(record: int, n_leads: int = 12) -> np.ndarray:
    return np.random.default_rng(record).integers(-3000, 3000, (100 + record, n_leads))


def table(root: Path, *rows: str, header: str = "path,patient_id,age,sex,fold,rhythm") -> None:
    root.mkdir(exist_ok=True)
    (root / "table.csv").write_text("\n".join([header, *rows]) + "\n")


def ingest(config: SourceSlice, folder: Path) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Index and ingest; checks that each row of the index is a record or a dropped one."""
    write_index(folder / "n.parquet", open_source(config).pieces())
    output = folder / "out" / "000.npy"
    run_ingest(config, folder / "n.parquet", 0, 1, output)
    records = pd.read_parquet(output.with_suffix(".parquet"))
    ledger = pd.read_parquet(output.with_suffix(".ledger.parquet"))
    dropped = ledger[ledger.action == "dropped"]
    index = pd.read_parquet(folder / "n.parquet")
    assert sorted([*records.record_id, *dropped.record_id]) == sorted(index.record_id)
    return np.load(output), records, dropped


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Four recordings in four forms, in millivolts."""
    root = tmp_path / "root"
    table(root, "a/10.npy,p1,50,M,2,AF", "a/9.npy,p1,51,M,2,SR", "b.npz,p2,,F,,", "c.npz#ecg,,70,,1,SR")
    (root / "a").mkdir()
    np.save(root / "a/9.npy", microvolts_of(9) / 1000)
    np.save(root / "a/10.npy", np.asfortranarray((microvolts_of(10) / 1000).T.astype(np.float32)))
    np.savez(root / "b.npz", microvolts_of(11).astype(">f8") / 1000)
    np.savez_compressed(root / "c.npz", rate=250, ecg=microvolts_of(12).T / 1000)
    return root


def test_index(database: Path):
    index = source(database).index()
    assert index.record_id.tolist() == ["n/a/9", "n/a/10", "n/b", "n/c.npz#ecg"]
    assert index.patient_id.tolist() == ["n/p1", "n/p1", "n/p2", "n/c.npz#ecg"]
    assert index.sex.fillna("-").tolist() == ["male", "male", "female", "-"]
    assert index.age.fillna(-1).tolist() == [51, 50, -1, 70]
    assert index.fold.fillna(-1).tolist() == [2, 2, -1, 1]
    assert index["native.rhythm"].fillna("-").tolist() == ["SR", "AF", "-", "SR"]


def test_every_form_gives_the_same_samples(database: Path, tmp_path: Path):
    signals, records, dropped = ingest(config_of(database), tmp_path)
    assert dropped.empty
    assert (records.sampling_rate == 250).all()
    expected = [microvolts_of(record) for record in (9, 10, 11, 12)]
    assert records.n_samples.tolist() == [len(one) for one in expected]
    np.testing.assert_array_equal(signals, np.concatenate(expected))


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1), ("uV", 1000), ("V", 0.001)])
def test_unit(database: Path, unit: str, factor: float):
    np.save(database / "a/9.npy", microvolts_of(9) / 1000 * factor)
    signal = source(database, unit=unit).read("a/9.npy").signal
    np.testing.assert_allclose(signal, microvolts_of(9) / 1000, rtol=1e-12)


def test_whole_numbers_are_in_the_unit(database: Path):
    np.save(database / "a/9.npy", microvolts_of(9).astype(np.int16))
    signal = source(database, unit="uV").read("a/9.npy").signal
    np.testing.assert_allclose(signal, microvolts_of(9) / 1000, rtol=1e-12)


def test_leads_by_name(tmp_path: Path):
    """Eight leads in an order and spelling of the lab's own; the four that follow from I and II are computed."""
    root = tmp_path / "root"
    table(root, "1.npy,,,,,")
    microvolts = microvolts_of(1, 8)
    microvolts[:, :2] *= 2  # even: the halves of the formulas are whole
    np.save(root / "1.npy", microvolts.astype(float))
    config = config_of(root, file_leads=["II", "lead i", "v6", "v5", "v4", "v3", "v2", "v1"], unit="uV")
    signals, records, _ = ingest(config, tmp_path)
    second, first = microvolts[:, 0], microvolts[:, 1]
    expected = {
        "I": first, "II": second, "III": second - first, "aVR": -(first + second) // 2,
        "aVL": first - second // 2, "aVF": second - first // 2,
    } | {f"V{k}": microvolts[:, 8 - k] for k in range(1, 7)}  # fmt: skip
    np.testing.assert_array_equal(signals, np.stack([expected[lead] for lead in LEADS], axis=1))
    assert records.lead_mask.tolist() == [0xFFF]


def test_leads_of_a_name_of_their_own(tmp_path: Path):
    root = tmp_path / "root"
    table(root, "1.npy,,,,,")
    np.save(root / "1.npy", microvolts_of(1))
    chest = {f"C{k}": f"V{k}" for k in range(1, 7)}
    config = config_of(root, file_leads=[*LEADS[:6], *chest], leads=chest, unit="uV")
    signals, records, _ = ingest(config, tmp_path)
    np.testing.assert_array_equal(signals, microvolts_of(1))
    assert records.lead_mask.tolist() == [0xFFF]


def test_missing_samples(database: Path, tmp_path: Path):
    millivolts = microvolts_of(9) / 1000
    millivolts[3, 4], millivolts[5, 6], millivolts[7, 8] = np.nan, np.inf, -np.inf
    np.save(database / "a/9.npy", millivolts)
    assert np.argwhere(np.isnan(source(database).read("a/9.npy").signal)).tolist() == [[3, 4], [5, 6], [7, 8]]
    signals, records, _ = ingest(config_of(database), tmp_path)
    assert records.missing_samples.tolist() == [3, 0, 0, 0]
    assert np.argwhere(signals == SENTINEL).tolist() == [[3, 4], [5, 6], [7, 8]]


def test_many_recordings_in_one_file(tmp_path: Path):
    root = tmp_path / "root"
    table(root, "all.npy#2,p2,,,,", "all.npy#0,p0,,,,", "turned.npy#1,p1,,,,", "all.npy#3,p3,,,,", "all.npy#x,p4,,,,")
    stack = np.stack([microvolts_of(5), microvolts_of(5) + 1, microvolts_of(5) + 2])
    np.save(root / "all.npy", stack)
    np.save(root / "turned.npy", stack.transpose(0, 2, 1))
    signals, records, dropped = ingest(config_of(root, unit="uV"), tmp_path)
    assert records.record_id.tolist() == ["n/all.npy#0", "n/all.npy#2", "n/turned.npy#1"]
    np.testing.assert_array_equal(signals, np.concatenate([stack[0], stack[2], stack[1]]))
    assert dropped[["record_id", "reason"]].values.tolist() == [
        ["n/all.npy#3", "signal_missing"], ["n/all.npy#x", "signal_missing"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "n_leads", "message"),
    [
        ((12, 12), 12, r"shape_unknown: x: \(12, 12\) does not tell samples from leads"),
        ((5000, 8), 12, r"shape_unknown: x: \(5000, 8\) is not \(samples, 12\)"),
        ((5000,), 12, "shape_unknown"),
        ((), 1, "shape_unknown"),
        ((1, 1), 1, "does not tell samples from leads"),
        ((3, 5000, 12), 12, r"write FILE\.npy#ROW in the table"),
        ((0, 12), 12, "signal_empty"),
    ],
)
def test_shapes_that_do_not_tell(shape: tuple[int, ...], n_leads: int, message: str):
    with pytest.raises(RecordError, match=message):
        samples_first(np.zeros(shape), n_leads, "x")


@pytest.mark.parametrize("shape", [(7,), (7, 1), (1, 7)])
def test_one_lead(shape: tuple[int, ...]):
    assert samples_first(np.arange(7).reshape(shape), 1, "x")[:, 0].tolist() == list(range(7))


# ---- arrays that must not be opened, or are not whole: a ledger row each -----------------------------------------


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def npy(shape: str, kind: str = "<f8", content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + content


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def _object_array(root: Path) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Bomb(root / "exploded")] * 3, dtype=object), allow_pickle=True)
    return file.getvalue()


def _encrypted(root: Path) -> bytes:
    content = bytearray(archive(**{"arr_0.npy": npy("(5, 12)", content=bytes(480))}))
    content[6] |= 1  # the flag of encryption, in the local header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


SAVED = npy("(100, 12)", content=bytes(9600))
FAULTS = {
    "missing": ("9.npy", lambda root: None, "signal_missing"),
    "empty": ("9.npy", lambda root: b"", "signal_unreadable"),
    "cut": ("9.npy", lambda root: SAVED[:-1], "signal_truncated"),
    "cut header": ("9.npy", lambda root: SAVED[:40], "signal_unreadable"),
    "objects": ("9.npy", _object_array, "signal_unreadable"),
    "pickle": ("9.npy", lambda root: pickle.dumps(Bomb(root / "exploded")), "signal_unreadable"),
    "objects in npz": ("9.npz", lambda root: archive(**{"a.npy": _object_array(root)}), "signal_unreadable"),
    "text": ("9.npy", lambda root: npy("(100, 12)", "<U2", bytes(9600)), "signal_unreadable"),
    "complex": ("9.npy", lambda root: npy("(50, 12)", "<c16", bytes(9600)), "signal_unreadable"),
    "fields": ("9.npy", lambda root: npy("(50, 12)", "<f8").replace(b"'<f8'", b"[('a','<f8')]"), "signal_unreadable"),
    "call": ("9.npy", lambda root: npy(f"open({str(root / 'exploded')!r}, 'w')"), "signal_unreadable"),
    "claims": ("9.npy", lambda root: npy("(1000000000000000, 12)", content=bytes(96)), "signal_truncated"),
    "claims in npz": ("9.npz", lambda root: archive(**{"a.npy": npy("(10**15, 12)")}), "signal_unreadable"),
    "claims more": ("9.npz", lambda root: archive(**{"a.npy": npy("(1000000000000, 12)")}), "signal_truncated"),
    "negative": ("9.npy", lambda root: npy("(-100, -12)", content=bytes(9600)), "signal_unreadable"),
    "header of 2 bytes": ("9.npy", lambda root: b"\x93NUMPY\x02\x00\x01\x00", "signal_unreadable"),
    "version 9": ("9.npy", lambda root: npy("(100, 12)", content=bytes(9600), version=b"\x09\x00"), "signal_unreadable"),
    "no zip": ("9.npz", lambda root: SAVED, "signal_unreadable"),
    "cut zip": ("9.npz", lambda root: archive(**{"a.npy": SAVED})[:3000], "signal_unreadable"),
    "encrypted": ("9.npz", _encrypted, "signal_unreadable"),
    "two arrays": ("9.npz", lambda root: archive(**{"a.npy": SAVED, "b.npy": SAVED}), "signal_missing"),
    "no such array": ("9.npz#z", lambda root: archive(**{"a.npy": SAVED}), "signal_missing"),
    "ambiguous": ("9.npy", lambda root: npy("(12, 12)", content=bytes(1152)), "shape_unknown"),
    "row of one": ("9.npy#0", lambda root: SAVED, "shape_unknown"),
    "outside": ("../9.npy", lambda root: SAVED, "path_outside_root"),
    "absolute": ("/etc/passwd", lambda root: SAVED, "path_outside_root"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_one_ledger_row(tmp_path: Path, fault: str):
    path, content, reason = FAULTS[fault]
    root = tmp_path / "root"
    table(root, f"{path},,,,,", "good.npy,,,,,")
    np.save(root / "good.npy", microvolts_of(9))
    damaged = content(root)
    if damaged is not None:
        (root / path.rpartition("/")[2].partition("#")[0]).write_bytes(damaged)
    signals, records, dropped = ingest(config_of(root, unit="uV"), tmp_path)
    assert records.record_id.tolist() == ["n/good"]
    np.testing.assert_array_equal(signals, microvolts_of(9))
    assert dropped.reason.tolist() == [reason]
    assert not (root / "exploded").exists()


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_the_length_that_a_header_states_takes_no_memory(tmp_path: Path, ending: str):
    """In an archive 32 MB of spaces are 32 kB; NumPy would read them all before it looks."""
    content = b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 25) + b" " * (1 << 25)
    if ending == "npz":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("a.npy", content)
        content = file.getvalue()
    (tmp_path / f"9.{ending}").write_bytes(content)
    adapter = source(tmp_path)
    del content
    tracemalloc.start()
    try:
        with pytest.raises(RecordError, match=r"signal_unreadable: 9\.np.: a header of 33554432 bytes"):
            adapter.read(f"9.{ending}")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_version_2_is_read(tmp_path: Path):
    with (tmp_path / "9.npy").open("wb") as file:
        np.lib.format.write_array(file, microvolts_of(9), version=(2, 0))
    np.testing.assert_allclose(source(tmp_path, unit="uV").read("9.npy").signal, microvolts_of(9) / 1000, rtol=1e-12)


def test_names_in_an_archive_are_no_paths(tmp_path: Path):
    root = tmp_path / "root"
    table(root, "9.npz#../../evil,,,,,")
    (root / "9.npz").write_bytes(archive(**{"../../evil.npy": npy("(5, 12)", "<i2", bytes(range(120)))}))
    before = sorted(tmp_path.rglob("*"))
    signal = source(root, unit="uV").read("9.npz#../../evil").signal
    assert signal[0, 0] == pytest.approx(0.256)  # bytes 0 and 1: 1 * 256 microvolts
    assert sorted(tmp_path.rglob("*")) == before


def test_symlink_out_of_the_root_is_not_followed(database: Path, tmp_path: Path):
    np.save(tmp_path / "elsewhere.npy", microvolts_of(9))
    (database / "a/9.npy").unlink()
    (database / "a/9.npy").symlink_to(tmp_path / "elsewhere.npy")
    _, records, dropped = ingest(config_of(database), tmp_path)
    assert len(records) == 3
    assert dropped.reason.tolist() == ["path_outside_root"]


def test_arrays_in_no_row_are_named(database: Path, caplog: pytest.LogCaptureFixture):
    np.save(database / "a/11.npy", microvolts_of(9))
    np.save(database / "a/12.NPY", microvolts_of(9))
    with caplog.at_level(logging.WARNING):
        assert len(source(database).index()) == 4
    assert "2 files are in no row of it and are not used, the first: a/11.npy" in caplog.text


# ---- what the config says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["table", "sampling_rate", "file_leads"])
def test_what_arrays_do_not_say_must_be_declared(tmp_path: Path, key: str):
    with pytest.raises(ValueError, match=f"`{key}` is missing: `kind: numpy_folder` needs it"):
        config_of(tmp_path, **{key: [] if key == "file_leads" else None})


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_rates_that_are_none(tmp_path: Path, rate: float):
    with pytest.raises(ValueError, match="sampling_rate"):
        config_of(tmp_path, sampling_rate=rate)


def test_lead_twice(database: Path):
    with pytest.raises(UserError, match="`file_leads` names a lead twice: I II i"):
        source(database, file_leads=["I", "II", "i"]).index()


def test_columns_of_another_name(tmp_path: Path):
    root = tmp_path / "root"
    table(root, "x/1.npy,7,E1", header="file,who,number")
    columns = {"path": "file", "patient_id": "who", "record_id": "number"}
    index = source(root, columns=columns).index()
    assert index[["record_id", "patient_id", "path"]].values.tolist() == [["n/E1", "n/7", "x/1.npy"]]
