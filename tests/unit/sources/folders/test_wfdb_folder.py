"""Folders of WFDB records: with a table its rows, without one every header, and what is in neither is said."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.config import LEADS, Selector, SourceConfig, SourceSlice, UserError
from ecglfm.config.documentation import TEXTS
from ecglfm.data.ingest import run_ingest
from ecglfm.data.labels.selectors import select
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.wfdb_reader.files import write_record


def config_of(root: Path, **config) -> SourceSlice:
    return SourceSlice(source="w", config=SourceConfig(kind="wfdb_folder", root=str(root), **config))


def source(root: Path, **config) -> Source:
    return open_source(config_of(root, **config))


def digital_of(seed: int, n_samples: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2000, 2000, (n_samples, 12)).astype(np.int16)


def write(root: Path, path: str, seed: int = 0, comments: tuple[str, ...] = (), n_samples: int = 100) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    digital = digital_of(seed, n_samples)
    write_record(file.parent, file.name, digital, leads=LEADS, gain=1000.0, sampling_rate=500, comments=comments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    write(root, "a/10", 10, ("Age: 61", "Sex: Female", "Dx: 59118001"))
    write(root, "a/2", 2, ("<age>: 65 <sex>: M <diagnoses> Coronary artery disease", "69 M"))
    write(root, "b", 3)
    return root


def test_every_header_is_a_record(folder: Path):
    frame = source(folder).index()
    assert frame.record_id.tolist() == ["w/a/2", "w/a/10", "w/b"]  # by number, not by letter
    assert frame.patient_id.tolist() == frame.record_id.tolist()
    assert frame.path.tolist() == ["a/2", "a/10", "b"]
    assert frame.age.fillna(-1).tolist() == [65, 61, -1]
    assert frame.sex.fillna("?").tolist() == ["male", "female", "?"]
    assert frame["native.dx"].fillna("").tolist() == ["", "59118001", ""]
    assert frame.report[1] == "Age: 61; Sex: Female; Dx: 59118001"
    # 713427006: the Challenge scores it and 59118001 as one diagnosis
    assert select(frame, Selector(snomed=["713427006"]), "here").tolist() == [False, True, False]
    np.testing.assert_array_equal(np.rint(source(folder).read("a/2").signal * 1000), digital_of(2))


def test_headers_say_whose_a_record_is_where_the_table_does_not(tmp_path: Path):
    """Two recordings of person 7 were two patients, which a split may tear."""
    for name, comment in (("1", "<subject_id>: 7"), ("2", "Patient ID: 7"), ("3", "patient_id = unknown"), ("4", "7")):
        write(tmp_path, name, comments=(comment,))
    assert source(tmp_path).index().patient_id.tolist() == ["w/7", "w/7", "w/3", "w/4"]
    (tmp_path / "t.csv").write_text("path,patient_id\n1,8\n2,\n")
    assert source(tmp_path, table="t.csv").index().patient_id.tolist() == ["w/8", "w/7"]


def test_genuine_trees(real_data: Path):
    legacy = source(real_data / "challenge-2020-legacy-headers")
    frame = legacy.index()
    assert frame.record_id.tolist() == ["w/georgia/E00271", "w/georgia/E01137"]
    assert frame.age.tolist() == [83, 64]
    raw = (real_data / "challenge-2020-legacy-headers/georgia/E00271.mat").read_bytes()[24:]
    signal = legacy.read("georgia/E00271").signal
    np.testing.assert_array_equal(np.rint(signal * 1000), np.frombuffer(raw, "<i2").reshape(5000, 12))
    assert len(source(real_data / "challenge-2021").index()) == 33
    ludb = source(real_data / "ludb").index()
    assert (ludb.age.tolist(), ludb.sex.tolist()) == ([51, 64, 53], ["female", "male", "male"])
    assert ludb.report[0].split("; ")[3] == "Rhythm: Sinus bradycardia."


def test_segments_are_no_records_of_their_own(folder: Path, tmp_path: Path):
    for k in (1, 2):
        write(folder, f"m/long_{k}", 20 + k)
    (folder / "m/long.hea").write_text("# Age: 40\nlong/2 12 500 200\nlong_1 100\nlong_2 100\n")
    config = config_of(folder)
    frame = open_source(config).index()
    assert frame.record_id.tolist() == ["w/a/2", "w/a/10", "w/b", "w/m/long"]
    assert frame.age[3] == 40
    write_index(tmp_path / "w.parquet", [frame])
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    table = pd.read_parquet(tmp_path / "out/000.parquet")
    assert table.record_id.tolist() == frame.record_id.tolist()
    assert table.n_samples.tolist() == [100, 100, 100, 200]
    long = np.load(tmp_path / "out/000.npy")[300:]
    np.testing.assert_array_equal(long[:100], digital_of(21))
    np.testing.assert_array_equal(long[100:], digital_of(22))


def capitals(folder: Path) -> None:
    """Name the files as DOS and Windows do; what their headers say stays."""
    for path in [*folder.rglob("*.hea"), *folder.rglob("*.dat")]:
        path.rename(path.with_name(path.name.upper()))


def test_files_in_capitals_are_records(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for k in (1, 2):
        write(folder, f"m/long_{k}", 20 + k)
    (folder / "m/long.hea").write_text("long/2 12 500 200\nlong_1 100\nlong_2 100\n")
    capitals(folder)
    config = config_of(folder)
    with caplog.at_level(logging.WARNING):
        frame = open_source(config).index()
    assert frame.path.tolist() == ["B", "a/2", "a/10", "m/LONG"]
    assert frame.age.fillna(-1).tolist() == [-1, 65, 61, -1]
    assert caplog.messages == []
    write_index(tmp_path / "w.parquet", [frame])
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    assert pd.read_parquet(tmp_path / "out/000.parquet").n_samples.tolist() == [100, 100, 100, 200]
    np.testing.assert_array_equal(np.load(tmp_path / "out/000.npy")[400:], digital_of(22))
    assert pd.read_parquet(tmp_path / "out/000.ledger.parquet").empty


def test_a_table_that_names_files_in_capitals(folder: Path, caplog: pytest.LogCaptureFixture):
    capitals(folder)
    (folder / "t.csv").write_text("path,sex\na/10.HEA,\nB.DAT,F\n")
    with caplog.at_level(logging.WARNING):
        frame = source(folder, table="t.csv").index()
    assert frame.path.tolist() == ["B", "a/10"]
    assert frame.sex.tolist() == ["female", "female"]  # of a/10 by its header
    assert "1 file is in no row of it and is not used, the first: a/2.hea" in caplog.text


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("all/3 12 500 300\nb 100\n~ 100\ngone 100\n", "header_missing: gone.hea"),
        ("all/2 12 500 200\nb 100\nbroken 100\n", "header_invalid: broken.hea"),
        ("all/3 12 500 300\nb 100\n", "header_invalid: all.hea announces 3 segments"),
        ("all/1 12 500 100\nall 100\n", "header_invalid: its segment all has segments itself"),
    ],
)
def test_sound_records_outlive_a_damaged_record_of_segments(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, header: str, fault: str
):
    (folder / "all.hea").write_text(header)
    (folder / "broken.hea").write_text("broken 12\n")
    config = config_of(folder)
    with caplog.at_level(logging.WARNING):
        frame = open_source(config).index()
    assert frame.record_id.tolist() == ["w/a/2", "w/a/10", "w/all", "w/b", "w/broken"]
    assert f"their segments count as records, the first: all.hea: {fault}" in caplog.text
    write_index(tmp_path / "w.parquet", [frame])
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    assert pd.read_parquet(tmp_path / "out/000.parquet").record_id.tolist() == ["w/a/2", "w/a/10", "w/b"]
    assert pd.read_parquet(tmp_path / "out/000.ledger.parquet").record_id.tolist() == ["w/all", "w/broken"]


def test_broken_headers_are_rows_and_end_in_the_ledger(folder: Path, tmp_path: Path):
    (folder / "c.hea").write_bytes(b"\xff\x00\n# Age: 1e9\n")
    (folder / "d.hea").write_text("d 12 500 100\n#Age: 50\n")
    (folder / "e.hea").write_bytes(b"#Age: 50\n" + b"#" * (1 << 20))
    (folder / "f.hea").mkdir()
    (folder / "b.dat").write_bytes((folder / "b.dat").read_bytes()[:-1])
    config = config_of(folder)
    frame = open_source(config).index()
    assert frame.record_id.tolist() == ["w/a/2", "w/a/10", "w/b", "w/c", "w/d", "w/e"]
    assert frame.age.fillna(-1).tolist() == [65, 61, -1, -1, 50, -1]
    write_index(tmp_path / "w.parquet", [frame])
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    ledger = pd.read_parquet(tmp_path / "out/000.ledger.parquet")
    assert pd.read_parquet(tmp_path / "out/000.parquet").record_id.tolist() == ["w/a/2", "w/a/10"]
    assert dict(zip(ledger.record_id, ledger.reason, strict=True)) == {
        "w/b": "signal_truncated", "w/c": "header_invalid", "w/d": "header_invalid", "w/e": "header_invalid"
    }  # fmt: skip


def test_signals_without_header_are_counted(folder: Path, caplog: pytest.LogCaptureFixture):
    for name in ("x.dat", "y.mat"):
        (folder / name).write_bytes(b"1")
    with caplog.at_level(logging.WARNING):
        assert len(source(folder).index()) == 3
    assert "2 signal files have no header of their name, the first: x" in caplog.text


def test_no_link_leads_out(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write(tmp_path / "outside", "secret", 1, ("Age: 33",))
    (folder / "away").symlink_to(tmp_path / "outside")
    (folder / "again").symlink_to(folder / "a")  # inside: what it holds is found where it lies
    (folder / "loop").symlink_to(folder)
    for ending in (".hea", ".dat"):
        (folder / f"z{ending}").symlink_to(tmp_path / f"outside/secret{ending}")
    config = config_of(folder)
    with caplog.at_level(logging.WARNING):
        frame = open_source(config).index()
    assert frame.record_id.tolist() == ["w/a/2", "w/a/10", "w/b", "w/z"]
    assert np.isnan(frame.age[3])  # the header outside is not opened
    assert "1 links lead outside" in caplog.text
    write_index(tmp_path / "w.parquet", [frame])
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    ledger = pd.read_parquet(tmp_path / "out/000.ledger.parquet")
    assert list(zip(ledger.record_id, ledger.reason, strict=True)) == [("w/z", "path_outside_root")]


def test_rows_of_a_table(folder: Path, caplog: pytest.LogCaptureFixture):
    (folder / "recordings.csv").write_text(
        "file,person,age,sex,fold,label\n"
        "a/10.hea,7,>89,M,3,yes\n"
        "./a/2.dat, 7 ,54.5,,,no\n"
        "gone.hea,unknown,300,female,1,\n"
    )  # fmt: skip
    config = config_of(folder, table="recordings.csv", columns={"path": "file", "patient_id": "person"})
    assert config.config.tables == ("recordings.csv",)  # Snakemake watches it
    with caplog.at_level(logging.WARNING):
        frame = open_source(config).index()
    assert frame.record_id.tolist() == ["w/a/2", "w/a/10", "w/gone"]
    assert frame.path.tolist() == ["a/2", "a/10", "gone"]
    assert frame.patient_id.tolist() == ["w/7", "w/7", "w/gone"]
    assert frame.age.tolist() == [54.5, 90, 90]
    assert frame.sex.tolist() == ["male", "male", "female"]  # of a/2 by its header
    # and what no table gives
    assert frame.codes.tolist() == [[], [{"code": "713427006", "likelihood": 100.0}], []]
    assert frame.report.tolist() == [
        "<age>: 65 <sex>: M <diagnoses> Coronary artery disease; 69 M", "Age: 61; Sex: Female; Dx: 59118001", ""
    ]  # fmt: skip
    assert frame["native.dx"].fillna("").tolist() == ["", "59118001", ""]
    assert frame["native.age"].tolist() == ["54.5", ">89", "300"]
    assert frame.fold.fillna(-1).tolist() == [-1, 3, 1]
    assert select(frame, Selector(column={"label": ["yes"]}), "here").tolist() == [False, True, False]
    assert "1 file is in no row of it and is not used, the first: b.hea" in caplog.text


def test_table_and_ingest_lose_no_row(folder: Path, tmp_path: Path):
    (folder / "t.csv").write_text("record_id,sex\nb,F\ngone,M\n../outside,M\n")
    config = config_of(folder, table="t.csv")
    write_index(tmp_path / "w.parquet", open_source(config).pieces())
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    ledger = pd.read_parquet(tmp_path / "out/000.ledger.parquet")
    assert pd.read_parquet(tmp_path / "out/000.parquet").record_id.tolist() == ["w/b"]
    assert dict(zip(ledger.record_id, ledger.reason, strict=True)) == {
        "w/gone": "header_missing", "w/../outside": "path_outside_root"
    }  # fmt: skip


def test_paths_as_windows_writes_them(folder: Path, tmp_path: Path):
    (folder / "t.csv").write_text("path,sex\na\\10.hea,unbekannt\na\\2,k.A.\nb,w\n")
    config = config_of(folder, table="t.csv")
    assert open_source(config).index().record_id.tolist() == ["w/a/2", "w/a/10", "w/b"]
    write_index(tmp_path / "w.parquet", open_source(config).pieces())
    run_ingest(config, tmp_path / "w.parquet", 0, 1, tmp_path / "out/000.npy")
    assert pd.read_parquet(tmp_path / "out/000.parquet").record_id.tolist() == ["w/a/2", "w/a/10", "w/b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,sex\nb,F\n", "no column 'path' that says where .*: file, sex"),
        ("path,sex\nb,F\n,M\n", "row 3: path is empty"),
        ("path,sex\nb,F\nb.hea,F\n", "row 3: this recording stands in an earlier row already, found 'b'"),
        (
            "path,sex\nb,0\n",
            "row 2: sex must be male or female, M or F or W .*, or empty where it is not stated, found '0'",
        ),
        ("path,age\nb,140\n", "row 2: age must be an age in years, with a decimal point, found '140'"),
        ("path,fold\nb,1.5\n", "row 2: fold must be a whole number"),
    ],
)
def test_a_broken_table_is_one_clear_line(folder: Path, text: str, message: str):
    (folder / "t.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        source(folder, table="t.csv").index()


def test_a_named_column_must_be_there(folder: Path):
    (folder / "t.csv").write_text("path,sex\nb,F\n")
    with pytest.raises(UserError, match="column 'years' is missing"):
        source(folder, table="t.csv", columns={"age": "years"}).index()
    with pytest.raises(UserError, match="no such file"):
        source(folder, table="none.csv").index()
    with pytest.raises(ValueError, match="`columns` names columns of `table`, which is missing"):
        config_of(folder, columns={"age": "years"})


def test_a_folder_without_records_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"no WFDB header \(.hea\) in it"):
        source(tmp_path).index()


def test_headers_written_by_wfdb(tmp_path: Path):
    wfdb.wrsamp("r1", 250, ["mV"], ["II"], p_signal=np.linspace(-1, 1, 50)[:, None], fmt=["16"], write_dir=str(tmp_path),
                comments=["age: 44 years", "sex: Male"])  # fmt: skip
    frame = source(tmp_path).index()
    assert np.isnan(frame.age[0])
    assert frame["native.age"][0] == "44 years"
    assert frame.sex[0] == "male"


def test_the_documented_example_of_a_new_kind_works(folder: Path, tmp_path: Path):
    after = TEXTS.joinpath("data.md").read_text(encoding="utf-8").split("`ecglfm/sources/databases/clips.py`\n\n")[1]
    names: dict = {}
    exec(after.partition("```python\n")[2].partition("```")[0], names)
    shutil.copytree(folder, tmp_path / "clips/wave")
    (tmp_path / "clips/clips.csv").write_text("clip,person\na/10,7\na/2,7\n")
    config = SourceConfig(kind="wfdb_folder", root=str(tmp_path / "clips"), table="clips.csv")  # for its `tables`
    clips = names["Clips"]("c", tmp_path / "clips", config)
    frame = clips.index()
    assert frame.record_id.tolist() == ["c/a/2", "c/a/10"]
    assert frame.patient_id.tolist() == ["c/7", "c/7"]
    np.testing.assert_array_equal(np.rint(clips.read(frame.path[0]).signal * 1000), digital_of(2))
