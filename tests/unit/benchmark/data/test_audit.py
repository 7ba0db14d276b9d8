"""The benchmark of the audit finds what it planted."""

from __future__ import annotations

import re

import pytest

from ecglfm.benchmark.data.copies import WAYS
from ecglfm.cli import main


@pytest.mark.slow
def test_audit_benchmark_finds_what_it_planted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "audit", "--records", "40", "--copies", "1", "--workers", "1"]) == 0
    first, *ways, patients, others = capsys.readouterr().out.splitlines()
    records, seconds, rate = re.findall(r"audit, (\d+) records, 1 processes: ([\d.]+) s \((\d+) records/s\)", first)[0]
    assert int(records) == 40 + len(WAYS)
    assert float(rate) == pytest.approx(int(records) / float(seconds), rel=0.05, abs=1)
    found = dict(line.removeprefix("copies, ").split(": ") for line in ways)
    assert list(found) == list(WAYS)
    by_chance = {"steps of 100 uV", "clock 1 % fast"}  # docs/performance-notes.md
    assert {way: found[way] for way in WAYS if way not in by_chance} == dict.fromkeys(
        WAYS.keys() - by_chance, "1 of 1 found"
    )
    assert (patients, others) == ("pairs of two recordings of one patient: 0", "pairs of two patients: 0")
