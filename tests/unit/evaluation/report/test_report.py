"""The report says what the files say, says what is missing, and stands alone."""

from __future__ import annotations

import base64
import html
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.config import EvaluateConfig, UserError
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.metrics.outcomes import read_outcome
from ecglfm.evaluation.report.card import run_card
from ecglfm.evaluation.report.comparison_page import run_comparison_page
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.evaluation.report.report import run_report
from ecglfm.evaluation.report.summary import run_summary
from ecglfm.provenance import read_json, write_json, write_parquet, write_text
from tests.unit.evaluation.report.pages_read import page_of, words


@pytest.mark.usefixtures("quick")
def test_numbers_of_the_files_are_on_the_page(results: Path):
    page = page_of(results)
    seen = words(page)
    # data: 60 records of 50 patients, the last eleven of one of them
    assert "alpha 40 40 patients 8 8 patients 12 2 patients 60 50 patients 60 (60–60) 50 % 10 s 100 Hz 1" in seen
    assert "ingest dropped signal truncated 2 alpha alpha/900 holds 10 of 1000 samples <b>" in seen
    assert "preprocess flagged flat leads 1 alpha alpha/059 V6" in seen
    assert "Passed : no patient is in more than one split; duplicate recordings: 1 pair, none across splits." in seen
    assert "alpha/001 alpha/002 0.9987 same split" in seen
    # labels: MI is positive in the last three test records only, and unknown once
    assert "MI 0 0.0 % 0 0.0 % 3 25.0 % 1" in seen
    # pretraining: last train row 4 + 100/200, last valid row 4.5 + 100/200
    assert "After step 200 loss contrastive code perplexity train 4.5 3.3 20 valid 5 3.8 18.18" in seen
    # evaluation: 2 of 3 positives above all 9 negatives, one below: AUROC 18/27
    metrics = read_json(results / "evaluate/tiny/super/full-s0/metrics.json")
    assert metrics["labels"]["MI"]["auroc"]["value"] == pytest.approx(18 / 27)
    assert "0.667" in seen
    assert "MI 3 of 12 0.250 0.667" in seen
    macro = metrics["macro"]["auroc"]
    assert macro["value"] == pytest.approx((1 + 18 / 27) / 2)
    assert f"super tiny full-s0 12 2 patients 2 of 2 0.833 {macro['ci_low']:.3f} – {macro['ci_high']:.3f}" in seen


@pytest.mark.usefixtures("quick")
def test_a_source_that_is_only_tested_has_numbers_of_its_own(results: Path):
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    metrics = read_json(path)
    block = {key: metrics[key] for key in ("labels", "macro", "micro", "n", "thresholds", "label_names", "majority")}
    block["n"] = block["n"] | {"records": 7, "patients": 5}
    auroc = block["macro"]["auroc"] | {"value": 0.611, "ci_low": 0.5, "ci_high": 0.7}
    block["macro"] = block["macro"] | {"auroc": auroc}
    write_json(path, metrics | {"sources": ["alpha"], "external": {"clinic": block}})
    page = page_of(results)
    seen = words(page)
    assert "external validation: clinic 7 5 patients 2 of 2 0.611 0.500 – 0.700" in seen
    said = "External validation: clinic 7 records of 5 patients of a source that has none in train and valid;"
    assert f"{said} no part of the numbers of alpha." in seen
    run_card(results, FittedModel("tiny", "super", "full-s0"), results / "card.html")
    card = words((results / "card.html").read_text())
    assert "12 test records of 2 patients of alpha." in card
    assert said in card
    assert card.count("0.611") == 1  # of that source alone


@pytest.mark.usefixtures("quick")
def test_the_page_stands_alone_and_is_safe(results: Path):
    page = page_of(results)
    assert "<b>holds" not in page
    assert "samples &lt;b&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    # curves of pretraining and fine-tuning, ROC, calibration
    assert page.count("data:image/png") == 4
    assert base64.b64encode(b"\x89PNG as evaluate drew it").decode() in page
    assert "<script" not in page


def test_wide_tables_scroll_in_a_box_of_their_own(results: Path):
    page = page_of(results)
    assert page.count("<table") == page.count('<div class="scroll"><table') > 5
    assert ".scroll { overflow-x: auto;" in page


