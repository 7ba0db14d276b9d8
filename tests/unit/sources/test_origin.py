"""Whose a recording is and when it was made, as files say it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from ecglfm.records import RecordError
from ecglfm.sources.origin import Origin, read_origin
from tests.unit.sources.cardiosoft_file import cardiosoft, strip
from tests.unit.sources.muse_file import muse
from tests.unit.sources.vendor_file import dicom, group, wave

NOON = datetime(2019, 3, 4, 12, 0, 5)


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("r 12 500 5000 12:00:05 04/03/2019", NOON),
        ("r 12 500 5000 4/3/2019 12:00:05.250", NOON),  # the other way round, as some databases write it
        ("r 12 500 5000 04/03/2019", datetime(2019, 3, 4)),
        ("r 12 500 5000 12:00:05", None),  # on no day
        ("r 12 500 5000 12:00:05 31/02/2019", None),
        ("r 12 500 5000", None),
    ],
)
def test_when_a_header_says_it_was_made(tmp_path: Path, line: str, when: datetime | None):
    (tmp_path / "r.hea").write_text(f"# before\n{line}\nr.dat 16 1000/mV 16 0 0 0 0 I\n")
    assert read_origin(tmp_path / "r") == read_origin(tmp_path / "r.hea") == Origin(None, when)


@pytest.mark.parametrize(
    ("comment", "patient"),
    [
        ("<subject_id>: 10000032", "10000032"),
        ("Patient ID: p-7 <age>: 3", "p-7"),
        ("patient_id=12", "12"),
        ("patient is well", None),
        ("<patient_id>: <age>: 63", None),
        ("patient id: Unknown", None),
        ("patient id: 0000", None),
    ],
)
def test_whose_a_comment_says_it_is(tmp_path: Path, comment: str, patient: str | None):
    (tmp_path / "r.hea").write_text(f"r 1 500 5000\nr.dat 16 1000/mV 16 0 0 0 0 I\n# a note\n#{comment}\n")
    assert read_origin(tmp_path / "r").patient == patient


def test_what_a_muse_file_says(tmp_path: Path):
    (tmp_path / "a.xml").write_bytes(muse(""))
    found = read_origin(tmp_path / "a.xml")
    assert found == Origin("P1", datetime(2020, 8, 17, 9, 15, 11))


@pytest.mark.parametrize("word", ["ANONYMOUS", "removed", "00000000"])
def test_a_word_in_the_place_of_an_id_is_nobody(tmp_path: Path, word: str):
    """Two people whose ids were written over are not one, whose change `predict --previous` tells."""
    (tmp_path / "a.xml").write_bytes(muse("").replace(b">P1<", f">{word}<".encode()))
    assert read_origin(tmp_path / "a.xml") == Origin(None, datetime(2020, 8, 17, 9, 15, 11))


def test_what_a_cardiosoft_file_says_whatever_its_ending(tmp_path: Path):
    when = {"Year": "2019", "Month": "10", "Day": "19", "Hour": "12", "Minute": "39", "Second": "11"}
    for name in ("a.xml", "a.ecg"):
        (tmp_path / name).write_bytes(cardiosoft("", patient="<PID>P2</PID>", when=when))
        assert read_origin(tmp_path / name) == Origin("P2", datetime(2019, 10, 19, 12, 39, 11))


def test_other_files_say_nothing_and_a_missing_one_is_an_error(tmp_path: Path):
    assert read_origin(tmp_path / "exams.hdf5#7") == Origin()
    with pytest.raises(RecordError):
        read_origin(tmp_path / "none.xml")


def test_what_files_of_devices_say(tmp_path: Path):
    (tmp_path / "r.dcm").write_bytes(dicom([group(wave())]))
    date = {"Year": "2019", "Month": "3", "Day": "4", "Hour": "12", "Minute": "0", "Second": "5"}
    content = cardiosoft(strip({"I": [1, 2]}), patient="<PID>7</PID>", when=date)
    (tmp_path / "7_20205_2_0.xml").write_bytes(content)
    (tmp_path / "r.hea").write_text("r 12 500 5000 12:00:05 04/03/2019\n")  # of another recording
    assert read_origin(tmp_path / "r.dcm") == Origin("P7", datetime(2011, 2, 3, 4, 5, 6))
    assert read_origin(tmp_path / "7_20205_2_0.xml") == Origin("7", NOON)
