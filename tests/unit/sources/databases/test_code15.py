"""CODE-15 %: the genuine exams exactly, padding, parts, and files that are not what they should be."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.records import RecordError
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index

HEADER = "exam_id,age,is_male,nn_predicted_age,1dAVb,RBBB,LBBB,SB,ST,AF,patient_id,death,timey,normal_ecg,trace_file"


def config_of(root: Path) -> SourceSlice:
    return SourceSlice(source="c", config=SourceConfig(kind="code15", root=str(root)))


def source(root: Path) -> Source:
    return open_source(config_of(root))


def tracing_of(exam: int) -> np.ndarray:
    """7 s of microvolts, 12 leads, in the middle of 4096 zero rows; first and last recorded row have a zero too."""
    tracing = np.zeros((4096, 12), np.float32)
    values = np.random.default_rng(exam).integers(-3000, 3000, (2800, 12))
    values[0, 1:] = 0
    values[0, 0] = 5
    values[-1, :11] = 0
    values[-1, 11] = -5
    values[1000:1100] = 0  # zeros inside a recording stay
    tracing[648 : 648 + 2800] = values / 1000
    return tracing


def write_part(path: Path, exams: list[int], **tracings: object) -> None:
    with h5py.File(path, "w") as file:
        file["exam_id"] = np.array(exams, np.int64)
        file["tracings"] = np.stack([tracing_of(exam) if exam else np.zeros((4096, 12), np.float32) for exam in exams])


def row(exam: int, patient: int | str, part: str, *, death: str = "", timey: str = "", af: str = "False") -> str:
    return f"{exam},50,True,44.2,False,False,False,False,False,{af},{patient},{death},{timey},True,{part}"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    rows = [
        row(7, 1, "exams_part10.hdf5", death="False", timey="3.5"),
        row(5, 1, "exams_part2.hdf5", af="True"),
        row(9, 2, "exams_part2.hdf5", death="True", timey="0.25"),
        row(3, "", "exams_part2.hdf5"),
    ]
    (root / "exams.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    write_part(root / "exams_part2.hdf5", [9, 3, 5, 0])  # the database fills up a part with exam 0
    write_part(root / "exams_part10.hdf5", [7])
    return root


def ingest(root: Path, folder: Path, workers: int = 1) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Index and ingest; checks that each row of the index is a record or a dropped one."""
    write_index(folder / "c.parquet", open_source(config_of(root)).pieces())
    output = folder / "out" / "000.npy"
    run_ingest(config_of(root), folder / "c.parquet", 0, 1, output, workers)
    table = pd.read_parquet(output.with_suffix(".parquet"))
    ledger = pd.read_parquet(output.with_suffix(".ledger.parquet"))
    dropped = ledger[ledger.action == "dropped"]
    index = pd.read_parquet(folder / "c.parquet")
    assert sorted([*table.record_id, *dropped.record_id]) == sorted(index.record_id)
    return np.load(output), table, dropped


def test_a_withheld_age_is_90_as_in_every_source(database: Path):
    exams = database / "exams.csv"
    exams.write_text(exams.read_text().replace("7,50,True", "7,300,True", 1))
    index = source(database).index().set_index("record_id")
    assert index.age["c/7"] == 90


# ---- the genuine exams -------------------------------------------------------------------------------------------


def test_genuine_exams(real_data: Path):
    adapter = source(real_data / "code-15")
    index = adapter.index()
    # by part 0, 1, 12 and by row; `exams.csv` has another order
    assert index.record_id.tolist() == ["c/795649", "c/2657522", "c/358121", "c/2969044"]
    assert index.patient_id.tolist() == ["c/618483", "c/1266252", "c/1295924", "c/918688"]
    assert index.age.tolist() == [75, 35, 54, 47]
    assert index.sex.tolist() == ["male", "male", "male", "female"]
    assert index["path"].tolist()[3] == "exams_part12.hdf5#2969044"
    codes = [[code["code"] for code in row] for row in index.codes]
    assert codes == [["ST"], ["SB"], ["RBBB"], ["ST"]]
    assert index["native.timey"].tolist() == ["1.208218", "7.257528", "3.846572", "6.410954"]
    records = [adapter.read(path) for path in index.path]
    assert [len(record.signal) for record in records] == [2934, 2934, 2934, 4096]
    assert {record.sampling_rate for record in records} == {400.0}
    assert all(record.leads == LEADS for record in records)
    # largest amplitudes in mV, of which the one above 10 would be 11 V or 11 uV in another unit
    peaks = [float(np.abs(record.signal).max()) for record in records]
    assert peaks == pytest.approx([3.013016, 5.921736, 11.477791, 5.587218], abs=1e-6)


