"""The summary counts what the manifest and the labels say, shows every reason, and stands alone."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ecglfm.cli import main
from ecglfm.config import UserError
from ecglfm.data.signals.preprocessing import QUALITY
from ecglfm.data.tables import write_pieces
from ecglfm.evaluation.report import summary
from ecglfm.evaluation.report.summary import age_figure, run_summary
from ecglfm.provenance import read_json, write_json, write_parquet
from ecglfm.records import ledger_frame


@pytest.fixture
def two(results: Path) -> Path:
    """The folder of `results` with a second source: beta, 4 records used, 2 dropped, one of gamma dropped."""
    path = results / "manifest/records.parquet"
    records = pd.read_parquet(path).assign(lead_mask=0xFFF, **dict.fromkeys(QUALITY, 0.0))
    beta = records.iloc[:4].assign(
        record_id=[f"beta/{k}" for k in range(4)],
        source="beta",
        patient_id=["beta/p0", "beta/p0", "beta/p1", "beta/p2"],
        split=pd.Series(["train", "train", "valid", None], dtype="str"),
        age=[20.0, 40.0, np.nan, 60.0],
        sex=["female", "male", None, "male"],
        n_samples=[1000, 1000, 1000, 2000],
        lead_mask=[0xFFF, 0b11, 0b11, 0xFFF],
        flat_leads=[0.0, 0.0, 0.0, 2.0],
        mains_noise=[1.0, 2.0, 3.0, np.nan],
    )
    write_parquet(path, pd.concat([records, beta], ignore_index=True))
    row = {"source": "beta", "stage": "ingest", "action": "dropped", "reason": "file_missing"}
    more = [
        row | {"record_id": "beta/8", "detail": "no <i>8.dat</i>"},
        row | {"record_id": "beta/9", "detail": "no 9.dat"},
        row | {"record_id": "gamma/1", "source": "gamma", "detail": "no 1.dat"},
        row
        | {"record_id": "beta/3", "stage": "preprocess", "action": "flagged", "reason": "flat_leads", "detail": "2"},
        # beta/8 was flagged before it was dropped: it is none of the records used
        row
        | {"record_id": "beta/8", "stage": "preprocess", "action": "flagged", "reason": "flat_leads", "detail": "3"},
    ]
    ledger = pd.concat([pd.read_parquet(results / "manifest/ledger.parquet"), ledger_frame(more)])
    write_parquet(results / "manifest/ledger.parquet", ledger)
    shared = {"records": 49, "test_records": 12, "shared_records": 0, "shared_patients": 1, "duplicates": 0}
    audit = results / "manifest/audit.json"
    write_json(audit, read_json(audit) | {"pretraining": shared})
    labels = pd.read_parquet(results / "labels/super.parquet")
    own = beta[["record_id", "patient_id", "source", "split"]].assign(
        **{"label.NORM": np.float32(1), "label.MI": np.nan}
    )
    own = own.iloc[:3].astype({"label.NORM": "float32", "label.MI": "float32"})
    write_parquet(results / "labels/super.parquet", pd.concat([labels, own], ignore_index=True))
    return results


def page_of(results: Path, tasks: list[str] | None = None) -> str:
    run_summary(results, results / "manifest/summary.html", tasks)
    return (results / "manifest/summary.html").read_text()


def words(page: str) -> str:
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_numbers_of_the_files_are_on_the_page(two: Path):
    seen = words(page_of(two))
    assert "69 raw records 64 records used 53 patients 5 records dropped 1 pair of duplicates" in seen
    alpha = "alpha 62 2 3.2 % 40 40 patients 8 8 patients 12 2 patients 0 0 patients 60 50 patients 10 s 100 Hz all 12"
    assert alpha in seen
    beta = "beta 6 2 33.3 % 2 1 patient 1 1 patient 0 0 patients 1 1 patient 4 3 patients 10 s 10 – 20 100 Hz"
    assert f"{beta} I II 2 all 12 2" in seen
    assert "gamma 1 1 100.0 % every record was dropped" in seen
    assert "Pretraining may see 49 records, of train and valid. Between them and the 12 test records there are" in seen
    assert "0 records, 1 patient and 0 pairs of duplicates in common" in seen
    # age and sex by split
    assert (
        "beta Train 2 30 (25–35) 0 1 50.0 % 1 50.0 % 0 Valid 1 – 1 0 0.0 % 0 0.0 % 1 In no split 1 60 (60–60)" in seen
    )
    # NORM: all three of beta, of one patient in train and one in valid, where alpha has four; MI is unknown there
    assert "NORM 2 4.8 % 1 patient 5 55.6 % 6 50.0 % 1 patient 10 16.7 % 3 100.0 % 0 MI" in seen
    assert "MI 0 0.0 % 0 patients 0 0.0 % 0 patients 3 25.0 % 1 patient 3 5.1 % unknown 4" in seen
    # quality of beta: three values of mains noise
    assert "mains noise, uV 2 2.9 3 1 0 0" in seen
    assert "flat leads 0 1.7 2 0 1 0" in seen


def test_what_the_index_passed_over_is_on_the_page(two: Path):
    index = pa.table({"record_id": ["alpha/1"]})
    index = index.replace_schema_metadata(
        {"warnings": '["data/a.csv: 4 headers are in no row of it, the first: <b>9.hea"]'}
    )
    (two / "index").mkdir()
    pq.write_table(index, two / "index/alpha.parquet")
    write_parquet(two / "index/beta.parquet", pd.DataFrame({"record_id": ["beta/1"]}))
    seen = words(page_of(two))
    assert "alpha : data/a.csv: 4 headers are in no row of it, the first: <b>9.hea" in seen
    assert "beta :" not in seen


def test_amplitudes_unlike_their_source_are_on_the_page(two: Path):
    audit = read_json(two / "manifest/audit.json")
    odd = {"alpha": {"median": 1.2, "odd": 2, "examples": ["alpha/1", "alpha/2"]}}
    assert "Known beforehand" not in words(page_of(two))
    known = [{"a": "alpha", "b": "beta", "why": "both have recordings of PTB-XL"}]
    write_json(two / "manifest/audit.json", audit | {"amplitude": odd, "overlaps": known})
    seen = words(page_of(two))
    assert "whatever the signals say: alpha and beta, both have recordings of PTB-XL." in seen
    assert "alpha : 2 records have an amplitude under 0.333 or over 3.5 times the source's median" in seen


def test_an_empty_split_is_said(two: Path):
    path = two / "manifest/audit.json"
    assert "No record is in" not in words(page_of(two))
    write_json(path, read_json(path) | {"unfilled": ["valid"]})
    assert "No record is in the split valid." in words(page_of(two))


def test_a_project_without_label_sets_has_its_page(two: Path):
    seen = words(page_of(two, []))
    assert "69 raw records 64 records used" in seen
    assert "There are no label sets" in seen
    assert main(["summary", "--results", str(two), "--output", str(two / "s.html"), "--tasks"]) == 0
    assert words((two / "s.html").read_text()) == seen


def test_every_reason_has_an_example(two: Path):
    seen = words(page_of(two))
    assert "alpha dropped ingest signal truncated 2 alpha/900 holds 10 of 1000 samples <b>" in seen
    assert "beta dropped ingest file missing 2 beta/8 no <i>8.dat</i>" in seen
    assert "flagged preprocess flat leads 2 beta/3 2" in seen
    assert "gamma dropped ingest file missing 1 gamma/1 no 1.dat" in seen


def test_the_page_stands_alone_is_safe_and_repeats(two: Path):
    page = page_of(two)
    assert page == page_of(two)
    assert "<i>8" not in page
    assert all(
        link.startswith(("data:image/png;base64,", "#", "../report/index.html"))
        for link in re.findall(r'(?:src|href)="([^"]*)"', page)
    )
    assert "<script" not in page


def test_ages_are_shares_of_the_split(two: Path, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr(summary, "age_figure", lambda numbers: drawn.append(age_figure(numbers)) or drawn[-1])
    path = two / "manifest/records.parquet"
    records = pd.read_parquet(path).iloc[:7]
    ages = [1.0] * 3 + [62.0] + [99.0, 300.0, np.nan]
    write_parquet(path, records.assign(split=["train"] * 4 + ["test"] * 2 + ["valid"], age=ages))
    page_of(two)
    heights = {patch.get_label(): patch.get_data().values for patch in drawn[0].axes[0].patches}
    assert heights["train"][[0, 12]].tolist() == [75.0, 25.0]
    assert heights["test"][-1] == 100.0
    assert "valid" not in heights
    figure = drawn[0]  # painted by now
    (legend,) = figure.legends
    assert legend.get_window_extent().y0 > max(
        axes.get_window_extent().y1 for axes in figure.axes if axes.get_visible()
    )


def task_of(results: Path, task: str, kind: str, selector: str, table: pd.DataFrame) -> None:
    """A label set's table, which says that `rare` was left out, and its slice of the config."""
    text = f"task: {task}\nkinds: {{beta: ludb}}\nconfig: {{kind: {kind}, labels: {{x: {selector}}}}}\n"
    (results / "config/labels").mkdir(parents=True, exist_ok=True)
    (results / f"config/labels/{task}.yaml").write_text(text)
    who = {"record_id": list("abcd"), "patient_id": list("abcd"), "source": "beta"}
    with write_pieces(results / f"labels/{task}.parquet", {"left_out": json.dumps({"rare": "has no event"})}) as write:
        write(table.assign(**who, split=["train", "train", "valid", "test"]))


