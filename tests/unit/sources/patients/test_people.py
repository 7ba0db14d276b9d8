"""Tables of people: mistakes are named with file and row; the join itself stands in `test_cardiosoft_xml.py`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.sources.patients.people import People


def people(folder: Path, text: str, **columns: str) -> People:
    (folder / "p.csv").write_text(text)
    return People(folder / "p.csv", columns)  # type: ignore[arg-type]


def test_one_age_for_every_instance(tmp_path: Path):
    known = people(tmp_path, "patient_id,age,sex\nA,61.5,F\nB,300,\n")
    found = known.of(pd.Series(["B", "A", None, "C"]), pd.Series(["2", None, "3", "2"]))
    assert found["age"].fillna(-1).tolist() == [90, 61.5, -1, -1]
    assert found["sex"].fillna("-").tolist() == ["-", "female", "-", "-"]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("eid,age\n1,5\n", {}, "lacks the column|no column|patient_id"),
        (
            "eid,age\n1,5\n1,6\n",
            {"patient_id": "eid"},
            "row 3: this person stands in an earlier row already, found '1'",
        ),
        ("eid,age\n,5\n", {"patient_id": "eid"}, "row 2: eid is empty"),
        ("eid,age\n1,old\n", {"patient_id": "eid"}, "row 2: age must be a number, found 'old'"),
        ("eid,sex\n1,0\n", {"patient_id": "eid"}, "row 2: sex must be male or female, M or F, found '0'"),
        ("eid,sex\n1,F\n", {"patient_id": "eid", "sex": "gender"}, "gender"),
        (
            "eid,a_2\n1,5\n",
            {"patient_id": "eid", "age": "a_i{instance}"},
            r"no column 'a_i\{instance\}'; the file has: eid, a_2",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, columns: dict, said: str):
    with pytest.raises(UserError, match=said):
        people(tmp_path, text, **columns)
