"""Label sets on a hand-made index of two databases."""

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import TaskConfig, TaskSlice, UserError
from ecglfm.data import tables
from ecglfm.data.labels.labels import run_labels
from ecglfm.records import INDEX_COLUMNS
from tests.unit.data.labels.indexes import CHALLENGE, MIMIC, PTBXL


def test_snomed_code_that_nothing_matches(tmp_path):
    CHALLENGE.to_parquet(tmp_path / "c.parquet", index=False)
    records = CHALLENGE[["record_id", "source", "patient_id"]].assign(split="train")
    records.to_parquet(tmp_path / "records.parquet", index=False)
    chosen = task({"AF": {"challenge2021": {"snomed": ["164889030"]}}}, kinds={"c": "challenge2021"})
    with pytest.raises(UserError, match="matches none of 6 records: snomed '164889030': near ones are 164889003"):
        run_labels(chosen, tmp_path / "records.parquet", [tmp_path / "c.parquet"], tmp_path / "labels.parquet")


def task(labels, kinds=None, **config):
    kinds = kinds or {"p": "ptbxl"}
    config = {"kind": "multilabel", "labels": labels, "sources": list(kinds)} | config
    return TaskSlice(task="t", config=TaskConfig.model_validate(config), kinds=kinds)


@pytest.fixture(params=[2, 16384])
def run(tmp_path, monkeypatch, request):
    """Run the stage on the two databases, in pieces of so many rows; gives labels and ledger, both by record."""
    monkeypatch.setattr(tables, "ROWS_TOGETHER", request.param)
    for name, frame in (("p", PTBXL), ("m", MIMIC)):
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    records = pd.concat([PTBXL, MIMIC])[["record_id", "source", "patient_id"]]
    splits = ["train", "train", "test", "valid", "train", None]
    records = records.assign(split=splits * 2).query("record_id != 'm/4'")  # m/4 was dropped by an earlier stage
    records.sort_values("record_id").to_parquet(tmp_path / "records.parquet", index=False)

    def run(chosen):
        index = [tmp_path / "p.parquet", tmp_path / "m.parquet"]
        run_labels(chosen, tmp_path / "records.parquet", index, tmp_path / "labels" / "t.parquet")
        labels = pd.read_parquet(tmp_path / "labels" / "t.parquet")
        ledger = pd.read_parquet(tmp_path / "labels" / "t.ledger.parquet")
        assert labels.record_id.is_monotonic_increasing
        assert (ledger.stage == "labels").all()
        assert (ledger.action == "dropped").all()
        return labels.set_index("record_id"), dict(zip(ledger.record_id, ledger.reason, strict=True))

    return run


def test_columns_and_records_of_no_split(run):
    labels, ledger = run(task({"MI": {"ptbxl": {"scp_class": ["MI"]}}, "NORM": {"ptbxl": {"scp": ["NORM"]}}}))
    assert list(labels.columns) == ["patient_id", "source", "split", "label.MI", "label.NORM"]
    assert labels["label.MI"].dtype == np.float32
    assert labels["label.MI"].to_dict() == {"p/1": 0, "p/2": 1, "p/3": 0, "p/4": 0, "p/5": 1}
    assert labels["label.NORM"].to_dict() == {"p/1": 1, "p/2": 0, "p/3": 0, "p/4": 0, "p/5": 0}
    assert labels["split"].to_dict() == {"p/1": "train", "p/2": "train", "p/3": "test", "p/4": "valid", "p/5": "train"}
    assert ledger == {"p/6": "no_split"}


def test_records_without_any_label_can_be_dropped(run):
    labels, ledger = run(task({"MI": {"ptbxl": {"scp_class": ["MI", "NORM"]}}}, missing="drop"))
    assert labels.index.tolist() == ["p/1", "p/2", "p/5"]
    assert ledger == {"p/3": "no_label", "p/4": "no_label", "p/6": "no_split"}


@pytest.mark.parametrize(("lacking", "split"), [({1}, "valid"), ({2, 3}, "test"), ({1, 2, 3}, "valid")])
def test_task_to_fit_without_a_split_is_one_sentence(tmp_path, lacking, split):
    PTBXL.to_parquet(tmp_path / "p.parquet")
    splits = np.array(["train", "valid", "test", "test", "train", "train"])
    records = PTBXL[["record_id", "source", "patient_id"]].assign(split=splits)
    chosen = task({"norm": {"ptbxl": {"scp": ["NORM"]}}}, kinds={"p": "ptbxl"})

    def labels(table, *, fitted=True):
        table.to_parquet(tmp_path / "records.parquet")
        asked = chosen.model_copy(update={"fitted": fitted})
        run_labels(asked, tmp_path / "records.parquet", [tmp_path / "p.parquet"], tmp_path / "labels.parquet")

    labels(records)
    records.loc[sorted(lacking), "split"] = "train"
    (tmp_path / "labels.parquet").unlink()
    with pytest.raises(UserError, match=rf"^task '.*': no record of it is in the split {split} \(train [4-6], "):
        labels(records)
    assert not (tmp_path / "labels.parquet").exists()
    labels(records, fitted=False)


