"""What a card says beside its numbers: rules of thresholds word by word, and limits that were planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import FinetuneConfig
from ecglfm.evaluation.report.disclosure import limits, threshold_rule, told
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.provenance import write_json

START = "Of each label's thresholds on the validation split, "


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"threshold": "f1"}, "the one with the largest F1."),
        ({"threshold": "fbeta", "threshold_beta": 2}, "the one with the largest F-beta, beta 2."),
        ({"threshold": "youden"}, "the one with the largest Youden index (sensitivity + specificity - 1)."),
        (
            {"threshold": "sensitivity", "threshold_sensitivity": 0.95},
            "the highest that reaches a sensitivity of 0.95.",
        ),
    ],
)
def test_the_rule_of_thresholds(keys: dict, said: str) -> None:
    assert threshold_rule(FinetuneConfig(**keys, threshold_min_positives=0)) == START + said
    smoothed = f"{START}{said} Those of labels with fewer than 20 positive validation patients were smoothed."
    assert threshold_rule(FinetuneConfig(**keys)) == smoothed
    assert threshold_rule(None) is None


def test_a_model_says_itself_what_it_was_told(tmp_path: Path) -> None:
    """Whatever stands in the config by now; of a cross-validation the first of those that were evaluated says it."""
    for name, lr in (("full-s0", 0.001), ("full-s0-lr3", 0.003), ("full-s1-f0of5", 0.005), ("full-s1-f0of3", 0.007)):
        write_json(tmp_path / f"finetune/tiny/af/{name}/model.json", {"finetune": {"lr": lr}})
    path = tmp_path / "config/finetune/tiny.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("finetune: {lr: 0.5}\n")
    of_folds = {"folds": {"models": [{"fit": f"full-s1-f{fold}of5"} for fold in range(5)]}}
    fits = [("full-s0", {}), ("full-s0-lr3", {}), ("full-s1", of_folds)]
    found = [told(tmp_path, FittedModel("tiny", "af", fit), metrics) for fit, metrics in fits]
    assert [config.lr for config in found] == [0.001, 0.003, 0.005]
    write_json(tmp_path / "finetune/tiny/af/full-s0/model.json", {"fit": "full-s0"})  # of an earlier ecglfm
    assert told(tmp_path, FittedModel("tiny", "af", "full-s0"), {}) is None
    assert told(tmp_path, FittedModel("other", "af", "full-s0"), {}) is None


def test_limits_are_those_of_the_run() -> None:
    def auroc(low: float | None, high: float | None, **more: str) -> dict:
        return {"auroc": {"value": 0.6, "ci_low": low, "ci_high": high} | more}

    labels = {"coin": auroc(0.45, 0.55), "MI": auroc(0.8, 0.9), "rare": auroc(None, None, reason="too few patients")}
    encoder = {"weights": "random", "warnings": ["the codebook collapsed"]}
    assert limits({"labels": labels, "left_out": {"HYP": "none"}}, {"clean": False}, encoder) == [
        "Leakage is not excluded: see above.",
        "No external validation: every test record is of a source that it was fitted to.",
        "Too few test patients to be judged by themselves: rare.",
        "AUROC not told apart from chance (0.5): coin.",
        "Labels of the task that it does not know: HYP.",
        "Its encoder has random weights: it is a baseline.",
        "Warnings of the pretraining: the codebook collapsed.",
    ]
    good = {"labels": {"MI": auroc(0.8, 0.9)}, "external": {"clinic": {}}}
    assert limits(good, {"clean": True}, {"weights": "pretrain", "warnings": []}) == []