def test_the_same_results_give_the_same_page(results: Path):
    assert page_of(results) == page_of(results)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("manifest", "There is no manifest yet."),
        ("labels", "The labels of super have not been made."),
        ("pretrain", "The encoder tiny has not been made."),
        ("finetune", "Nothing has been fine-tuned yet."),
        ("evaluate", "tiny/super/full-s0 has not been evaluated."),
        ("none", "There are no recordings that it got right and wrong."),
        ("evaluate/tiny/super/full-s0/predictions.parquet", "MI 3 of 12 0.250 0.667"),
        ("pretrain/tiny/history.csv", "There is no training history."),
        ("manifest/audit.json", "The audit has not run."),
    ],
)
def test_what_is_missing_is_said(results: Path, gone: str, said: str):
    path = results / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=gone == "none")
    assert said in words(page_of(results))


@pytest.mark.usefixtures("quick")
def test_one_patient_who_has_most_of_a_split_is_told_and_not_named(results: Path):
    audit = results / "manifest/audit.json"
    one = {"source": "alpha", "split": "test", "patient": "alpha/secret", "records": 500, "of": 552}
    write_json(audit, read_json(audit) | {"dominant": [one]})
    seen = words(page_of(results))
    assert "500 of the 552 records of alpha in the split test are of one patient : what is learnt or measured" in seen
    assert "secret" not in seen


def test_an_empty_folder_gives_a_page(tmp_path: Path):
    seen = words(page_of(tmp_path))
    assert "There is no manifest yet." in seen
    assert "Nothing has been evaluated yet." in seen


@pytest.mark.usefixtures("quick")
def test_include_hides_what_was_left_from_an_earlier_config(results: Path):
    for stage in ("evaluate", "finetune"):
        shutil.copytree(results / stage / "tiny/super", results / stage / "old/gone")
    assert "gone old full-s0" in words(page_of(results))
    seen = words(page_of(results, ["tiny/super/full-s0"]))
    assert " old" not in seen
    assert "gone" not in seen
    assert "super tiny full-s0" in seen
    with pytest.raises(UserError, match="encoder/task/fit"):
        page_of(results, ["../x/y/z"])
    with pytest.raises(UserError, match="encoder/task/fit"):
        page_of(results, ["../x/y"])


@pytest.mark.usefixtures("quick")
def test_an_analysis_is_a_section_where_it_was_made(results: Path):
    assert "How many labels are needed" not in page_of(results)
    write_text(results / "evaluate/label_efficiency.csv", "encoder,task,mode,seed,percent,train_patients,metric,value\n"
               "tiny,super,full,0,10,4,auroc,0.75\n")  # fmt: skip
    page = page_of(results)
    assert '<h2 id="label_efficiency">How many labels are needed</h2>' in page
    assert "super tiny full AUROC 0.750 4 patients, 1 seed" in words(page)


@pytest.mark.usefixtures("quick")
def test_it_leads_to_every_page_that_there_is_and_they_lead_back(results: Path, tmp_path: Path):
    page = page_of(results)
    assert 'href="..' not in page
    fit = FittedModel("tiny", "super", "full-s0")
    card = results / "evaluate" / fit.path / "card.html"
    run_card(results, fit, card)
    run_summary(results, results / "manifest/summary.html")
    run_comparison_page(results, [fit], results / "evaluate/comparison/index.html")
    discovered = results / "discover/tiny/index.html"
    write_text(discovered, "the page of a higher floor")
    there = results / "report/index.html"
    led = set(re.findall(r'href="([^"#]+)"', page_of(results)))
    assert {(there.parent / address).resolve() for address in led} == {
        card, results / "manifest/summary.html", results / "evaluate/comparison/index.html", discovered
    }  # fmt: skip
    for path in (card, results / "manifest/summary.html", results / "evaluate/comparison/index.html"):
        assert {
            (path.parent / found).resolve() for found in re.findall(r'href="([^"#]+index.html)"', path.read_text())
        } == {there}
    comparison = (results / "evaluate/comparison/index.html").read_text()
    assert '<a href="../tiny/super/full-s0/card.html">full-s0</a>' in comparison
    # from elsewhere they still lead there
    run_report(results, tmp_path / "else where/page.html")
    (address,) = set(re.findall(r'href="([^"]+summary.html)"', (tmp_path / "else where/page.html").read_text()))
    assert (tmp_path / "else where" / address).resolve() == results / "manifest/summary.html"