def test_kind_without_selector_leaves_the_label_unknown(run):
    chosen = task(
        {
            "AF": {"ptbxl": {"scp": ["AFIB"]}, "mimic_iv_ecg": {"report": ["atrial fibrillation"]}},
            "MI": {"ptbxl": {"scp_class": ["MI"]}},
        },
        kinds={"p": "ptbxl", "m": "mimic_iv_ecg"},
    )
    labels, ledger = run(chosen)
    assert labels["label.AF"].to_dict() == {
        "m/1": 1, "m/2": 0, "m/3": 1, "m/5": 0, "p/1": 0, "p/2": 1, "p/3": 1, "p/4": 0, "p/5": 0,
    }  # fmt: skip
    assert labels.loc["m/1":"m/5", "label.MI"].isna().all()
    assert labels.loc["p/1":"p/5", "label.MI"].notna().all()
    assert ledger == {"m/6": "no_split", "p/6": "no_split"}


def test_record_of_which_nothing_is_known_is_left_out(run):
    chosen = task({"MI": {"ptbxl": {"scp_class": ["MI"]}}}, kinds={"p": "ptbxl", "m": "mimic_iv_ecg"})
    labels, ledger = run(chosen)
    assert set(labels["source"]) == {"p"}
    assert {r: why for r, why in ledger.items() if r[0] == "m"} == {
        "m/1": "label_unknown", "m/2": "label_unknown", "m/3": "label_unknown", "m/5": "label_unknown",
        "m/6": "no_split",
    }  # fmt: skip


def test_no_positive_in_train_names_label_task_and_counts(run):
    expected = (
        r"label 'AF' of task 't' has no positive among 3 training records \(positives: train 0, valid 0, test 1\)"
    )
    with pytest.raises(UserError, match=expected):
        run(task({"AF": {"ptbxl": {"scp": ["AFIB"], "min_likelihood": 100}}}))


@pytest.mark.parametrize("rare", ["error", "leave_out"])
def test_a_cohort_that_is_only_measured_needs_no_training_records(run, tmp_path, rare):
    path = tmp_path / "records.parquet"
    pd.read_parquet(path).assign(split="test").to_parquet(path, index=False)
    table, _ = run(task({"AF": {"ptbxl": {"scp": ["AFIB"], "min_likelihood": 100}}}, rare=rare))
    assert set(table["split"]) == {"test"}
    assert table["label.AF"].sum() == 1


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ({"scp": ["AFIBB"]}, "'AFIBB': near ones are AFIB"),
        ({"scp": ["afib"]}, "'afib': near ones are AFIB"),
        ({"scp_class": ["NROM"]}, "'NROM': near ones are NORM"),
        ({"column": {"nurse": ["9"]}}, "nurse '9': there are 0.0, 01, 1, 1.0, 2"),
        ({"report": ["flutter"]}, "check its selectors"),
    ],
)
def test_label_that_nothing_matches_lists_near_spellings(run, selector, hint):
    with pytest.raises(
        UserError,
        match=f"label 'X' of task 't' matches none of 6 records.*{hint}.*; where nobody has it, take the label out$",
    ):
        run(task({"X": {"ptbxl": selector}}))


def test_typo_in_a_kind_and_a_label_no_source_can_have(run):
    with pytest.raises(UserError, match=r"labels\.X: 'ptblx' is no kind of source; did you mean 'ptbxl'"):
        run(task({"X": {"ptblx": {"scp": ["AFIB"]}}}))
    with pytest.raises(UserError, match=r"labels\.X: no selector for the kinds of its sources \(ptbxl\)"):
        run(task({"X": {"mimic_iv_ecg": {"report": ["a"]}}}))


def test_source_without_index_and_broken_index_are_named(run, tmp_path):
    with pytest.raises(UserError, match=r"no q\.parquet; it has: p, m"):
        run(task({"X": {"ptbxl": {"scp": ["AFIB"]}}}, kinds={"q": "ptbxl"}))
    PTBXL.drop(columns="codes").to_parquet(tmp_path / "p.parquet")
    with pytest.raises(UserError, match=r"p\.parquet: column 'codes' is missing"):
        run(task({"X": {"ptbxl": {"scp": ["AFIB"]}}}))


def test_fixture_has_the_index_columns():
    assert set(INDEX_COLUMNS) <= set(PTBXL.columns)
