"""Which recordings are meant by what a person names, and how they are read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ecglfm.app.prediction.recordings import FromFiles, FromSource
from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.records import RecordError
from ecglfm.sources.wfdb_reader.files import write_record
from tests.unit.sources import vendor_file
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import muse, rhythm


def write(folder: Path, name: str, leads: tuple[str, ...] = tuple(LEADS)) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    samples = np.arange(500 * len(leads), dtype=np.int16).reshape(500, len(leads))
    write_record(folder, name, samples, leads=leads, gain=1000.0, sampling_rate=500)
    return str(folder / name)


def names(*named: Path | str, **options: object) -> list[str]:
    return [recording.name for recording in FromFiles(**options).find(named)]  # type: ignore[arg-type]


def test_a_folder_stands_for_every_recording_below_it_in_natural_order(tmp_path: Path) -> None:
    made = [write(tmp_path / "a", "r2"), write(tmp_path / "a", "r10"), write(tmp_path / "b/c", "x")]
    (tmp_path / "b/y.xml").write_bytes(muse(rhythm({key: [1, 2] for key in EIGHT})))
    (tmp_path / "b/notes.txt").write_text("no recording")
    assert names(tmp_path) == [*made, str(tmp_path / "b/y.xml")]


def test_files_of_one_record_are_one_recording(tmp_path: Path) -> None:
    path = write(tmp_path, "r1")
    assert names(f"{path}.dat", path, f"{path}.hea", tmp_path) == [path]


def test_every_exam_of_a_part_is_a_recording(real_data: Path) -> None:
    part = real_data / "code-15/exams_part0.hdf5"
    assert names(part) == [f"{part}#795649"]
    assert len(names(part.parent)) == 4  # in three parts
    assert names(f"{part}#795649") == [f"{part}#795649"]


def test_a_damaged_part_among_others_is_one_recording_that_cannot_be_read(tmp_path: Path) -> None:
    made, damaged = write(tmp_path, "r1"), tmp_path / "part.hdf5"
    damaged.write_bytes(b"not HDF5")
    assert names(tmp_path) == [made, str(damaged)]
    with pytest.raises(RecordError, match=r"signal_unreadable: part\.hdf5: .*signature"):
        FromFiles().read(str(damaged))
    with pytest.raises(UserError, match=r"part\.hdf5: .*signature"):  # who names it alone is told at once
        names(damaged)


def test_a_file_of_a_muse_says_whose_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_bytes(muse(rhythm({key: [1, 2] for key in EIGHT})))
    reader = FromFiles()
    (recording,) = reader.find([tmp_path / "x.xml"])
    assert recording.patient_id is None
    assert reader.patient(recording.path) == "P1"
    assert reader.patient(write(tmp_path, "r1")) is None


def test_files_of_devices_are_found_by_their_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = write(tmp_path, "r1")
    for name, content in {
        "IM0001": vendor_file.dicom([vendor_file.group(vendor_file.wave())]),
        "r1.scp": vendor_file.scp(vendor_file.wave()),  # beside the record r1, and another
        "damaged.xml": b"<",
        "letter.pdf": b"%PDF-1.7",
        "notes.txt": b"no recording",
    }.items():
        (tmp_path / name).write_bytes(content)
    found = names(tmp_path)
    assert found == [made, *(str(tmp_path / name) for name in ("IM0001", "damaged.xml", "r1.scp"))]
    assert "1 file is no recording and is not read: 1 a PDF" in caplog.text
    reader = FromFiles()
    assert [reader.read(path).sampling_rate for path in (found[1], found[3])] == [500, 500]
    assert [reader.patient(path) for path in (found[0], found[1], found[3])] == [None, "P7", "P7"]
    assert reader.origin(found[3]) == ("P7", datetime(2011, 2, 3, 4, 5, 6))


def test_leads_are_named_as_a_person_says(tmp_path: Path) -> None:
    path = write(tmp_path, "r1", ("I", "II", "C1"))
    assert FromFiles(leads={"C1": "V1"}).read(path).leads == ("I", "II", "V1")
    assert FromFiles(file_leads=["V4", "V5", "V6"]).read(path).leads == ("V4", "V5", "V6")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none: no such file or folder, nor a WFDB record"),
        ("empty", r"empty: no recording in it; looked for \*.hea"),
        (
            "list.CSV",
            r"list\.CSV: a table, no recording: name the recordings' files or their folder; .* --source takes",
        ),
    ],
)
def test_nothing_there_is_one_sentence(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.CSV").write_text("path\na\n")
    with pytest.raises(UserError, match=message):
        FromFiles().find([tmp_path / name])


def test_a_database_by_its_table(tmp_path: Path) -> None:
    write(tmp_path / "db", "a")
    (tmp_path / "db/t.csv").write_text("path,patient_id\na,7\n")
    config = SourceConfig(kind="wfdb_folder", root=str(tmp_path / "db"), table="t.csv")
    reader = FromSource(SourceSlice(source="lab", config=config))
    assert reader.find() == [("lab/a", "lab/7", "a", None)]
    assert vars(reader) == {"slice": reader.slice}  # nothing opened: it goes to worker processes
    assert reader.read("a").signal[1, 0] == pytest.approx(0.012)


def test_whose_and_when_by_a_database_of_device_files(tmp_path: Path) -> None:
    """The day is first in both dates, as it must be in one; a word over an id is nobody's, who has no earlier ones."""
    for name, day, patient in (("a", "25-12-2019", "P1"), ("b", "05-03-2020", "ANONYMOUS")):
        content = muse("").replace(b">P1<", f">{patient}<".encode()).replace(b"08-17-2020", day.encode())
        (tmp_path / f"{name}.xml").write_bytes(content)
    reader = FromSource(SourceSlice(source="m", config=SourceConfig(kind="muse_xml", root=str(tmp_path))))
    assert reader.find() == [
        ("m/a", "m/P1", "a.xml", datetime(2019, 12, 25, 9, 15, 11)),
        ("m/b", None, "b.xml", datetime(2020, 3, 5, 9, 15, 11)),
    ]