@pytest.mark.usefixtures("quick")
def test_what_made_it_is_on_it(results: Path):
    assert "make setup\nsnakemake</code>" in page_of(results)
    write_text(results / "config/command.txt", "snakemake --config 'results=<x>'\n")
    page = page_of(results)
    assert "snakemake --config &#39;results=&lt;x&gt;&#39;</code>" in page
    assert f"torch {version('torch')}" in page
    assert "AUROC : chance that a record with the label scores above one without it" in words(page)


@pytest.mark.usefixtures("quick")
def test_a_failed_audit_is_loud(results: Path):
    path = results / "manifest/audit.json"
    pair = {"a": "alpha/001", "b": "alpha/050", "correlation": 1.0, "crosses": True}
    write_json(path, read_json(path) | {"passed": False, "patient_overlap": ["alpha/p49"], "duplicate_pairs": [pair]})
    seen = words(page_of(results))
    assert "Failed : 1 patient is in more than one split ( alpha/p49 )" in seen
    assert "1 pair, 1 across splits" in seen
    assert "crosses splits" in seen


@pytest.mark.usefixtures("quick")
def test_a_broken_file_is_one_clear_line(results: Path):
    write_text(results / "manifest/audit.json", "{broken")
    with pytest.raises(UserError, match=r"audit\.json: cannot be read"):
        page_of(results)


@pytest.mark.usefixtures("quick")
def test_the_command(results: Path, capsys: pytest.CaptureFixture[str]):
    from ecglfm.cli import main

    output = results / "report/index.html"
    command = ["report", "--results", str(results), "--output", str(output)]
    assert main([*command, "--include", "tiny/super/full-s0"]) == 0
    assert "super tiny full-s0" in words(output.read_text())
    assert main(["report", "--results", str(results / "none"), "--output", str(output)]) == 1
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_quantities_and_survival_have_their_own_tables(results: Path):
    predictions = pd.read_parquet(results / "evaluate/tiny/super/full-s0/predictions.parquet")
    about = predictions[["record_id", "patient_id", "split"]]
    number = predictions["probability.MI"]
    tables = {
        "regression": about.assign(**{"target.age": 60 + 10 * number, "prediction.age": 60 + 10 * number}),
        "survival": about.assign(
            **{"time.death": 2 - number, "event.death": predictions["target.NORM"], "risk.death": number}
        ),
    }
    for kind, table in tables.items():
        folder = results / f"evaluate/tiny/{kind}/full-s0"
        write_parquet(folder / "predictions.parquet", table)
        config = EvaluateConfig(bootstrap=30)
        name = "age" if kind == "regression" else "death"
        test, fitted = read_outcome(table, kind, [name], config)
        identity = {"encoder": "tiny", "task": kind, "fit": "full-s0", "kind": kind}
        if kind == "survival":
            identity |= {"calibration": {"fitted_on": "valid", "slope": {"death": [0.7, 0.9]}}}
        write_json(folder / "metrics.json", measure(test, config) | fitted | identity)
        (folder / "curves.png").write_bytes(b"png")
    page = html.unescape(page_of(results))
    for heading in ("Macro AUROC", "Macro R²", "Macro C-index", "AUC, time 1", "Events", "Known"):
        assert f">{heading}</th>" in page
    assert re.search(r"regression</b>.*?1\.000", page, re.S)  # R² of a prediction that is the truth
    assert "Survival of death is judged at" in page
    assert "read as probabilities times a slope of the validation split: death 0.700 – 0.900." in page
    for caption in ("ROC curves", "Prediction against truth", "Survival by group of predicted risk (Kaplan and Meier)"):
        assert f">{caption}</figcaption>" in page


@pytest.mark.usefixtures("quick")
def test_statistics_stand_beside_by_a_fit_that_the_config_has_now(results: Path):
    """Not by one of a mode that was taken out of `finetune.modes` and still lies there."""
    info = read_json(results / "pretrain/tiny/encoder.json") | {"weights": "none"}
    write_json(results / "pretrain/statistics/encoder.json", info)
    metrics = read_json(results / "evaluate/tiny/super/full-s0/metrics.json")
    for mode, value in (("frozen", 0.512), ("linear", 0.345)):
        metrics["labels"]["NORM"]["auroc"] |= {"value": value, "ci_low": 0.3, "ci_high": 0.6}
        write_json(results / f"evaluate/statistics/super/{mode}-s0/metrics.json", metrics)
    seen = words(page_of(results, ["tiny/super/full-s0", "statistics/super/frozen-s0"]))
    assert seen.count("0.512") == 2  # its own, and beside the other's
    assert "0.345" not in seen
