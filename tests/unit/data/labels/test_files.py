"""Label files of the user's own: by record, by patient, by a native id, and fairseq-signals' arrays."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LabelFile, SourceConfig, SourceSlice, TaskConfig, TaskSlice, UserError
from ecglfm.config.sources import PatientIds
from ecglfm.data import tables
from ecglfm.data.labels.files import FileTable
from ecglfm.data.labels.labels import run_labels
from ecglfm.sources.base import patient_ids, write_index

INDEX = pd.DataFrame(
    {
        "record_id": ["s/1", "s/2", "s/3", "s/4"],
        "source": "s",
        "patient_id": ["s/10", "s/10", "s/11", "s/4"],
        "path": "",
        "age": 50.0,
        "sex": "male",
        "fold": pd.array([1] * 4, dtype="Int64"),
        "codes": [[] for _ in range(4)],
        "report": "",
        "native.study": ["901", "902", "903", None],
    }
)


@pytest.fixture
def run(tmp_path: Path):
    """Labels of a task whose selector reads the file `own.csv`; all records are in the training split."""
    INDEX.to_parquet(tmp_path / "s.parquet", index=False)
    INDEX[["record_id", "source", "patient_id"]].assign(split="train").to_parquet(tmp_path / "records.parquet")

    def run(text: str, selector: dict, file: dict | None = None, **config) -> dict[str, float]:
        (tmp_path / "own.csv").write_text(text)
        selector = selector | {"file": {"path": "own.csv"} | (file or {})}
        content = {"kind": "binary", "labels": {"x": {"wfdb_folder": selector}}} | config
        task = TaskConfig.model_validate(content).located(tmp_path)
        slice_ = TaskSlice(task="t", config=task, kinds={"s": "wfdb_folder"})
        run_labels(slice_, tmp_path / "records.parquet", [tmp_path / "s.parquet"], tmp_path / "t.parquet")
        table = pd.read_parquet(tmp_path / "t.parquet").set_index("record_id")
        return dict(table.iloc[:, 3].items())

    return run


def test_by_record_with_or_without_the_sources_name(run):
    text = "record_id,grade\n3.0,II\ns/1,I\n2,II\n"
    assert run(text, {"column": {"grade": ["ii"]}}) == {"s/1": 0, "s/2": 1, "s/3": 1, "s/4": 0}
    ignore = run(text, {"column": {"grade": ["ii"]}}, missing="ignore")
    assert ignore == {"s/1": 0, "s/2": 1, "s/3": 1}  # nothing is known of 4


def test_by_patient_by_a_native_id_and_under_another_name(run):
    text = "patient_id,lvef\n10,35\n11,60\n4,\n"
    by_patient = run(text, {"where": "lvef < 40"}, {"by": "patient_id"})
    assert by_patient == {"s/1": 1, "s/2": 1, "s/3": 0, "s/4": 0}
    by_study = run("id;x,lvef\n902,12.5\n901,13\n", {"value": "lvef"}, {"by": "study", "id": "id;x"}, kind="regression")
    assert by_study == {"s/1": 13, "s/2": 12.5}


def test_by_patient_as_the_index_took_the_ids(tmp_path: Path):
    """With `normalise: number` 0010 and 10.0 are the index's 10; `b/0010` is of another source; by record nothing changes."""
    (tmp_path / "own.csv").write_text("patient_id,lvef\n0010,35\ns/011.0,60\nb/004,1\n +4,70\n")
    file = LabelFile(path=str(tmp_path / "own.csv"), by="patient_id")
    as_numbers = FileTable(file, ["lvef"], "s", ["s", "b"], PatientIds(normalise="number"))
    assert as_numbers.rows(INDEX, "patient_id")["lvef"].tolist() == ["35", "35", "60", "70"]
    assert FileTable(file, ["lvef"], "s", ["s", "b"]).rows(INDEX, "patient_id")["lvef"].isna().all()
    (tmp_path / "own.csv").write_text("record_id,lvef\n001,1\n")
    by_record = FileTable(LabelFile(path=file.path), ["lvef"], "s", (), PatientIds(normalise="number"))
    assert by_record.rows(INDEX, "record_id")["lvef"].isna().all()