def test_genuine_samples_are_those_of_the_file(real_data: Path):
    with h5py.File(real_data / "code-15/exams_part12.hdf5") as file:
        expected = file["tracings"][0]
    record = source(real_data / "code-15").read("exams_part12.hdf5#358121")
    np.testing.assert_array_equal(record.signal, expected[581:3515].astype(np.float64))  # padded with 581 rows each
    assert not expected[:581].any()
    assert not expected[3515:].any()


def test_genuine_leads_follow_einthoven(real_data: Path):
    """Which shows that the columns are I II III aVR aVL aVF; within a step or two of the recorder."""
    record = source(real_data / "code-15").read("exams_part12.hdf5#2969044").standard()  # up to 5.6 mV
    lead = dict(zip(LEADS, record.signal.T, strict=True))
    np.testing.assert_allclose(lead["III"], lead["II"] - lead["I"], atol=0.01)
    np.testing.assert_allclose(lead["aVR"], -(lead["I"] + lead["II"]) / 2, atol=0.01)
    np.testing.assert_allclose(lead["aVL"], lead["I"] - lead["II"] / 2, atol=0.01)
    np.testing.assert_allclose(lead["aVF"], lead["II"] - lead["I"] / 2, atol=0.01)


# ---- index and samples of known exams ----------------------------------------------------------------------------


def test_index_follows_the_parts(database: Path, caplog: pytest.LogCaptureFixture):
    index = source(database).index()
    assert index.path.tolist() == [
        "exams_part2.hdf5#9", "exams_part2.hdf5#3", "exams_part2.hdf5#5", "exams_part10.hdf5#7"
    ]  # fmt: skip
    assert index.patient_id.tolist() == ["c/2", "c/3", "c/1", "c/1"]  # 3 has no patient: its own
    assert [[code["code"] for code in row] for row in index.codes][2] == ["AF", "normal_ecg"]
    assert caplog.text == ""


def test_ingest_is_exact(database: Path, tmp_path: Path):
    signals, table, dropped = ingest(database, tmp_path)
    assert dropped.empty
    assert table.record_id.tolist() == ["c/9", "c/3", "c/5", "c/7"]
    for number, exam in enumerate([9, 3, 5, 7]):
        expected = np.rint(tracing_of(exam)[648:3448] * 1000)
        np.testing.assert_array_equal(signals[2800 * number : 2800 * (number + 1)], expected)
    assert (table.sampling_rate == 400).all()


def test_a_part_is_opened_once_for_many_exams(database: Path, monkeypatch: pytest.MonkeyPatch):
    opened = []
    real = h5py.File
    monkeypatch.setattr(h5py, "File", lambda path, *args, **more: opened.append(path.name) or real(path, *args, **more))
    adapter = source(database)
    index = adapter.index()
    del opened[:]
    adapter = source(database)
    for path in index.path:
        adapter.read(path)
    assert opened == ["exams_part2.hdf5", "exams_part10.hdf5"]


# ---- deaths count once -------------------------------------------------------------------------------------------


