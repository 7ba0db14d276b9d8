"""The card of a model: baselines worked by hand, a leak that is planted and found, and the page that says it."""

from __future__ import annotations

import html
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from ecglfm.config import UserError
from ecglfm.data.tables import table_pieces
from ecglfm.evaluation.leakage import leakage
from ecglfm.evaluation.metrics.baselines import majority
from ecglfm.evaluation.report.card import run_card
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.provenance import read_json, write_json, write_parquet
from ecglfm.records import data_hash

AUDIT = {
    "passed": True,
    "patient_overlap": [],
    "duplicate_pairs": [{"a": "x", "b": "y", "correlation": 1, "crosses": False}],
}


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_constant_answer_as_scikit_learn_scores_it(share: float) -> None:
    train, test = (
        np.r_[np.ones(int(100 * share)), np.zeros(100 - int(100 * share)), np.nan],
        np.r_[np.ones(8), np.zeros(12)],
    )
    said, called = np.full(20, share), np.full(20, share >= 0.5)
    assert majority("multilabel", ["x"], train[:, None], np.r_[test, np.nan][:, None])["macro"] == pytest.approx({
        "auroc": roc_auc_score(test, said), "auprc": average_precision_score(test, said),
        "brier": brier_score_loss(test, said), "f1": f1_score(test, np.ones(20)),
        "ppv": precision_score(test, np.ones(20)), "npv": precision_score(1 - test, np.ones(20)),
        "sensitivity": recall_score(test, called), "specificity": recall_score(1 - test, ~called),
    })  # fmt: skip


def test_the_constant_answer_to_other_kinds() -> None:
    train, test = np.array([[1.0], [3.0]]), np.array([[2.0], [4.0], [np.nan]])
    # the mean of train is 2: errors 0 and 2
    assert majority("regression", ["x"], train, test)["labels"]["x"] == pytest.approx(
        {"mae": 1.0, "rmse": np.sqrt(2), "r2": r2_score([2, 4], [2, 2])}
    )
    assert majority("survival", ["x"], train, test)["macro"]["c_index"] == 0.5
    empty = majority("binary", ["x"], train[:, :1] * 0, np.zeros((3, 1)))["macro"]
    assert "auroc" not in empty  # one class in test
    assert empty["brier"] == 0


def records_of(folder: Path, **change: object) -> Path:
    path = folder / "records.parquet"
    table = pd.DataFrame({
        "record_id": list("abcdefg"), "patient_id": list("ABCDEFG"), "source": list("ssssttt"),
        "split": ["train", "train", "valid", "test", "train", "test", None], "sampling_rate": 500, "n_samples": 5000,
        "sha256": list("1234567"),
    })  # fmt: skip
    write_parquet(path, table.assign(**change))
    return path


def pretrained_on(records: Path) -> dict:
    """`encoder.json` of an encoder that drew from source `s` of a manifest."""
    table = pd.read_parquet(records)
    seen = table[(table["source"] == "s") & table["split"].isin(["train", "valid"])]
    return {"weights": "pretrain", "training": {"sources": ["s"]}, "data_hash": data_hash(seen)}