def test_an_id_that_two_sources_have_is_told_and_one_with_a_name_before_it_is_not(run, tmp_path, caplog):
    other = INDEX.assign(record_id=["b/1", "b/2", "b/5", "b/6"], source="b", patient_id=["b/1", "b/2", "b/5", "b/6"])
    other.to_parquet(tmp_path / "b.parquet", index=False)
    both = pd.concat([other, INDEX])[["record_id", "source", "patient_id"]].assign(split="train")
    both.to_parquet(tmp_path / "records.parquet", index=False)
    (tmp_path / "own.csv").write_text("record_id,grade\n1,II\ns/2,I\n3,I\nb/5,II\n")
    selector = {"column": {"grade": ["II"]}, "file": {"path": "own.csv"}}
    task = TaskConfig.model_validate({"kind": "binary", "labels": {"x": {"wfdb_folder": selector}}}).located(tmp_path)
    slice_ = TaskSlice(task="t", config=task, kinds=dict.fromkeys("sb", "wfdb_folder"))
    paths = [tmp_path / "s.parquet", tmp_path / "b.parquet"]
    run_labels(slice_, tmp_path / "records.parquet", paths, tmp_path / "t.parquet")
    found = pd.read_parquet(tmp_path / "t.parquet").set_index("record_id")["label.x"]
    assert found[found == 1].index.tolist() == ["b/1", "b/5", "s/1"]
    told = [r.message.partition("own.csv")[2] for r in caplog.records if "for both" in r.message]
    assert told == [
        ": 1 id is a record_id of both s and b and taken for both, such as 1; where one of them is meant, write its"
        " name before it: s/1"
    ]


@pytest.mark.parametrize("listed", ["10", "s/10", "muse/10"])
def test_by_patient_where_they_are_another_sources(tmp_path: Path, listed: str):
    """Neither is it an ambiguous id that both sources have, for it is one person's."""
    (tmp_path / "own.csv").write_text(f"patient_id,lvef\n{listed},35\n")
    index = INDEX.assign(patient_id=["muse/10", "muse/10", "muse/11", "s/4"])
    file = LabelFile(path=str(tmp_path / "own.csv"), by="patient_id")
    table = FileTable(file, ["lvef"], "s", ["s", "muse"], PatientIds(of="muse"))
    assert table.rows(index, "patient_id")["lvef"].fillna("").tolist() == ["35", "35", "", ""]
    assert table.bare().tolist() == []


