"""CSV files: strictly rectangular, in UTF-8, and rows counted as a spreadsheet counts them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.sources.tables.csv_table import number_column, read_table


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a,b\n1,2\n\n3,\n", {"a": ["1", "3"], "b": ["2", "-"]}),
        ("\ufeffa, b \r\n01,NA\r\n\r\n", {"a": ["01"], "b": ["NA"]}),
        ('"a",b,\n"x\n,y","",z\n', {"a": ["x\n,y"], "b": ["-"], "Unnamed: 2": ["z"]}),
        ("a\n1\n", {"a": ["1"]}),
        ("a,b", {"a": [], "b": []}),
        ("a,b\n" + "x" * 300_000 + ",1\n", {"a": ["x" * 300_000], "b": ["1"]}),
    ],
)
def test_cells_are_text(tmp_path: Path, content: str, columns: dict[str, list[str]]):
    frame = read_table(written(tmp_path, content), [])
    assert frame.fillna("-").to_dict("list") == columns


def test_genuine_tables_are_read_as_pandas_reads_them(real_data: Path):
    paths = sorted(real_data.rglob("*.csv"))
    assert len(paths) >= 5
    for path in paths:
        expected = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        pd.testing.assert_frame_equal(read_table(path, []), expected.rename(columns=str.strip), obj=str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2,\n3,4,\n", "row 2 has 3 cells, the header has 2"),  # trailing commas: pandas shifts the columns
        ("a,b,c\n1,2,3\n\n1,2\n", "row 4 has 2 cells, the header has 3"),
        ('a,b\n"1\n",2\n5\n', "row 3 has 1 cells, the header has 2"),
        ("age,age\n1,2\n", "column 'age' stands twice"),
        ("age, age\n1,2\n", "column 'age' stands twice"),
        ("", "not a readable CSV"),
        (b"a,b\n\xff,2\n", "not a readable CSV"),
        (b"a\xff,b\n1,2\n", "it is not in UTF-8; save it as `CSV UTF-8`"),
        (b"\x1f\x8b\x08\x00" + bytes(range(255)), "not a readable CSV"),
        ("b,c\n1,2\n", "column 'a' is missing; the file has: b, c"),
    ],
)
def test_what_is_no_table_is_one_clear_line(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(UserError, match=message) as error:
        read_table(written(tmp_path, content), ["a"])
    assert len(str(error.value).splitlines()) == 1


def test_a_folder_is_no_table(tmp_path: Path):
    with pytest.raises(UserError, match="not a readable CSV"):
        read_table(tmp_path, [])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x", "row 6: n must be a whole number, found 'x'"),
        ("1.5", "row 6: n must be a whole number, found '1.5'"),
        ("inf", "row 6: n must be a whole number, found 'inf'"),
        ("-3", "row 6: n must be from 0 to 9007199254740991, found '-3'"),
        ("1e30", "row 6: n must be from 0 to 9007199254740991, found '1e30'"),
        ("9007199254740993", "row 6: n must be from 0 to 9007199254740991, found '9007199254740993'"),  # not a float64
    ],
)
def test_whole_numbers(tmp_path: Path, cell: str, message: str):
    path = written(tmp_path, f'n,text\n\n1,"two\nlines"\n\n,x\n{cell},x\n7.0,x\n')
    with pytest.raises(UserError, match=message):
        number_column(read_table(path, []), "n", path, integer=True)


def test_numbers(tmp_path: Path):
    path = written(tmp_path, "n,m\n 1.5 ,\n-2e3,\n ,\n")
    assert number_column(read_table(path, []), "n", path).fillna(9).tolist() == [1.5, -2000, 9]
    with pytest.raises(UserError, match="row 4: n must be a number, found ' '"):
        number_column(read_table(path, []), "n", path, required=True)


def test_a_table_that_is_not_there_is_looked_for_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "recordings.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=r"/recording\.csv: no such file; did you mean 'recordings\.csv'\?$"):
        read_table(tmp_path / "recording.csv", [])
    with pytest.raises(UserError, match=r"/exams\.csv: no such file; is `root` the folder that holds it\?$"):
        read_table(tmp_path / "exams.csv", [])


def test_a_cell_of_a_million_letters_is_shown_in_part(tmp_path: Path):
    path = written(tmp_path, f"a\n{'x' * 10**6}\n")
    with pytest.raises(UserError, match=r"row 2: a must be a number, found 'x{199}…$"):
        number_column(read_table(path, []), "a", path)