def test_a_leak_is_found(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    encoder, pieces = pretrained_on(records), partial(table_pieces, records)
    test = pd.DataFrame({"record_id": ["d", "f"], "patient_id": ["D", "F"]})
    clean = leakage(AUDIT, encoder, pieces, test)
    assert clean == {
        "audit": {"passed": True, "patients": 0, "duplicates": 0},
        "pretraining": {"seen": 3, "patients": 0, "records": 0, "sources": ["s"], "reason": ""},
        "unknown": {},
        "clean": True,
    }
    planted = pd.concat([test, pd.DataFrame({"record_id": ["b", "x", "e"], "patient_id": ["B", "C", "E"]})])
    found = leakage(AUDIT, encoder, pieces, planted)
    assert (found["pretraining"]["records"], found["pretraining"]["patients"], found["clean"]) == (1, 2, False)
    crossing = AUDIT | {"passed": False, "duplicate_pairs": [AUDIT["duplicate_pairs"][0] | {"crosses": True}]}
    assert leakage(crossing, encoder, pieces, test) == clean | {
        "audit": {"passed": False, "patients": 0, "duplicates": 1}, "clean": False,
    }  # fmt: skip
    assert leakage(AUDIT, {"weights": "random"}, pieces, planted)["clean"] is True
    assert leakage(AUDIT, {"weights": "import"}, pieces, test)["clean"] is False
    assert leakage(None, encoder, pieces, test)["clean"] is False


def test_patients_that_nobody_states_are_no_clean_split(tmp_path: Path) -> None:
    records = records_of(tmp_path)
    encoder, pieces = pretrained_on(records), partial(table_pieces, records)
    test = pd.DataFrame({"record_id": ["u/d"], "patient_id": ["u/d"]})

    def found(unknown: dict[str, int], **more) -> tuple[dict, bool]:
        says = leakage(AUDIT | {"patients_unknown": unknown}, encoder, pieces, test, **more)
        return says["unknown"], says["clean"]

    assert found({"v": 3}) == ({}, True)  # of a source that has no part in this model
    assert found({"v": 3, "u": 54}) == ({"u": 54}, False)  # tested on it
    assert found({"s": 7}) == ({"s": 7}, False)  # pretrained on it
    assert found({"v": 3}, fitted=["v/1"]) == ({"v": 3}, False)  # fitted to it


@pytest.mark.parametrize(
    "change",
    [
        {"split": ["train", "test", "valid", "train", "train", "test", None]},  # another seed: b was trained on
        {"sha256": list("9234567")},  # another recording
        {"patient_id": list("XBCDEFG")},
    ],
)
def test_what_was_pretrained_on_another_manifest_is_not_known(tmp_path: Path, change: dict) -> None:
    encoder = pretrained_on(records_of(tmp_path))
    test = pd.DataFrame({"record_id": ["b"], "patient_id": ["B"]})
    found = leakage(AUDIT, encoder, partial(table_pieces, records_of(tmp_path, **change)), test)
    assert (found["pretraining"]["seen"], found["clean"]) == (None, False)
    assert found["pretraining"]["reason"].startswith("pretrained on another manifest")
    other_source = partial(
        table_pieces, records_of(tmp_path, sha256=list("1234569"))
    )  # of t, which it did not draw from
    assert leakage(AUDIT, encoder, other_source, test[:0])["clean"] is True


def seen_on(results: Path, **options) -> str:
    run_card(results, FittedModel("tiny", "super", "full-s0"), results / "card.html", **options)
    body = re.sub(r"<style>.*?</style>", " ", (results / "card.html").read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_card_says_that_patients_are_unknown(results: Path) -> None:
    path = results / "manifest/audit.json"
    write_json(path, read_json(path) | {"patients_unknown": {"alpha": 54}})
    seen = seen_on(results)
    assert "Leakage not excluded" in seen
    assert "Patients unknown: leakage cannot be excluded : 54 records of alpha state no patient;" in seen


def test_what_the_card_says(results: Path) -> None:
    write_json(results / "pretrain/tiny/encoder.json", read_json(results / "pretrain/tiny/encoder.json") | {
        "training": {"steps": 200, "sources": ["alpha"]}})  # fmt: skip
    seen = seen_on(results)
    assert (
        "No leakage found : the audit of the manifest passed (0 patients and 0 pairs of duplicates across splits);"
        in seen
    )
    assert "pretraining drew from 48 records of alpha, among them 0 records and 0 patients of this test split." in seen
    # MI: 9 of 12 negative in test, none positive in train; NORM: half in test
    assert (
        "Constant answer the same for every record: the prevalence or mean of train, for F1 the better of calling all and none 0.500 by definition"
        in seen
    )
    assert "Random encoder not run: no encoder of the config has weights: random" in seen
    assert "Labels left out: HYP has no positive among 40 training records ." in seen
    folder = results / "evaluate/random/super/full-s0"
    folder.mkdir(parents=True)
    metrics = read_json(results / "evaluate/tiny/super/full-s0/metrics.json")
    metrics["macro"]["auroc"] |= {"value": 0.512, "ci_low": 0.4, "ci_high": 0.6}
    metrics["labels"]["NORM"]["auroc"] |= {"value": 0.345, "ci_low": 0.3, "ci_high": 0.39}
    write_json(folder / "metrics.json", metrics)
    seen = seen_on(results, baselines=["random", "tiny", "absent"])
    assert "random random weights, full-s0 0.512 0.400 – 0.600" in seen
    assert "absent random weights, full-s0 not run" in seen
    assert "AUROC AUROC of random AUPRC" in seen  # label by label
    low = read_json(results / "evaluate/tiny/super/full-s0/metrics.json")["labels"]["NORM"]["auroc"]["ci_low"]
    assert f"NORM 6 of 12 0.500 1.000 {low:.3f} – 1.000 0.345 0.300 – 0.390" in seen
    assert "Constant answer, macro 0.500 by definition" in seen
    # half of the test records have NORM: calling all of them has an F1 of 2/3 and a PPV of 1/2
    assert seen.count("constant 0.667") == 1
    assert seen.count("constant 0.500") == 1

    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    choice = {"value": 0.5, "ci_low": 0.2, "ci_high": 0.75, "positives": 4, "rule": "smoothed"}
    none = {"value": 0.25, "ci_low": None, "ci_high": None, "positives": 0, "rule": "default"}
    write_json(path, read_json(path) | {"threshold_choices": {"NORM": choice, "MI": none}})
    seen = seen_on(results)
    assert "NORM 6 of 12 0.500 0.200 – 0.750 4 in valid, smoothed 1.000" in seen
    assert "MI 3 of 12 0.250 0 in valid, not chosen " in seen
    assert "below each its 95 % interval over resampled validation patients" in seen


def test_a_model_that_was_not_evaluated(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="metrics.json: no such file; run `evaluate` of this model first"):
        run_card(tmp_path, FittedModel("a", "b", "c"), tmp_path / "card.html")