def test_an_index_tells_how_it_took_the_ids(tmp_path: Path):
    """A number in the table, in the file with zeros: both are patient 7."""
    config = SourceConfig(kind="wfdb_folder", root=str(tmp_path), patient_id={"normalise": "number"})
    index = INDEX.assign(patient_id=pd.Series(["s/007", "s/7", "s/8", "s/9"], dtype="string"))
    write_index(tmp_path / "s.parquet", [index], slice_=SourceSlice(source="s", config=config))
    assert patient_ids(tmp_path / "s.parquet") == PatientIds(normalise="number")
    made = pd.read_parquet(tmp_path / "s.parquet")
    made[["record_id", "source", "patient_id"]].assign(split="train").to_parquet(tmp_path / "records.parquet")
    (tmp_path / "own.csv").write_text("patient_id,ill\n007,1\n008,0\n9,0\n")
    selector = {"column": {"ill": ["1"]}, "file": {"path": "own.csv", "by": "patient_id"}}
    task = TaskConfig.model_validate({"kind": "binary", "labels": {"x": {"wfdb_folder": selector}}}).located(tmp_path)
    slice_ = TaskSlice(task="t", config=task, kinds={"s": "wfdb_folder"})
    run_labels(slice_, tmp_path / "records.parquet", [tmp_path / "s.parquet"], tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["label.x"].tolist() == [1, 1, 0, 0]


def test_survival_from_a_file(run, tmp_path):
    text = "patient_id,days,died\n10,12,1\n11,30,0\n"
    times = run(text, {"time": "days", "event": "died"}, {"by": "patient_id"}, kind="survival")
    assert times == {"s/1": 12, "s/2": 12, "s/3": 30}
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert table["event.x"].tolist() == [1, 1, 0]


def test_survival_by_dates_is_counted_from_each_recording(run, tmp_path, caplog):
    """Patient 10 has two recordings, a year apart; the event lies between those of 11 and 4."""
    made = ["2019-06-01 12:00:00", "2020-05-31 12:00:00", "2019-03-05 12:00:00", "2021-03-05 12:00:00"]
    INDEX.assign(**{"native.acquired": made}).to_parquet(tmp_path / "s.parquet", index=False)
    dated = {"since": "acquired", "time": "last", "event": "stroke"}
    text = "patient_id,last,stroke\n10,1.1.2024,2021-05-31\n11,5.3.2020,\n4,5.3.2022,2021-03-05\n"
    times = run(text, dated, {"by": "patient_id"}, kind="survival")
    days = {"s/1": 729.5, "s/2": 364.5, "s/3": 365.5}
    assert times == {record: pytest.approx(number / 365.25) for record, number in days.items()}
    assert pd.read_parquet(tmp_path / "t.parquet")["event.x"].tolist() == [1, 1, 0]
    ledger = pd.read_parquet(tmp_path / "t.ledger.parquet")
    assert ledger[["record_id", "reason"]].values.tolist() == [["s/4", "time_not_positive"]]  # it had come that day
    text = "patient_id,until,how\n10,2021-05-31,dead\n11,,dead\n4,2022-03-05,alive\n"
    told = dated | {"time": "until", "event": "how == 'dead'"}
    assert run(text, told, {"by": "patient_id"}, kind="survival") == {
        "s/1": pytest.approx(729.5 / 365.25), "s/2": pytest.approx(364.5 / 365.25),
        "s/4": pytest.approx(364.5 / 365.25),
    }  # fmt: skip
    assert "share with another" not in caplog.text
    with pytest.raises(
        UserError, match=r"own.csv: row 2: last must be a date such as .*, found '03/05/2020'; leave the"
    ):
        run("patient_id,last,stroke\n10,03/05/2020,\n", dated, {"by": "patient_id"}, kind="survival")
    with pytest.raises(
        UserError, match=r"row 2: stroke must be a date .*, found '0'; .* write a condition instead: `C"
    ):
        run("patient_id,last,stroke\n10,2020-05-03,0\n", dated, {"by": "patient_id"}, kind="survival")


def test_who_dies_first_has_no_event_until_follow_up_ends(run, tmp_path):
    """10 dies without a stroke, 11 after one, of 4 nothing was heard since; all would be followed until one day."""
    made = ["2019-06-01 12:00:00", "2020-05-31 12:00:00", "2019-03-05 12:00:00", "2020-03-05 12:00:00"]
    INDEX.assign(**{"native.acquired": made}).to_parquet(tmp_path / "s.parquet", index=False)
    dated = {"since": "acquired", "time": "last", "event": "stroke", "competing": "death"}
    text = (
        "patient_id,last,stroke,death,closed,how\n10,2020-07-01,,2020-07-01,2021-05-31,dead\n"
        "11,2020-07-01,2020-03-05,2020-07-01,2021-05-31,dead\n4,2021-03-05,,,2021-05-31,alive\n"
    )
    days = {"s/1": 729.5, "s/2": 364.5, "s/3": 365.5, "s/4": 364.5}
    expected = {record: pytest.approx(number / 365.25) for record, number in days.items()}
    for written in (dated, dated | {"competing": "how == 'dead'"}):
        for end in ("closed", "2021-05-31"):
            asked = written | {"follow_up_end": end}
            assert run(text, asked, {"by": "patient_id"}, kind="survival") == expected
            assert pd.read_parquet(tmp_path / "t.parquet")["event.x"].tolist() == [0, 0, 1, 0]
    with pytest.raises(UserError, match="closing"):
        run(text, dated | {"follow_up_end": "closing"}, {"by": "patient_id"}, kind="survival")
    # known not to have come within 1.9 years of the first recording, of whom only the death within the first is known
    asked = dated | {"follow_up_end": "closed", "within": 1.9}
    assert run(text, asked, {"by": "patient_id"}) == {"s/1": 0, "s/3": 1}


def test_who_dies_first_where_times_are_numbers(run, tmp_path, caplog):
    text = "record_id,years,ill,dead,end\n1,2,1,1,9\n2,2,0,1,9\n3,2,0,0,9\n4,2,0,,9\n"
    asked = {"time": "years", "event": "ill", "competing": "dead"}
    caplog.set_level(logging.INFO, "ecglfm")
    for end in ("end", 9):
        assert run(text, asked | {"follow_up_end": end}, kind="survival") == {"s/1": 2, "s/2": 9, "s/3": 2}
        assert pd.read_parquet(tmp_path / "t.parquet")["event.x"].tolist() == [1, 0, 0]
    ledger = pd.read_parquet(tmp_path / "t.ledger.parquet")
    assert ledger[["record_id", "reason"]].values.tolist() == [["s/4", "label_unknown"]]  # whether dead
    assert "task 't': labels.x.wfdb_folder: 1 recording had a competing event first" in caplog.text


def test_who_dies_first_is_followed_as_those_who_were_lost_later(run, tmp_path, monkeypatch):
    """Of the others one is lost at 3 and one seen until 7: a death at 2 ends at either, a death at 5 at 7."""
    asked = {"time": "years", "event": "ill", "competing": "dead", "among": "record_id != 's/9'"}
    text = "record_id,years,ill,dead\n1,2,0,1\n2,3,0,0\n3,7,1,0\n4,5,0,1\n"
    found = run(text, asked, kind="survival")
    monkeypatch.setattr(tables, "ROWS_TOGETHER", 1)
    assert run(text, asked, kind="survival") == found
    assert found.pop("s/1") in (3, 7)
    assert found == {"s/2": 3, "s/3": 7, "s/4": 7}
    assert pd.read_parquet(tmp_path / "t.parquet")["event.x"].tolist() == [0, 0, 1, 0]


def test_an_event_within_a_time_is_a_label(run, tmp_path):
    """By hand, of two years: came, had not come, not looked for so long, had it before."""
    text = "record_id,years,died\n1,2,1\n2,2,0\n3,1.9,0\n4,-1,1\n"
    asked = {"time": "years", "event": "died", "within": 2}
    assert run(text, asked) == {"s/1": 1, "s/2": 0}
    ledger = pd.read_parquet(tmp_path / "t.ledger.parquet")
    assert ledger[["record_id", "reason"]].values.tolist() == [["s/3", "label_unknown"], ["s/4", "label_unknown"]]
    later = "record_id,years,died\n1,2.1,1\n2,1,1\n3,,1\n4,0,0\n"
    assert run(later, asked) == {"s/1": 0, "s/2": 1}
    assert run(later, asked, missing="ignore") == {"s/1": 0, "s/2": 1}


def test_days_and_months_of_recordings_have_one_order_in_all_pieces(run, tmp_path, monkeypatch):
    """The second piece by itself would be of April and May."""
    monkeypatch.setattr(tables, "ROWS_TOGETHER", 2)
    made = ["17/03/2020", "18/03/2020", "04/05/2020", "05/05/2020"]
    INDEX.assign(**{"native.acquired": made}).to_parquet(tmp_path / "s.parquet", index=False)
    dated = {"since": "acquired", "time": "last", "event": "stroke"}
    times = run("patient_id,last,stroke\n10,,2021-03-17\n11,2021-05-04,\n4,2021-05-05,\n", dated, {"by": "patient_id"},
                kind="survival")  # fmt: skip
    assert times == {f"s/{n}": pytest.approx(days / 365.25) for n, days in ((1, 365), (2, 364), (3, 365), (4, 365))}


def test_a_code_of_a_missing_value_is_told_of(run, caplog):
    """A condition takes it for a number: -9 is below 40."""
    assert run("record_id,lvef\n1,60\n2,35\n3,-9\n4,\n", {"where": "lvef < 40"})["s/3"] == 1
    assert "own.csv: column 'lvef' has -9 in 1 recording, and nothing else near it: where that means" in caplog.text
    caplog.clear()
    run("record_id,lvef\n1,60\n2,35\n3,\n4,\n", {"where": "lvef < 40"})
    assert "nothing else near it" not in caplog.text


def test_one_time_for_several_recordings_of_a_patient_is_told(run, caplog):
    text = "patient_id,days,died\n10,12,1\n11,30,0\n"
    run(text, {"time": "days", "event": "died"}, {"by": "patient_id"}, kind="survival")
    assert "label 'x' has one time a patient, which 1 recording shares with another one of the same" in caplog.text


def test_repeated_ids_must_agree_and_unknown_ones_are_counted(run, caplog):
    agreeing = "record_id,grade,note\n1,II,first half\n1,II,second half\n7,I,\n8,I,\n8,I,\n"
    with caplog.at_level(logging.WARNING):
        assert run(agreeing, {"column": {"grade": ["ii"]}})["s/1"] == 1
    assert [r.message.partition("own.csv")[2] for r in caplog.records if "own.csv" in r.message] == [
        ": 2 ids are no record_id of source s, the first: 7; one of its own: s/1"
    ]
    with pytest.raises(UserError, match=r"own\.csv: '1' stands in rows 2 and 4 with different values; 1 such"):
        run("record_id,grade\n1,II\n2,I\n1,I\n", {"column": {"grade": ["ii"]}})


def test_ids_of_another_source_of_the_task_are_not_unknown(tmp_path, caplog):
    (tmp_path / "own.csv").write_text("record_id,x\ns/1,1\nr/1,0\nq/1,0\n")
    config = TaskConfig.model_validate(
        {"kind": "binary", "labels": {"x": {"ludb": {"column": {"x": ["1"]}, "file": {"path": "own.csv"}}}}}
    ).located(tmp_path)
    file = config.labels["x"]["ludb"].file
    assert file is not None
    table = FileTable(file, ["x"], "s", ["s", "r"])
    assert table.rows(INDEX, "record_id")["x"].tolist()[0] == "1"
    table.warn_unknown()
    assert [record.message.partition("the first: ")[2] for record in caplog.records] == ["q/1; one of its own: s/1"]


@pytest.mark.parametrize(
    ("text", "selector", "file", "message"),
    [
        (
            "record_id,x\n1,1\n",
            {"column": {"y": ["1"]}},
            {},
            r"own\.csv: column 'y' is not in .*there are record_id, x",
        ),
        ("record_id,x\n1,1\n", {"where": "y > 1"}, {}, r"own\.csv: there is no column 'y'"),
        ("record,x\n1,1\n", {"where": "x > 1"}, {}, r"own\.csv: column 'record_id' is missing"),
        ("record_id,x\n,1\n", {"where": "x > 1"}, {}, r"own\.csv: row 2: record_id is empty"),
        (
            f"record_id,x\n1,1\n{'2' * 10**6},1\n",
            {"where": "x > 1"},
            {},
            r"row 3: record_id is longer than 1000 char.{,250}$",
        ),
        (
            "study,x\n1,1\n",
            {"where": "x > 1"},
            {"by": "stady", "id": "study"},
            r"own\.csv: by: column 'stady' is not in",
        ),
    ],
)
def test_broken_file_is_one_clear_line(run, text, selector, file, message):
    with pytest.raises(UserError, match=message):
        run(text, selector, file)


def test_text_that_is_no_number_names_the_row_of_the_file(run):
    with pytest.raises(UserError, match=r"labels\.x\.wfdb_folder: .*own\.csv: row 4: ef must be a number, found 'low'"):
        run("record_id,ef\n1,50\n\n2,low\n", {"value": "ef"}, kind="regression")


FAIRSEQ = {"y_npy": "y.npy", "label_def": "label_def.csv"}


def test_fairseq_signals_arrays(run, tmp_path):
    np.save(tmp_path / "y.npy", np.array([[0, 1], [1, 0], [np.nan, 1]]))
    (tmp_path / "label_def.csv").write_text("name,pos_weight\nMI,1\nAFIB,7\n")
    text = "study,idx,segment\n901,2,0\n902,1,0\n902,1,1\n903,0,0\n"
    file = FAIRSEQ | {"by": "study"}
    assert run(text, {"column": {"MI": ["1"]}}, file) == {"s/1": 0, "s/2": 1, "s/3": 0, "s/4": 0}
    assert run(text, {"column": {"MI": ["1"]}}, file, missing="ignore") == {"s/2": 1, "s/3": 0}
    assert run(text, {"value": "AFIB"}, file, kind="regression") == {"s/1": 1, "s/2": 0, "s/3": 1}


@pytest.mark.parametrize(
    ("array", "text", "message"),
    [
        (np.zeros((2, 3)), "study,idx\n901,0\n", r"y\.npy: is float64 \(2, 3\), and .*label_def\.csv names 2 columns"),
        (np.zeros((2, 2)), "study,idx\n901,2\n", r"own\.csv: row 2: idx: .*y\.npy has 2 rows, found '2'"),
        (np.zeros((2, 2)), "study,idx\n901,first\n", r"own\.csv: row 2: idx must be a whole number, found 'first'"),
        (np.array([[{}, 1]], dtype=object), "study,idx\n901,0\n", r"y\.npy: not an array of numbers that can be read"),
        (np.zeros((2, 2)), "study,idx,MI\n901,0,1\n", r"label_def\.csv: 'MI' is a column of .*own\.csv, too"),
    ],
)
def test_broken_fairseq_files(run, tmp_path, array, text, message):
    np.save(tmp_path / "y.npy", array, allow_pickle=True)
    (tmp_path / "label_def.csv").write_text("name\nMI\nAFIB\n")
    with pytest.raises(UserError, match=message):
        run(text, {"column": {"AFIB": ["1"]}}, FAIRSEQ | {"by": "study"})


def test_names_of_labels_that_differ_in_blanks_alone_are_one(run, tmp_path):
    np.save(tmp_path / "y.npy", np.zeros((2, 2)))
    (tmp_path / "label_def.csv").write_text("name\nMI\nMI \n")
    with pytest.raises(UserError, match=r"label_def\.csv: row 3: a label needs a name of its own, found 'MI '"):
        run("study,idx\n901,0\n", {"column": {"MI": ["1"]}}, FAIRSEQ | {"by": "study"})


def test_paths_start_in_the_folder_of_the_config():
    selector = {"where": "x == 1", "file": {"path": "mine/a.csv"} | FAIRSEQ}
    config = TaskConfig.model_validate({"kind": "binary", "labels": {"x": {"ludb": selector}}, "exclude": {
        "ludb": {"where": "y == 1", "file": {"path": "/data/b.csv"}}}})  # fmt: skip
    assert config.located(Path("config")).files == [
        "config/mine/a.csv", "config/y.npy", "config/label_def.csv", "/data/b.csv"
    ]  # fmt: skip
