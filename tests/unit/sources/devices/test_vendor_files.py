"""A folder of files of several devices: index, ingest, and what is left out."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.sources import open_source
from ecglfm.sources.base import write_index
from tests.unit.sources import vendor_file
from tests.unit.sources.cardiosoft_file import cardiosoft, strip
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm
from tests.unit.sources.vendor_file import wave

STEPS = wave()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ward")
    (root / "b").mkdir()
    for name, content in {
        "1.dcm": vendor_file.dicom([vendor_file.group(STEPS)]),
        "1.xml": vendor_file.aecg(STEPS),
        "b/2": vendor_file.scp(STEPS),
        "b/10.xml": muse(rhythm({lead: [100, -100] * 10 for lead in EIGHT})),
        "broken.scp": vendor_file.scp(STEPS)[:200],
        "night.bdf": b"\xffBIOSEMI" + bytes(300),
        "letter.pdf": b"%PDF-1.7\n",
        "notes.txt": b"nothing",
        "ages.csv": b"path,age,patient_id\n1.dcm,70,\nb/2,,Q1\nnight.bdf,50,\n",
    }.items():
        (root / name).write_bytes(content)
    return root


def slice_of(root: Path, **more: object) -> SourceSlice:
    return SourceSlice(source="w", config=SourceConfig(kind="vendor_files", root=str(root), **more))


def test_a_mixed_folder_to_records_and_ledger(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        write_index(tmp_path / "w.parquet", open_source(slice_of(folder)).pieces())
    index = pd.read_parquet(tmp_path / "w.parquet").set_index("path")
    assert index.index.tolist() == ["1.dcm", "1.xml", "b/2", "b/10.xml", "broken.scp", "night.bdf"]
    assert index["native.format"].tolist()[:4] == ["DICOM", "HL7 aECG", "SCP-ECG", "GE MUSE XML"]
    assert index.loc["1.dcm", ["patient_id", "age", "sex"]].tolist() == ["w/P7", 61, "male"]
    assert index.loc["1.xml", "record_id"] == "w/1.xml"  # another than w/1.dcm
    assert "3 files are no recordings and are not used" in caplog.text
    assert "1 a PDF" in caplog.text
    assert "2 files cannot be read, the first: broken.scp: signal_unreadable" in caplog.text
    run_ingest(slice_of(folder), tmp_path / "w.parquet", 0, 1, tmp_path / "0.npy")
    records = pd.read_parquet(tmp_path / "0.parquet").set_index("record_id")
    ledger = pd.read_parquet(tmp_path / "0.ledger.parquet")
    dropped = ledger[ledger.action == "dropped"].set_index("record_id").reason
    assert dropped.to_dict() == {"w/broken.scp": "signal_unreadable", "w/night.bdf": "format_unsupported"}
    assert sorted([*records.index, *dropped.index]) == sorted(index.record_id)
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy")[:20], STEPS * 5)


def test_xml_of_ge_says_when_and_what_it_measured_as_other_files_do(tmp_path: Path) -> None:
    """Of a mixed folder these were empty: whoever sorts recordings by date had those of other makers alone."""
    (tmp_path / "muse.xml").write_bytes(muse(rhythm({lead: [100, -100] * 10 for lead in EIGHT})))
    when = {"Year": "2019", "Month": "10", "Day": "9", "Hour": "12", "Minute": "39", "Second": "11"}
    (tmp_path / "soft.xml").write_bytes(cardiosoft(strip({"I": [1, 2]}), when=when))
    index = open_source(slice_of(tmp_path)).index().set_index("path").filter(like="native.")
    assert index.loc["muse.xml"].dropna().to_dict() == {
        "native.format": "GE MUSE XML", "native.acquired": "08-17-2020 09:15:11", "native.heart_rate": "72",
        "native.qt_interval": "398",
    }  # fmt: skip
    assert index.loc["soft.xml"].dropna().to_dict() == {
        "native.format": "GE CardioSoft XML", "native.acquired": "2019-10-09 12:39:11", "native.model": "CardioSoft",
        "native.heart_rate": "60", "native.pr_interval": "140", "native.qrs_duration": "94",
        "native.qt_interval": "400",
    }  # fmt: skip


def test_a_table_says_more_and_names_the_recordings(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = open_source(slice_of(folder, table="ages.csv")).index().set_index("path")
    assert index["age"].to_dict() == {"1.dcm": 70, "b/2": 61, "night.bdf": 50}
    assert index["patient_id"].to_dict() == {"1.dcm": "w/P7", "b/2": "w/Q1", "night.bdf": "w/night.bdf"}
    assert "3 files are in no row of it and are not used, the first: 1.xml" in caplog.text


def test_without_the_extra_or_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no recording in it; is `root` the right folder"):
        open_source(slice_of(tmp_path)).index()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        UserError, match=r"source w: `kind: vendor_files` needs pydicom: pip install 'ecglfm\[formats\]'"
    ):
        open_source(slice_of(tmp_path))
