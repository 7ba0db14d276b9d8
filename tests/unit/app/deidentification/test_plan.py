"""Whose recordings are, and what is let through, before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecglfm.app.deidentification.cleaning import Names
from ecglfm.app.deidentification.plan import Plan, make_plan, persons
from ecglfm.app.deidentification.secret import Secret
from ecglfm.config import UserError
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.sources.wfdb_reader.files import write_record


def record(folder: Path, name: str, *comments: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder, name, np.ones((4, 1), np.int16), leads=("I",), gain=200, sampling_rate=500, comments=comments)


def plan(folder: Path) -> Plan:
    columns = {"pid": "patient", "file": "path", "who": "name"}
    rules = DeidentificationRules.model_validate({"columns": columns})
    return make_plan(folder, Names(rules, Secret(b"k" * 32)), workers=1)


def test_a_file_says_whose_it_is_before_a_table_does(tmp_path: Path) -> None:
    record(tmp_path / "x", "own", "Patient ID: 007")
    record(tmp_path / "x", "listed")
    record(tmp_path / "x", "named")
    record(tmp_path / "x", "twice")
    record(tmp_path / "y", "twice")
    (tmp_path / "t.csv").write_text("pid,file\n8,x/own\n8,x/listed.hea\n9,named\n9,twice\n")
    found = plan(tmp_path)
    assert found.people == {
        "x/own": "7", "x/listed": "8", "x/named": "9", "x/twice": "recording x/twice", "y/twice": "recording y/twice",
    }  # fmt: skip
    find = persons(found)
    assert [find(path) for path in ("x/own.dat", "listed", "twice", "no/such")] == [
        "7", "8", "recording twice", "recording no/such",
    ]  # fmt: skip


def test_a_table_beside_its_records(tmp_path: Path) -> None:
    record(tmp_path / "x", "a")
    record(tmp_path / "y", "a")
    (tmp_path / "y" / "t.csv").write_text("pid,file\n8,a\n")
    assert plan(tmp_path).people == {"x/a": "recording x/a", "y/a": "8"}


def test_segments_are_of_the_patient_of_their_record(tmp_path: Path) -> None:
    record(tmp_path, "s1")
    record(tmp_path, "s2")
    (tmp_path / "all.hea").write_text("all/2 1 500 8\ns1 4\ns2 4\n#Patient ID: 5\n")
    assert plan(tmp_path).people == {"all": "5", "s1": "5", "s2": "5"}
    (tmp_path / "all.hea").write_text("all/2 1 500 8\ns1 4\ns2 4\n")
    assert set(plan(tmp_path).people.values()) == {"recording all"}


def test_tables_that_disagree(tmp_path: Path) -> None:
    record(tmp_path, "a")
    (tmp_path / "t.csv").write_text("pid,file\n8,a\n8.0,a\n")
    assert plan(tmp_path).people == {"a": "8"}
    (tmp_path / "u.csv").write_text("pid,file\n9,a\n")
    with pytest.raises(UserError, match=r"u\.csv: a: tables name two patients for this recording"):
        plan(tmp_path)


def test_names_and_ids_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("pid,who\n48151623,Ann Marsh\n12,Lee Ng\n")
    found = plan(tmp_path)
    assert found.everybody == {"48151623", "marsh"}
    assert found.known == {"48151623", "ann", "marsh", "annmarsh", "lee", "leeng"}
    assert found.short == 1  # 12; of `Lee Ng` the one is long enough
