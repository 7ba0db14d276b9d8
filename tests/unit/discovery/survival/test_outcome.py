"""Follow-up of people, by id, and mistakes in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.discovery.survival.outcome import read_outcome

PEOPLE = pd.DataFrame({"patient_id": ["c/1", "c/2", "c/3"], "record_id": ["c/7", "c/9", "c/5"]})


def index(folder: Path, **columns: list[str | None]) -> Path:
    path = folder / "code15.parquet"
    pd.DataFrame(
        {"record_id": ["c/5", "c/7", "c/8", "c/9"], **{f"native.{k}": v for k, v in columns.items()}}
    ).to_parquet(path)
    return path


def test_code15_has_follow_up_at_the_first_exam_alone(tmp_path: Path):
    """c/8 is a first exam of c/2, whose c/9 was chosen: time would run from another day."""
    path = index(tmp_path, death=["True", "False", "True", None], timey=["0.25", "3.5", "2.5", None])
    other = tmp_path / "other.parquet"
    pd.DataFrame({"record_id": ["o/1"]}).to_parquet(other)  # a database without follow-up
    found = read_outcome(PEOPLE, "timey", "death", index=[other, path])
    assert found["time"].fillna(-1).tolist() == [3.5, -1, 0.25]
    assert found["event"].fillna(-1).tolist() == [0, -1, 1]


def test_times_of_nothing_are_no_follow_up(tmp_path: Path):
    path = index(tmp_path, death=["True", "False", "True", "1"], timey=["0", "3.5", "2.5", "-1"])
    assert read_outcome(PEOPLE, "timey", "death", index=[path])["time"].notna().tolist() == [True, False, False]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_table_of_ones_own_by_patient(tmp_path: Path, ending: str):
    table = pd.DataFrame({"patient_id": ["c/3", "c/1"], "years": [2.0, 4.0], "dead": [1, 0]})
    path = tmp_path / f"outcome.{ending}"
    if ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="," if ending == "csv" else "\t", index=False)
    found = read_outcome(PEOPLE, "years", "dead", table=path)
    assert found["time"].fillna(-1).tolist() == [4, -1, 2]
    assert found["event"].fillna(-1).tolist() == [0, -1, 1]


def test_mistakes_are_named(tmp_path: Path):
    path = index(tmp_path, death=["True"] * 4, timey=["1"] * 4)
    with pytest.raises(UserError, match="no database has the columns 'years' and 'death'"):
        read_outcome(PEOPLE, "years", "death", index=[path])
    nobody = index(tmp_path, death=[None, None, "True", None], timey=["1"] * 4)
    with pytest.raises(UserError, match=r"of 3 people nobody has .*`features.record` is `first`"):
        read_outcome(PEOPLE, "timey", "death", index=[nobody])
    table = tmp_path / "t.csv"
    for text, what in (("patient_id,t,e\nc/1,1,1\nc/1,2,0\n", "c/1 is there twice"),
                       ("patient_id,t,e\nc/1,1,perhaps\n", "e is 'perhaps'; write 1 or 0"),
                       ("patient,t,e\nc/1,1,1\n", "no column record_id or patient_id"),
                       ("patient_id,t\nc/1,1\n", "no column e; it has patient_id, t")):  # fmt: skip
        table.write_text(text)
        with pytest.raises(UserError, match=what):
            read_outcome(PEOPLE, "t", "e", table=table)
    with pytest.raises(UserError, match="no such file"):
        read_outcome(PEOPLE, "t", "e", table=tmp_path / "absent.csv")


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("content", [b"", b"a,b\n1,2,3\n4\t5\n1,2,3,4\t6\t7\n", b"\xff\xfe\x00\x81,\n"])
def test_what_is_no_table_is_one_line(tmp_path: Path, ending: str, content: bytes):
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"t.{ending}: not a table: ") as said:
        read_outcome(PEOPLE, "t", "e", table=path)
    assert "\n" not in str(said.value)


def test_event_is_yes_or_no_in_any_words(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("record_id,t,e\nc/7,1,TRUE\nc/9,1,0.0\nc/5,1,\n")
    assert np.array_equal(read_outcome(PEOPLE, "t", "e", table=path)["event"], [1, 0, np.nan], equal_nan=True)
