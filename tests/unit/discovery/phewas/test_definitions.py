"""Phenotypes of ICD codes: cases, controls and those who are neither."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.phewas.definitions import from_codes, read_definitions

YAML = """\
atrial fibrillation: {include: [I48], exclude: [I47, I49], chapter: circulatory}
ovarian cyst: {include: [N83.2], chapter: genitourinary, sex: female}
"""


def test_cases_controls_and_neither(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(YAML)
    codes = pd.DataFrame(
        {"patient_id": ["a", "a", "b", "c", "d", "e"], "code": ["I48.1", "I49", "i47.2", "I4", "N832", "N83.29"]}
    )
    people = pd.DataFrame({"patient_id": list("abcdef"), "sex": ["male"] * 4 + ["female"] * 2})
    found = from_codes(codes, people, read_definitions(tmp_path / "d.yaml"))
    assert list(found.index) == list("abcdef")
    expected = [1, np.nan, 0, 0, 0, 0]  # a case with an excluded code is a case; I4 is no code of I48
    np.testing.assert_array_equal(found["atrial fibrillation"], expected)
    np.testing.assert_array_equal(found["ovarian cyst"], [np.nan] * 4 + [1, 0])


def test_a_table_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(YAML)
    (tmp_path / "d.tsv").write_text(
        "phenotype\tinclude\texclude\tchapter\tsex\n"
        "atrial fibrillation\tI48\tI47 I49\tcirculatory\t\n"
        "ovarian cyst\tN83.2\t\tgenitourinary\tfemale\n"
    )
    assert read_definitions(tmp_path / "d.tsv") == read_definitions(tmp_path / "d.yaml")


def test_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("af: {includes: [I48]}\n")
    with pytest.raises(UserError, match="d.yaml: af: includes: .*include"):
        read_definitions(tmp_path / "d.yaml")
    (tmp_path / "d.tsv").write_text("phenotype\tinclude\naf\tI48\naf\tI48\n")
    with pytest.raises(UserError, match="'af' stands twice"):
        read_definitions(tmp_path / "d.tsv")