def test_events_and_known_numbers_are_counted_and_labels_that_are_too_rare_are_named(two: Path):
    numbers = pd.DataFrame({"label.x": np.float32([52.5, 0, np.nan, 81])})
    task_of(two, "age", "regression", "{ludb: {value: age}}", numbers)
    survival = pd.DataFrame({"time.x": np.float32([1, 2, 3, np.nan]), "event.x": np.float32([1, 0, 1, np.nan])})
    task_of(two, "death", "survival", "{ludb: {time: t, event: e}}", survival)
    seen = words(page_of(two, ["age", "death"]))
    left_out = "Labels left out: rare has no event ."
    assert (
        f"Unknown x 2 100.0 % 2 patients 0 – 0 patients 1 100.0 % 1 patient 1 {left_out}" in seen
    )  # age: train, valid, test, unknown
    assert f"Unknown x 1 50.0 % 1 patient 1 100.0 % 1 patient 0 – 0 patients 1 {left_out}" in seen  # death


def test_sources_that_chance_splits_are_told(two: Path):
    assert "Few patients" not in words(page_of(two))
    audit = two / "manifest/audit.json"
    write_json(audit, read_json(audit) | {"by_chance": {"alpha": 50, "beta": 3}})
    assert "Few patients, whose splits chance decides: alpha (50), beta (3). manifest.stratify" in words(page_of(two))


