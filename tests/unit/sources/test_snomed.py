"""SNOMED CT codes as the Challenge 2021 uses them."""

from __future__ import annotations

import csv
from pathlib import Path

from ecglfm.sources.snomed import EQUIVALENT, parse_dx


def test_equivalent_codes_are_those_of_the_challenge(real_data: Path):
    path = real_data / "challenge-2021/evaluation-2021/dx_mapping_scored.csv"
    with path.open() as file:
        pairs = {
            frozenset(word.strip(".") for word in row["Notes"].split() if word.strip(".").isdigit())
            for row in csv.DictReader(file)
            if row["Notes"]
        }
    assert {frozenset(pair) for pair in EQUIVALENT.items()} == pairs


def test_codes_of_a_header_are_merged_and_stand_once() -> None:
    """RBBB (59118001) is scored as CRBBB (713427006); `Unknown` is no code."""
    codes = parse_dx(" 59118001,164889003, 713427006,,Unknown")
    assert codes == [{"code": "713427006", "likelihood": 100.0}, {"code": "164889003", "likelihood": 100.0}]
    assert parse_dx("") == []
