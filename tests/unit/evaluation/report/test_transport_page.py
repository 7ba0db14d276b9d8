"""The transport report: home beside here, each way in its row, and what is not known is said."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from ecglfm.evaluation.report import run_transport_page
from ecglfm.provenance import write_json


def entry(value: float) -> dict[str, float]:
    return {"value": value, "ci_low": value - 0.01, "ci_high": value + 0.01}


def way(name: str, threshold: float, adapted: dict[str, Any] | None = None, **about: Any) -> dict[str, Any]:
    metrics = dict.fromkeys(["auroc", "sensitivity", "specificity", "ppv", "npv", "ece", "brier"], entry(threshold))
    lines = {"intercept": entry(0.25), "slope": {"value": None, "ci_low": None, "ci_high": None, "reason": "no line"}}
    boot = {"unit": "patient", "resamples": 30, "confidence": 0.95, "seed": 0, "min_patients": 5}
    test = {"records": 70, "patients": 35, "positives": {"AF": 12}, "known": {"AF": 69}}
    labels = {"AF": {"metrics": metrics | lines, "adapted": adapted, "threshold": threshold}}
    return {"name": name, "labels": labels, "bootstrap": boot, "test": test, **about}


def words(tmp_path: Path, **change: Any) -> str:
    local = {"positive_patients": 2, "negative_patients": 9, "fitted": "intercept"}
    unknown = {"seen": None, "records": None, "patients": None, "reason": "made elsewhere"}
    metrics = {
        "model": {"encoder": "tiny", "task": "af", "fit": "full-s0", "folder": "model <b>"},
        "code": {"version": "1", "commit": "c"}, "data_hash": "d" * 64, "sources": ["clinic"], "label_names": ["AF"],
        "cohort": {"records": 100, "patients": 50}, "not_measured": [], "task": "af", "kind": "binary",
        "home": {"n": {"records": 40, "positives": {"AF": 7}, "known": {"AF": 40}}, "sources": ["there"],
                 "labels": {"AF": {key: entry(0.871) for key in ("auroc", "sensitivity", "specificity", "ece")}}},
        "prevalence": {"AF": {"home": 0.1, "here": entry(0.174), "told": entry(0.2)}},
        "acquaintance": {"finetuning": {"seen": 9, "records": 0, "patients": 0, "reason": ""}, "pretraining": unknown},
        "ways": [
            way("as_is", 0.5), way("prior_shift", 0.51, {"home": None, "here": None}),
            way("local_30", 0.31, local, local=30, n={"records": 30, "patients": 15}),
        ],
    }  # fmt: skip
    write_json(tmp_path / "metrics.json", metrics | change)
    run_transport_page(tmp_path, tmp_path / "index.html")
    body = re.sub(r"<style>.*?</style>", " ", (tmp_path / "index.html").read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_home_stands_above_here(tmp_path: Path) -> None:
    seen = words(tmp_path)
    assert "Home is its own test split: 40 records of there." in seen
    home = "AF threshold 0.500 home 7 of 40 0.871 0.861 – 0.881"
    here = "here 12 of 69 0.500 0.490 – 0.510"
    assert seen.index(home) < seen.index(here)
    assert "0.250 0.240 – 0.260 – no line" in seen  # in the large, and no slope
    assert "AF 10.0 % 17.4 % 16.4 – 18.4 20.0 % 19.0 – 21.0" in seen


def test_each_way_has_its_row(tmp_path: Path) -> None:
    seen = words(tmp_path)
    assert "As it is 0.500" in seen
    assert "not shifted: home's prevalence is not known 0.510" in seen
    assert "30 local records of 15 patients 2 positive patients; intercept fitted 0.310" in seen


def test_a_prevalence_of_all_is_not_shifted_to(tmp_path: Path) -> None:
    said = "not shifted: its probabilities tell that all of these records have it, which is no shift of the prevalence"
    assert said in words(tmp_path, ways=[way("prior_shift", 0.51, {"home": 0.3, "here": 1.0})])
    assert "not shifted" not in words(tmp_path, ways=[way("prior_shift", 0.51, {"home": 0.3, "here": 0.2})])


def test_who_was_met_is_said_first(tmp_path: Path) -> None:
    seen = words(tmp_path)
    assert "Fine-tuning: none met , among 9 records that it drew from." in seen
    assert "Pretraining: unknown : made elsewhere." in seen
    met = {"seen": 9, "records": 3, "patients": 2, "reason": ""}
    seen = words(tmp_path, acquaintance={"finetuning": met, "pretraining": met}, home=None)
    assert "Fine-tuning saw 3 of these records and 2 of these patients" in seen
    assert "say nothing about new patients" in seen
    assert "Its own test split is not known here" in seen
    some = {"seen": 9, "records": 0, "patients": None, "reason": "moved"}
    seen = words(tmp_path, acquaintance={"finetuning": some, "pretraining": some | {"records": 3}}, home=None)
    assert "Fine-tuning saw none of these records; whether of these patients: unknown : moved." in seen
    assert "Pretraining saw 3 of these records and an unknown number of these patients : moved." in seen