def test_follow_up_is_kept_for_the_first_exam_only(database: Path, caplog: pytest.LogCaptureFixture):
    rows = [
        row(5, 1, "exams_part2.hdf5", death="True", timey="2.5"),  # a later exam: less time to the death
        row(7, 1, "exams_part10.hdf5", death="True", timey="3.5"),
        row(9, 2, "exams_part2.hdf5", death="True", timey="0.25"),
        row(3, "", "exams_part2.hdf5", death="False", timey="1"),
    ]
    (database / "exams.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    with caplog.at_level(logging.WARNING):
        index = source(database).index().set_index("record_id")
    assert index["native.timey"].fillna("-").to_dict() == {"c/9": "0.25", "c/3": "1", "c/5": "-", "c/7": "3.5"}
    assert index["native.death"].fillna("-").to_dict() == {"c/9": "True", "c/3": "False", "c/5": "-", "c/7": "True"}
    assert "death and timey of 1 exams are left out" in caplog.text


def test_follow_up_of_equal_length_is_that_of_the_smallest_id(database: Path):
    rows = [row(exam, 1, "exams_part2.hdf5", death="True", timey="2.5") for exam in (9, 3, 5)]
    (database / "exams.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    index = source(database).index().set_index("record_id")
    assert index["native.timey"].fillna("-").to_dict() == {"c/9": "-", "c/3": "2.5", "c/5": "-"}


# ---- files that are not what they should be: a ledger row each, never a lost row ---------------------------------


def _truncate(root: Path) -> None:
    content = (root / "exams_part2.hdf5").read_bytes()
    (root / "exams_part2.hdf5").write_bytes(content[: len(content) // 2])


def _rewrite(root: Path, **datasets: object) -> None:
    """A part 2 with other data sets."""
    with h5py.File(root / "exams_part2.hdf5", "w") as file:
        for name, content in datasets.items():
            file[name] = content


def _outside(root: Path) -> None:
    write_part(root.parent / "elsewhere.hdf5", [9, 3, 5])


def _external_link(root: Path) -> None:
    _outside(root)
    exams = np.array([9, 3, 5])
    _rewrite(root, exam_id=exams, tracings=h5py.ExternalLink(str(root.parent / "elsewhere.hdf5"), "/tracings"))


def _external_storage(root: Path) -> None:
    (root.parent / "raw.bin").write_bytes(bytes(3 * 4096 * 12 * 4))
    with h5py.File(root / "exams_part2.hdf5", "w") as file:
        file["exam_id"] = np.array([9, 3, 5])
        raw = [(str(root.parent / "raw.bin"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("tracings", (3, 4096, 12), np.float32, external=raw)


def _virtual(root: Path) -> None:
    _outside(root)
    layout = h5py.VirtualLayout((3, 4096, 12), np.float32)
    layout[:] = h5py.VirtualSource(str(root.parent / "elsewhere.hdf5"), "tracings", (3, 4096, 12))
    with h5py.File(root / "exams_part2.hdf5", "w") as file:
        file["exam_id"] = np.array([9, 3, 5])
        file.create_virtual_dataset("tracings", layout)


def _claims(root: Path) -> None:
    """A small file that claims a trillion exams."""
    with h5py.File(root / "exams_part2.hdf5", "w") as file:
        file.create_dataset("exam_id", (10**12,), np.int64, chunks=(1024,))
        file.create_dataset("tracings", (10**12, 4096, 12), np.float32, chunks=(1, 4096, 12))


def _big_chunks(root: Path) -> None:
    with h5py.File(root / "exams_part2.hdf5", "w") as file:
        file["exam_id"] = np.array([9, 3, 5])
        file.create_dataset("tracings", (3, 4096, 12), np.float32, maxshape=(None, 4096, 12), chunks=(2000, 4096, 12))


def _symlink(root: Path) -> None:
    _outside(root)
    (root / "exams_part2.hdf5").unlink()
    (root / "exams_part2.hdf5").symlink_to(root.parent / "elsewhere.hdf5")


def _groups(root: Path) -> None:
    with h5py.File(root / "exams_part2.hdf5", "w") as file:
        file.create_group("tracings")
        file.create_group("exam_id")


THREE = np.stack([tracing_of(exam) for exam in (9, 3, 5)])
FAULTS = {
    "missing": (lambda root: (root / "exams_part2.hdf5").unlink(), "signal_missing"),
    "truncated": (_truncate, "signal_unreadable"),
    "empty": (lambda root: (root / "exams_part2.hdf5").write_bytes(b""), "signal_unreadable"),
    "no HDF5": (lambda root: (root / "exams_part2.hdf5").write_bytes(b"PK\x03\x04" * 999), "signal_unreadable"),
    "no exam_id": (lambda root: _rewrite(root, tracings=THREE), "signal_unreadable"),
    "groups": (_groups, "signal_unreadable"),
    "text": (lambda root: _rewrite(root, exam_id=np.array([9, 3, 5]), tracings=["a", "b", "c"]), "signal_unreadable"),
    "8 leads": (lambda root: _rewrite(root, exam_id=np.array([9, 3, 5]), tracings=THREE[:, :, :8]), "signal_unreadable"),
    "two ids": (lambda root: _rewrite(root, exam_id=np.array([9, 3]), tracings=THREE), "signal_unreadable"),
    "external link": (_external_link, "signal_unreadable"),
    "external storage": (_external_storage, "signal_unreadable"),
    "virtual": (_virtual, "signal_unreadable"),
    "claims": (_claims, "signal_unreadable"),
    "big chunks": (_big_chunks, "signal_unreadable"),
    "symlink": (_symlink, "path_outside_root"),
    "other exams": (lambda root: write_part(root / "exams_part2.hdf5", [70, 80, 90]), "exam_missing"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_part_costs_its_exams_and_no_other(
    database: Path, tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
):
    damage, reason = FAULTS[fault]
    damage(database)
    with caplog.at_level(logging.WARNING):
        _, table, dropped = ingest(database, tmp_path)
    assert table.record_id.tolist() == ["c/7"]
    assert sorted(dropped.record_id) == ["c/3", "c/5", "c/9"]
    assert set(dropped.reason) == {reason}
    assert dropped.detail.str.contains(r"exams_part2\.hdf5").all()
    assert "exams_part2.hdf5" in caplog.text  # at the index already


@pytest.mark.parametrize("part", ["../../x.hdf5", "/etc/x.hdf5", "a\\b.hdf5"])
def test_a_part_outside_the_root_is_not_opened(
    database: Path, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
):
    text = (database / "exams.csv").read_text()
    (database / "exams.csv").write_text(text.replace("exams_part10.hdf5", part))
    opened = []
    real = h5py.File
    monkeypatch.setattr(h5py, "File", lambda path, *args, **more: opened.append(path.name) or real(path, *args, **more))
    _, table, dropped = ingest(database, tmp_path)
    assert sorted(table.record_id) == ["c/3", "c/5", "c/9"]
    assert dropped[["record_id", "reason"]].values.tolist() == [["c/7", "path_outside_root"]]
    assert set(opened) == {"exams_part2.hdf5"}


def test_exam_twice_in_its_part_is_refused(database: Path, tmp_path: Path):
    write_part(database / "exams_part2.hdf5", [9, 3, 5, 9])
    _, table, dropped = ingest(database, tmp_path)
    assert table.record_id.tolist() == ["c/3", "c/5", "c/7"]
    assert dropped[["record_id", "reason"]].values.tolist() == [["c/9", "exam_repeated"]]


def test_exam_in_two_parts_is_read_from_the_one_of_the_table(
    database: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with h5py.File(database / "exams_part10.hdf5", "w") as file:
        file["exam_id"] = np.array([7, 9])
        file["tracings"] = np.stack([tracing_of(7), tracing_of(7)])
    with caplog.at_level(logging.WARNING):
        signals, _, dropped = ingest(database, tmp_path)
    assert dropped.empty
    np.testing.assert_array_equal(signals[:2800], np.rint(tracing_of(9)[648:3448] * 1000))
    assert "exams_part10.hdf5 holds 1 exams that exams.csv does not place there, such as 9" in caplog.text


@pytest.mark.parametrize(
    "path", ["exams_part2.hdf5", "exams_part2.hdf5#", "exams_part2.hdf5#x", "exams_part2.hdf5#1.0"]
)
def test_path_without_exam(database: Path, path: str):
    with pytest.raises(RecordError, match=r"exam_missing.*FILE\.hdf5#EXAM_ID"):
        source(database).read(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("exam_id", "id", r"exams\.csv: column 'exam_id' is missing"),
        ("timey", "time", r"exams\.csv: column 'timey' is missing"),
        ("7,50", "x,50", r"exams\.csv: row 2: exam_id must be a whole number, found 'x'"),
        ("7,50,True", "7,-1,True", r"row 2: age must be an age in years, found '-1'"),
        ("7,50,True", "7,400,True", r"row 2: age must be an age in years, found '400'"),
        ("7,50,True", "7,50,male", r"row 2: is_male must be True or False, found 'male'"),
        ("False,False,True,1,", "False,False,yes,1,", r"row 3: AF must be True or False, found 'yes'"),
        ("exams_part10.hdf5", "", r"row 2: trace_file is empty"),
        ("\n7,", "\n5,", r"5 stands twice"),
    ],
)
def test_broken_table_is_one_clear_line(database: Path, old: str, new: str, message: str):
    text = (database / "exams.csv").read_text()
    assert old in text
    (database / "exams.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        source(database).index()