def test_one_patient_who_has_most_of_a_split_is_told(two: Path):
    assert "are of one patient" not in words(page_of(two))
    audit = two / "manifest/audit.json"
    one = {"source": "alpha", "split": "test", "patient": "alpha/p", "records": 500, "of": 552}
    write_json(audit, read_json(audit) | {"dominant": [one]})
    assert "500 of the 552 records of alpha in the split test are of one patient : what" in words(page_of(two))


def cross_validated(results: Path) -> None:
    """Of `results` every record is in a fold of five but two of beta, which help to train; labels likewise."""
    path = results / "manifest/records.parquet"
    records = pd.read_parquet(path)
    helping = records["source"] == "beta"
    folds = pd.Series(records["patient_id"].str[-2:].where(~helping).astype("Int64") % 5, dtype="Int8")
    split = pd.Series("test", index=records.index).mask(helping, "train").astype("str")
    write_parquet(path, records.assign(split=split, fold=folds))
    labels = pd.read_parquet(results / "labels/super.parquet")
    dealt = records.assign(split=split, fold=folds).set_index("record_id")[["split", "fold"]]
    labels = labels.drop(columns="split").join(dealt, on="record_id")
    write_parquet(results / "labels/super.parquet", labels)
    audit = results / "manifest/audit.json"
    counted = {"alpha": {str(fold): {"records": 10 + fold, "patients": 5 + fold} for fold in range(5)}}
    write_json(audit, read_json(audit) | {"folds": counted, "empty": []})


def test_folds_have_their_table_and_empty_splits_are_none(two: Path):
    assert "Folds" not in words(page_of(two))
    cross_validated(two)
    seen = words(page_of(two))
    dealt = " ".join(f"{10 + fold} {5 + fold} patients" for fold in range(5))
    assert f"Source Fold 0 Fold 1 Fold 2 Fold 3 Fold 4 alpha {dealt} Audit passed" in seen
    assert (
        "0 patients in two splits or folds; 1 pair of duplicate recordings, 0 of them across splits or folds." in seen
    )
    assert "cross-validated in 5 folds" in seen
    assert "f0of5" in seen
    assert "No record is in" not in seen  # valid is empty
    # helpers stand under Train, which is not all that is learned from: only of all folds it is said that they have few
    assert "Label Train 3 records All folds 60 records alpha beta Unknown NORM 3 100.0 % 10 16.7 %" in seen
    assert "MI 0 – 3 5.1 % 1 patient 3 5.1 % unknown 4" in seen


def test_a_task_of_folds_alone_has_no_column_of_empty_splits(two: Path):
    cross_validated(two)
    path = two / "labels/super.parquet"
    labels = pd.read_parquet(path)
    write_parquet(path, labels[labels["source"] == "alpha"])
    seen = words(page_of(two))
    assert "Label All folds 60 records Unknown NORM 10 16.7 % 0 MI 3 5.1 % 1 patient 1" in seen


def test_a_task_that_is_not_there_is_said_and_others_are_left_out(two: Path):
    assert "The labels of gone have not been made." in words(page_of(two, ["gone"]))
    assert "NORM" not in words(page_of(two, ["gone"]))


def test_without_a_manifest_it_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(UserError, match="run the stage manifest"):
        run_summary(tmp_path, tmp_path / "s.html")
    assert main(["summary", "--results", str(tmp_path), "--output", str(tmp_path / "s.html")]) == 1
    assert "run the stage manifest" in capsys.readouterr().err
