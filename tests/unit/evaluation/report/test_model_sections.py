"""What the report says about encoders and models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.report.model_sections import (
    FittedModel,
    encoder_section,
    evaluation_section,
    parse_model,
    training_section,
)
from ecglfm.provenance import read_json, write_json
from tests.unit.evaluation.report.pages_read import page_of, words


@pytest.mark.usefixtures("quick")
def test_warnings_of_a_pretraining_are_told(results: Path):
    assert "Warnings" not in words(page_of(results))
    path = results / "pretrain/tiny/encoder.json"
    info = read_json(path)
    warnings = [
        {"warning": "codebook_collapse", "step": 40, "times": 1, "text": "code perplexity 1.00 is under 2"},
        {"warning": "skipped_update", "step": 120, "times": 3, "text": "the loss is not finite"},
    ]
    write_json(path, info | {"training": info["training"] | {"skipped_updates": 5, "warnings": warnings}})
    seen = words(page_of(results))
    assert (
        "Warnings Step 40: code perplexity 1.00 is under 2 Step 120 (and 2 more): the loss is not finite Made by"
        in seen
    )
    assert "skipped updates 5" in seen


@pytest.mark.usefixtures("quick")
def test_undefined_metrics_show_their_reason(results: Path):
    path = results / "evaluate/tiny/super/full-s0/metrics.json"
    metrics = read_json(path)
    metrics["macro"]["auroc"]["labels"] = ["NORM"]
    metrics["labels"]["MI"]["auroc"] = {
        "value": None,
        "ci_low": None,
        "ci_high": None,
        "reason": "no positive test record",
    }
    write_json(path, metrics)
    seen = words(page_of(results))
    assert "– no positive test record" in seen
    assert "1 of 2" in seen
    assert "Macro over 1 of 2 labels" in seen


@pytest.mark.parametrize("text", ["a/b", "a/b/c/d", "a//c", "a/../c", "./b/c", ""])
def test_a_model_is_named_by_encoder_task_and_fit(text: str) -> None:
    assert parse_model("tiny/af/full-s0", "--model") == FittedModel("tiny", "af", "full-s0")
    with pytest.raises(
        UserError, match=rf"^--model {re.escape(text)}: expected encoder/task/fit, e\.g\. tiny/af/full-s0$"
    ):
        parse_model(text, "--model")


def test_an_encoder_and_its_last_values(results: Path) -> None:
    section = encoder_section(results, "tiny")
    assert section is not None
    assert section["facts"] == {"kind": "conformer", "layers": 2, "dim": 64}
    assert section["input"] == "12 leads x 5.0 s at 100 Hz"
    assert section["training"] == {"steps": 200}
    assert section["last"] == ("step", 200)
    final = {row["term"]: (row["train"], row["valid"]) for row in section["final"]}
    assert final["loss"] == (4.5, 5.0)  # 4 + 100 / 200, 4.5 + 100 / 200
    assert "lr" not in final
    assert encoder_section(results, "none") is None


def test_metrics_stand_in_the_order_of_the_report(results: Path) -> None:
    section = evaluation_section(results, FittedModel("tiny", "super", "full-s0"))
    assert section is not None
    assert section["names"][:2] == ["auroc", "auprc"]
    assert section["headline"][0] == "auroc"
    assert evaluation_section(results, FittedModel("tiny", "super", "full-s9")) is None


@pytest.mark.usefixtures("quick")
def test_what_no_epoch_made_has_no_curves(results: Path) -> None:
    """A point at epoch 0, of a probe that was solved or of words, tells nothing that `metrics.json` does not."""
    fit = FittedModel("tiny", "super", "full-s0")
    assert training_section(results, [fit]).startswith("data:image/png")
    (results / f"finetune/{fit.path}/history.csv").write_text("epoch,split,loss,auroc\n0,valid,0.3,0.8\n")
    assert training_section(results, [fit]) == ""
    shown = words(page_of(results))
    assert "There are no curves: no epoch made these models" in shown
    assert "Nothing has been fine-tuned yet" not in shown
