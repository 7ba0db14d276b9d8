"""Tables: a rule for every column, and each row with its own person's shift."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ecglfm.app.deidentification.cleaning import Cleaner, Names
from ecglfm.app.deidentification.secret import Secret
from ecglfm.app.deidentification.table import Columns, linked, pieces
from ecglfm.config import UserError
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.records import RecordError

SECRET = Secret(b"k" * 32)


def cleaner(columns: dict[str, str], **more: object) -> Cleaner:
    return Cleaner(Names(DeidentificationRules.model_validate({"columns": columns} | more), SECRET))


def write(folder: Path, text: str) -> Path:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return folder / "t.csv"


def result(path: Path, one: Cleaner) -> list[dict[str, str]]:
    columns = Columns(path, one)
    return [
        row for frame, _ in pieces(columns, one, lambda path: f"recording {path}") for row in frame.to_dict("records")
    ]


def test_each_rule(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "pid;visit;file;when;day;born;age;days;who;note;sex;x\n"
        "007;12;a/b_hr;2020-03-01 09:15;01.03.2020;1930-01-01;90.2;33000;Ann;fine;F;1\n"
        "7.0;13;;2020-03-31 09:15;31.03.2020;;45.5;400;;;M;\n",
    )
    one = cleaner({"pid": "patient", "visit": "id", "file": "path", "when": "date", "day": "date %d.%m.%Y", "born": "birth",
                   "age": "age", "days": "age days", "who": "name", "note": "text", "sex": "keep", "x": "drop"})  # fmt: skip
    first, second = result(path, one)
    assert list(first) == ["pid", "visit", "file", "when", "day", "age", "days", "sex"]
    assert first["pid"] == second["pid"] == SECRET.pseudonym("7")
    assert (first["visit"], first["file"]) == (SECRET.pseudonym("12"), f"{SECRET.name('a')}/{SECRET.name('b_hr')}")
    assert (first["age"], second["age"], first["days"], second["days"]) == ("90", "45.5", "32872", "400")
    days = SECRET.days("7", 365)
    for row, day in ((first, 1), (second, 31)):
        earlier = datetime.date(2020, 3, day) - datetime.timedelta(days)
        assert (row["when"], row["day"]) == (f"{earlier} 09:15", f"{earlier:%d.%m.%Y}")
    assert (first["sex"], second["file"]) == ("F", "")
    assert [str(value) for kind, value in one.removed if kind == "name"] == ["Ann"]


def test_columns_without_a_rule_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, "pid,surprise,another\n1,2,3\n")
    with pytest.raises(UserError, match="no rule for 2 columns: 'surprise', 'another'"):
        Columns(path, cleaner({"pid": "patient"}))


def test_dates_need_somebody_whose_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "a,when\n1,2020-01-01\n")
    with pytest.raises(UserError, match="0 columns have the rule `patient`"):
        Columns(path, cleaner({"a": "keep", "when": "date"}))
    by_record = write(tmp_path, "file,when\nr1,2020-03-01\n")
    earlier = result(by_record, cleaner({"file": "path", "when": "date"}, shift_days=1))
    assert earlier[0]["when"] == "2020-02-29"


def test_rows_of_nobody_known_have_shifts_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, "pid,when\n" + ",2020-03-01\n" * 20)
    assert len({row["when"] for row in result(path, cleaner({"pid": "patient", "when": "date"}))}) > 10


def test_a_cell_that_is_not_what_its_rule_says_names_its_row(tmp_path: Path) -> None:
    path = write(tmp_path, "pid,when\n1,2020-01-01\n2,last spring\n")
    with pytest.raises(RecordError, match="row 3: when is not what its rule `date` reads"):
        result(path, cleaner({"pid": "patient", "when": "date"}))


def test_a_text_is_kept_less_what_its_row_says(tmp_path: Path) -> None:
    path = write(tmp_path, "pid,who,note\n1,Ann Marsh,Mrs Marsh is well since 3 May 2020\n2,Bo Reed,Marsh land\n")
    found = result(path, cleaner({"pid": "patient", "who": "name", "note": "text"}, text="keep"))
    assert [row["note"] for row in found] == ["Mrs [removed] is well since [date]", "Marsh land"]


def test_whose_recordings_are(tmp_path: Path) -> None:
    path = write(tmp_path, "pid,file\n1,a\nunknown,b\n,c\n2,\n")
    one = cleaner({"pid": "patient", "file": "path"})
    assert list(linked(Columns(path, one), one)) == [("a", "1")]
