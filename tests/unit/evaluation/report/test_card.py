"""The card of a model: baselines worked by hand, a leak that is planted and found, and the page that says it."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest

from ecglfm.config import CardConfig, CardSlice, UserError
from ecglfm.evaluation.report.card import run_card
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.evaluation.report.report import run_report
from ecglfm.provenance import read_json, write_json

FIT = FittedModel("tiny", "super", "full-s0")


def seen_on(results: Path, **options) -> str:
    run_card(results, FIT, results / "card.html", **options)
    body = re.sub(r"<style>.*?</style>", " ", (results / "card.html").read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_card_says_that_patients_are_unknown(results: Path) -> None:
    path = results / "manifest/audit.json"
    write_json(path, read_json(path) | {"patients_unknown": {"alpha": 54}, "databases": {"alpha": ["challenge2021"]}})
    seen = seen_on(results, config=CardSlice(pretrained_on={"tiny": ["ptbxl"], "other": ["code15"]}))
    assert "Leakage not excluded" in seen
    assert "Patients unknown: leakage cannot be excluded : 54 records of alpha state no patient;" in seen
    said = "Suspected overlap: the encoder's pretraining (PTB-XL) and alpha: both have recordings of PTB-XL."
    assert seen.count("Suspected overlap") == seen.count(said) == 1


def test_the_card_says_whose_weights_they_are_and_that_they_saw_the_test(results: Path) -> None:
    path = results / "manifest/audit.json"
    write_json(path, read_json(path) | {"databases": {"alpha": ["challenge2021"]}})
    path = results / "pretrain/tiny/encoder.json"
    foreign = {"origin": "X", "licence": "CC BY-NC 4.0", "pretrained_on": ["ptbxl"]}
    write_json(path, read_json(path) | {"weights": "import", "imported": foreign})
    seen = seen_on(results)
    why = "pretrained on PTB-XL: both have recordings of PTB-XL."
    assert f"alpha: seen in pretraining: yes , {why}" in seen
    assert "Weights import Their licence CC BY-NC 4.0 Pretrained on PTB-XL Reads" in seen
    assert "Weights of the encoder: import; pretrained on PTB-XL." in seen
    assert f"Its encoder's pretraining has seen alpha: {why}" in seen
    write_json(path, read_json(path) | {"imported": {"origin": "X"}})
    seen = seen_on(results)
    assert "alpha: seen in pretraining: unknown , the weights were made elsewhere: what they were trained on is" in seen
    assert "Their licence unknown: licence of the encoder says nothing Pretrained on unknown" in seen
    assert "Its encoder's pretraining" not in seen


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
    beside = FIT._replace(encoder="random")
    folder = results / "evaluate" / beside.path
    folder.mkdir(parents=True)
    metrics = read_json(results / "evaluate/tiny/super/full-s0/metrics.json")
    metrics["macro"]["auroc"] |= {"value": 0.512, "ci_low": 0.4, "ci_high": 0.6}
    metrics["labels"]["NORM"]["auroc"] |= {"value": 0.345, "ci_low": 0.3, "ci_high": 0.39}
    write_json(folder / "metrics.json", metrics)
    seen = seen_on(results, baselines=[beside, FIT, beside._replace(encoder="absent")])
    assert "random random weights, full-s0 0.512 0.400 – 0.600" in seen
    assert "absent random weights, full-s0 not run" in seen
    assert "AUROC AUROC of random AUPRC" in seen  # label by label
    shutil.copytree(folder, results / "evaluate/statistics/super/linear-s0")
    info = read_json(results / "pretrain/tiny/encoder.json") | {"weights": "none"}
    write_json(results / "pretrain/statistics/encoder.json", info)
    others = seen_on(results, baselines=[FittedModel("statistics", "super", "linear-s0")])  # which has no `full`
    assert "statistics signal statistics, linear-s0 0.512 0.400 – 0.600" in others
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


def test_every_heading_names_what_it_answers(results: Path) -> None:
    """A section of the model-card paper or items of TRIPOD+AI, or that neither asks for it."""
    seen_on(results)
    page = (results / "card.html").read_text()
    assert page.count("<h2>") == 12
    found = re.findall(r"<h2>([^<]+)</h2>\s*<p class=\"terms quiet\"><small>([^<]+)</small>", page)
    terms = dict(found)
    assert len(terms) == 12
    assert terms["What is it for?"] == "Model card: Intended Use · TRIPOD+AI 3b, 4, 27"
    assert terms["How were thresholds chosen?"] == "Model card: Metrics (decision thresholds) · TRIPOD+AI 15"
    assert terms["Right and wrong"] == "In neither list"
    wanted = ["Model Details", "Intended Use", "Factors", "Metrics", "Evaluation Data", "Training Data",
              "Quantitative Analyses", "Ethical Considerations", "Caveats and Recommendations"]  # fmt: skip
    assert [section for section in wanted if section not in " ".join(terms.values())] == []


def test_a_card_says_what_a_pretraining_began_with_and_what_was_seen_then(results: Path) -> None:
    path = results / "pretrain/tiny/encoder.json"
    info = read_json(path) | {"training": {"steps": 200, "sources": ["alpha"]}}
    audit = results / "manifest/audit.json"
    counts = {"train": {"records": 40, "patients": 7}}
    more = {"counts": {"alpha": counts, "beta": counts}, "databases": {"alpha": ["challenge2021"]}}
    write_json(audit, read_json(audit) | more)
    foreign = {"name": "ecg-jepa", "weights": "import", "sha256": 64 * "c",
               "imported": {"origin": "ECG-JEPA, pretrained", "licence": "MIT", "pretrained_on": ["ptbxl"]}}  # fmt: skip
    middle = {"name": "mid", "weights": "pretrain", "training": {"sources": ["beta"]}, "continues": foreign}
    write_json(path, info | {"continues": middle})
    seen = seen_on(results, config=CardSlice())
    assert "beta pretraining 40 7 patients" in seen
    began = (
        "mid (weights: pretrain; trained on beta), which began with ecg-jepa (ECG-JEPA, pretrained; licence MIT; trained on"
        f" PTB-XL; SHA-256 {12 * 'c'})"
    )
    assert f"The encoder's pretraining began with the weights of {began}." in seen
    assert f"Weights pretrain, which began with {began}" in seen
    assert "Leakage not excluded : the audit" in seen
    assert (
        "48 records of alpha, among them 0 records and 0 patients of this test split; before that pretrained on another"
        " manifest (other records, splits or signals): what it saw is not known here; the weights were made elsewhere:"
    ) in seen
    assert "the encoder's pretraining (PTB-XL) and alpha: both have recordings of PTB-XL." in seen


def test_a_card_says_what_it_is_for_and_what_it_learnt_from(results: Path) -> None:
    counts = {"train": {"records": 40, "patients": 7}, "test": {"records": 12, "patients": 2}}
    path = results / "manifest/audit.json"
    one = {"split": "test", "patient": "alpha/secret", "records": 11, "of": 12}
    dominant = [one | {"source": "alpha"}, one | {"source": "unused", "records": 10}]
    write_json(path, read_json(path) | {"counts": {"alpha": counts, "unused": counts}, "dominant": dominant})
    path = results / "pretrain/tiny/encoder.json"
    write_json(path, read_json(path) | {"training": {"sources": ["alpha", "elsewhere"]}})
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    write_json(path, read_json(path) | {"sources": ["alpha"]})
    path = results / "finetune/tiny/super/full-s0/model.json"
    n = {"train_records": 39, "train_patients": 7, "valid_records": 8, "valid_patients": 3}
    write_json(path, read_json(path) | {"training": n})
    said = CardSlice(card=CardConfig(intended_use="Triage in <b>Bern</b>."), licences={"alpha": "CC BY 4.0"})
    seen = seen_on(results, config=said)
    assert "Meant for Triage in <b>Bern</b>. Not for Its makers have not said: card.out_of_scope ." in seen
    assert "Anything that is none of its labels: it knows NORM, MI." in seen
    assert "alpha pretraining, fine-tuning and test 40 7 patients – 12 2 patients CC BY 4.0" in seen
    assert "elsewhere pretraining – – – unknown: licence of the source says nothing" in seen
    assert "11 of the 12 records of alpha in the split test are of one patient : what is learnt or measured" in seen
    assert "unused" not in seen
    assert "secret" not in seen
    assert "Fitted to 39 records of 7 patients, validated on 8 of 3." in seen
    assert "Its makers have not said: card.intended_use in the config." in seen_on(results)


def test_the_rule_of_thresholds_is_the_models_own(results: Path) -> None:
    """Not that of a config which was edited and not trained with."""
    path = results / "config/finetune/tiny.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("finetune: {threshold: youden}\n")
    assert "trained by an earlier ecglfm, which did not write its settings beside it." in seen_on(results)
    path = results / "finetune/tiny/super/full-s0/model.json"
    write_json(path, read_json(path) | {"finetune": {"threshold": "f1"}})
    assert "the one with the largest F1." in seen_on(results)
    path.unlink()  # as `ecglfm clean --keep reports` does
    seen = seen_on(results)
    assert "Its model is no longer in the results, so its settings are not known. The rule is unknown." in seen
    assert "earlier ecglfm" not in seen


def test_a_survival_model_is_calibrated_by_its_hazard(results: Path) -> None:
    for path in (results / "evaluate").rglob("metrics.json"):
        metrics = read_json(path)
        for key in ("calibration", "micro", "subgroups"):
            metrics.pop(key, None)
        for entries in (metrics["macro"], *metrics["labels"].values()):
            entries |= dict.fromkeys(("c_index", "c_index_uno", "td_auc"), entries["auroc"])
        write_json(path, metrics)
    assert "It was not calibrated." in seen_on(results)
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    write_json(path, read_json(path) | {"kind": "survival", "survival_times": {"MI": [1.0, 2.0], "NORM": None}})
    seen = seen_on(results)
    assert "A slope and a baseline hazard, fitted on the validation split, make probabilities of its log" in seen
    assert "It was not calibrated." not in seen
    for slope, said in ((0.8, "A slope and a baseline hazard, fitted"), (1.0, "A baseline hazard, fitted")):
        slopes = {"MI": slope, "NORM": 1.0}
        write_json(path, read_json(path) | {"calibration": {"fitted_on": "valid", "slope": slopes}})
        seen = seen_on(results)
        assert f"{said} on the validation split, make" in seen
        assert ">Slope</th>" in (results / "card.html").read_text()
        assert re.search(rf"MI {slope:.3f}", seen)
        assert "Temperature" not in seen


def test_a_copy_goes_with_the_model(results: Path) -> None:
    copy = results / "finetune/tiny/super/full-s0/card.html"
    output = results / "evaluate/tiny/super/full-s0/card.html"
    run_card(results, FittedModel("tiny", "super", "full-s0"), output, copy=copy)
    assert copy.read_bytes() == output.read_bytes()
    assert 'href="../../../../report/index.html"' in copy.read_text()  # as deep, so that it leads there from either


def test_prediction_sets_beside_their_promise(results: Path) -> None:
    assert "Prediction sets" not in seen_on(results)
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    kept = {"coverage": 0.875, "ci_low": 0.47, "ci_high": 0.997, "patients": 8}
    none = {"coverage": None, "ci_low": None, "ci_high": None, "patients": 0}
    sets = {"present": 0.5, "absent": 0.25, "either": 0.25, "neither": 0.0}
    labels = {"NORM": {"present": kept, "absent": none, "sets": sets}, "MI": {"reason": "too few patients"}}
    write_json(path, read_json(path) | {"conformal": {"coverage": 0.9, "labels": labels}})
    seen = seen_on(results)
    assert "Of 90 % of the patients with a label, and of as many without it, the set is to hold the truth." in seen
    assert "NORM 0.875 0.470–0.997, 8 patients no patient 50.0 % 25.0 % 25.0 % 0.0 %" in seen
    assert "MI too few patients" in seen


def cross_validated(results: Path) -> None:
    """Make the evaluation one of three folds: what `evaluate` writes of them."""
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    models = [{"fit": f"full-s0-f{fold}of3", "n": {"records": 5 - fold, "patients": 1}} for fold in range(3)]
    found = {"mean": 0.8761, "folds": 2, "values": [0.8, None, 0.953]}
    labels = {name: {"auroc": found} for name in ("NORM", "MI")}
    folds = {"k": 3, "models": models, "labels": labels, "macro": {"auroc": {"mean": 0.8761, "folds": 2}}}
    thresholds = {"NORM": [0.5, 0.25, 0.75], "MI": [0.25] * 3}
    calibration = {"method": "temperature", "fitted_on": "valid", "temperature": {"NORM": [1.5, 0.5, 1], "MI": [2] * 3}}
    write_json(path, read_json(path) | {"folds": folds, "thresholds": thresholds, "calibration": calibration})
    audit = results / "manifest/audit.json"
    write_json(
        audit,
        read_json(audit) | {"folds": {"alpha": {str(fold): {"records": 5, "patients": 7 + fold} for fold in range(3)}}},
    )


def test_the_card_of_a_cross_validation_speaks_of_the_procedure(results: Path) -> None:
    cross_validated(results)
    seen = seen_on(results)
    assert "Cross-validation: 3 models, each of which was tested on a fold that it was not fitted to" in seen
    assert "Pooled, AUROC compares scores of different models, which are not on one scale, and so errs low" in seen
    assert "none of the 3 models is the one to use. For that, fit one to everything in an ordinary project" in seen
    assert "0 full-s0-f0of3 5 1 1 full-s0-f1of3 4 1 2 full-s0-f2of3 3 1" in seen
    assert seen.count(" 2 folds 0.876") == 4  # beside the baselines, of two labels, macro
    assert "NORM 6 of 12 0.250 – 0.750 1.000" in seen  # the thresholds of three models
    assert "MI 3 of 12 0.250 " in seen
    assert "Temperatures fitted on the validation split: MI 2.000, NORM 0.500 – 1.500. Brier and ECE with" in seen
    assert "the word uncalibrated are of the probabilities before; all other numbers are of those after" in seen
    assert "0 pairs of duplicates across splits or folds" in seen


def test_the_report_of_a_cross_validation(results: Path) -> None:
    cross_validated(results)
    run_report(results, results / "report.html")
    body = html.unescape(re.sub(r"<[^>]+>", " ", (results / "report.html").read_text()))
    seen = " ".join(body.split())
    assert "full-s0 3 folds, pooled" in seen
    assert "Cross-validated, and counted as Test above: alpha in 3 folds of 7 to 9 patients." in seen
    assert (
        "no patient is in more than one split or fold; duplicate recordings: 1 pair, none across splits or folds."
        in seen
    )
    assert "Cross-validation: 3 models" in seen


def test_a_model_that_was_not_evaluated(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="metrics.json: no such file; run `evaluate` of this model first"):
        run_card(tmp_path, FittedModel("a", "b", "c"), tmp_path / "card.html")
