"""Headers of WFDB records as header(5) has them, and one reason for every fault."""

from __future__ import annotations

import pytest

from ecglfm.records import RecordError
from ecglfm.sources.wfdb_reader.header import parse_header


def test_missing_optional_fields_have_the_defaults_of_the_manual():
    header = parse_header("a 2\na.dat 16\na.dat 16 0/uV\n", "a")
    first, second = header.signals
    assert (header.sampling_rate, header.n_samples) == (250.0, None)
    assert (*first.stored[4:], first.initial, first.checksum) == (200.0, 0, "mV", 1.0, None, None)
    assert first.name == "record a, signal 0"
    assert (second.stored.gain, second.stored.unit_mv) == (200.0, 1e-3)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("a.dat 16+24 1000/mV 16 0 1 2 0 II", "offset", 24),
        ("a.dat 16x1+24 1000.0(0)/mV 16 0 1 2 0 II", "offset", 24),
        ("a.dat 16x2:3+24 1000 16 0 1 2 0 II", "skew", 3),
        ("a.dat 16x2:3+24 1000 16 0 1 2 0 II", "samples_per_frame", 2),
        ("a.dat 16 1716(6)/mV 0 0 -120 -32198 0 i", "baseline", 6),
        ("a.dat 16 200 11 1024 1 2 0 II", "baseline", 1024),
        ("a.dat 16 1e3/MV", "gain", 1000.0),
        ("a.dat 16 1000/mv", "unit_mv", 1.0),
        ("a.dat 16 1/uV", "unit_mv", 1e-3),
        ("a.dat 16 1/µV", "unit_mv", 1e-3),
        ("a.dat 16 1/V", "unit_mv", 1e3),
        ("a.dat 16 200 16 0 1 2 0 lead II, left", "name", "lead II, left"),
    ],
)  # fmt: skip
def test_signal_line(line: str, field: str, value: object):
    signal = parse_header(f"a 1 500 10\n{line}\n", "a").signals[0]
    assert (signal._asdict() | signal.stored._asdict())[field] == value


@pytest.mark.parametrize("end", ["05-May-2020 14:50:55", "08:44:00 23/07/2180", ""])
def test_record_line_ends_with_any_date(end: str):
    header = parse_header(f"a 1 500/1000(0) 5000 {end}\r\n# <age>: 51\r\na.dat 16\r\n", "a")
    assert (header.sampling_rate, header.n_samples, header.comments) == (500.0, 5000, ("<age>: 51",))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "header_empty"),
        ("\n# only a comment\n", "header_empty"),
        ("a twelve 500 5000\n", "header_invalid"),
        ("a 2 500 10\na.dat 16\n", "header_invalid"),
        ("a 1 500 10\na.dat 16\na.dat 16\n", "header_invalid"),
        ("a 0 500 10\n", "header_invalid"),
        ("a 1 0 10\na.dat 16\n", "header_invalid"),
        ("a 1 -500 10\na.dat 16\n", "header_invalid"),
        ("a 1 500 10\na.dat sixteen\n", "header_invalid"),
        ("a 1 500 10\na.dat 16 1000 II\n", "header_invalid"),
        ("a 1 500 10\na.dat 16 nan/mV\n", "header_invalid"),
        ("a 1 500 10\n../../etc/passwd 16\n", "path_outside_root"),
        ("a 1 500 10\n/etc/passwd 16\n", "path_outside_root"),
        ("a 1 500 10\n.. 16\n", "path_outside_root"),
        ("a 1 500 10\nsub/a.dat 16\n", "path_outside_root"),
        ("a 1 500 10\n..\\a.dat 16\n", "path_outside_root"),
        ("a 1 500 10\n- 16\n", "path_outside_root"),
        ("a/2 1 500 10\nb 5\n../b 5\n", "path_outside_root"),
        ("a/2 1 500 10\nb 5\ns3://b 5\n", "path_outside_root"),
    ],
)
def test_header_faults(text: str, reason: str):
    with pytest.raises(RecordError) as error:
        parse_header(text, "a")
    assert error.value.reason == reason
