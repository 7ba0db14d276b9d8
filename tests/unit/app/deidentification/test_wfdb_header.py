"""WFDB headers: written anew, and signal files of which every byte is described."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecglfm.app.deidentification import wfdb_header
from ecglfm.app.deidentification.cleaning import Cleaner, Names
from ecglfm.app.deidentification.secret import Secret
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.records import RecordError
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.files import write_record

SECRET = Secret(b"k" * 32)


def cleaner(**rules: object) -> Cleaner:
    return Cleaner(Names(DeidentificationRules.model_validate(rules), SECRET), person="p")


def write(folder: Path, start: str = "", comments: tuple[str, ...] = (), lead: str = "II") -> Path:
    write_record(folder, "a", np.arange(40, dtype=np.int16).reshape(20, 2), leads=("I", lead), gain=200, sampling_rate=500,
                 start=start, comments=comments)  # fmt: skip
    return folder


def cleaned(folder: Path, one: Cleaner) -> list[str]:
    return wfdb_header.cleaned(wfdb_header.read(Root(folder), "a"), "a", one).decode().splitlines()


def test_lines_keep_what_header5_defines(tmp_path: Path) -> None:
    name = SECRET.name("a")
    write(
        tmp_path, "09:15:11 01/03/2020 ward_7", ("Age: >89", "Sex: M", "Dx: 59118001,164889003", "Rx: Aspirin", "hello")
    )
    one = cleaner(shift_days=1, time="hour")
    before = (tmp_path / "a.hea").read_text().splitlines()
    assert cleaned(tmp_path, one) == [
        f"{name} 2 500 20 09:00:00 29/02/2020",
        *(line.replace("a.dat", f"{name}.dat") for line in before[1:3]),
        "#Age: 90", "#Sex: M", "#Dx: 59118001,164889003",
    ]  # fmt: skip
    assert sorted(kind for kind, _ in one.removed) == ["age", "date", "date", "date", "text", "text"]


def test_comments_go_by_rule(tmp_path: Path) -> None:
    write(tmp_path, comments=("Hospital no: 007", "Filter: 50 Hz", "Ward: 7", "Seen: 2020-03-01", "note by Dr Quack"))
    one = cleaner(comments={"hospital no": "patient", "filter": "keep", "seen": "date"}, shift_days=1)
    assert wfdb_header.patient_of(wfdb_header.read(Root(tmp_path), "a"), one) == "007"
    assert cleaned(tmp_path, one)[3:] == [
        f"#Hospital no: {SECRET.pseudonym('7')}",
        "#Filter: 50 Hz",
        "#Seen: 2020-02-29",
    ]


def test_names_of_people_are_no_leads(tmp_path: Path) -> None:
    write(tmp_path, lead="Otto")
    with pytest.raises(RecordError, match=r"is 'Otto' a lead\? `leads: \[Otto\]`"):
        cleaned(tmp_path, cleaner())
    assert cleaned(tmp_path, cleaner(leads=["Otto"]))[2].endswith(" Otto")


def test_units_are_known_ones(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "a.hea").write_text((tmp_path / "a.hea").read_text().replace("(0)/mV", "(0)/Otto"))
    with pytest.raises(RecordError, match="'Otto' is no unit"):
        cleaned(tmp_path, cleaner())


def test_segments_get_the_names_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "a.hea").write_text("a/3 2 500 50\nseg1 20\n~ 10\nseg2 20\n# Age: 44\n")
    one, two = SECRET.name("seg1"), SECRET.name("seg2")
    assert cleaned(tmp_path, cleaner()) == [
        f"{SECRET.name('a')}/3 2 500 50",
        f"{one} 20",
        "~ 10",
        f"{two} 20",
        "#Age: 44",
    ]


def test_a_record_line_with_another_name(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "a.hea").write_text(
        (tmp_path / "a.hea").read_text().replace("a 2 500 20", "a.mat 2 500 20 05-May-2020 14:50:55")
    )
    assert cleaned(tmp_path, cleaner(shift_days=1))[0] == f"{SECRET.name('a')} 2 500 20 14:50:55 04/05/2020"


def test_a_name_with_spaces(tmp_path: Path) -> None:
    write_record(tmp_path, "b c", np.zeros((5, 1), np.int16) + 3, leads=("I",), gain=200, sampling_rate=500)
    found = wfdb_header.cleaned(wfdb_header.read(Root(tmp_path), "b c"), "b c", cleaner()).decode().splitlines()
    assert found[1] == f"{SECRET.name('b c')}.dat 16 200.0(0)/mV 16 0 3 15 0 I"


MATLAB = struct.pack("<5i", 30, 2, 20, 0, 4) + b"val\0"


@pytest.mark.parametrize(
    ("change", "offset", "message"),
    [
        (lambda content: content, 0, None),
        (lambda content: content + b"\0\0", 0, None),
        (lambda content: content + b"Otto Meier", 0, "90 bytes, of which the header describes 80"),
        (lambda content: MATLAB + content, 24, None),
        (lambda content: b"Otto Meier, 24 February." + content, 24, "24 bytes before the samples"),
        (lambda content: content[:-2], 0, "truncated|holds|bytes|samples"),
    ],
)
def test_every_byte_of_a_signal_file_is_described(
    tmp_path: Path, change: Callable[[bytes], bytes], offset: int, message: str | None
) -> None:
    write(tmp_path)
    (tmp_path / "a.dat").write_bytes(change((tmp_path / "a.dat").read_bytes()))
    if offset:
        (tmp_path / "a.hea").write_text((tmp_path / "a.hea").read_text().replace("a.dat 16 ", f"a.dat 16+{offset} "))
    found = wfdb_header.read(Root(tmp_path), "a")
    if message is None:
        wfdb_header.check_signals(Root(tmp_path), "a", found)
        return
    with pytest.raises(RecordError, match=message):
        wfdb_header.check_signals(Root(tmp_path), "a", found)


def test_what_looks_like_the_key_of_a_text_is_text(tmp_path: Path) -> None:
    write(tmp_path, comments=("Report 07 03 1931 Nr 48151623: stable", "Report: calm", "Remark no: 5"))
    one = cleaner(text="keep", comments={"remark no": "keep"})
    assert cleaned(tmp_path, one)[3:] == ["#Report [date] Nr [removed]: stable", "#Report: calm", "#Remark no: 5"]
