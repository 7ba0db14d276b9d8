"""Names of fits, and what of the section `finetune` fits which kind of task."""

from __future__ import annotations

import pytest

from ecglfm.config import FinetuneConfig, UserError
from ecglfm.config.finetuning import check_kind
from ecglfm.config.fits import Fit, parse_fit


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("full-s0", Fit("full", 0, 1.0)),
        ("linear-s12", Fit("linear", 12, 1.0)),
        ("full-s0-10pct", Fit("full", 0, 0.1)),
        ("frozen-s3-0.5pct", Fit("frozen", 3, 0.005)),
        ("full-s0-7pct", Fit("full", 0, 0.07)),  # 100 x 0.07 is not 7 in binary numbers
    ],
)
def test_a_name_says_mode_seed_and_share(name: str, fit: Fit) -> None:
    assert parse_fit(name) == fit
    assert fit.name == name


@pytest.mark.parametrize(
    "name",
    ["full", "full-0", "whole-s0", "full-s-1", "full-s0 ", "../full-s0", "full-s0-pct", "full-s0-0pct",
     "full-s0-100pct", "full-s0-101pct", "full-s0-10.0pct", "full-s00"],
)  # fmt: skip
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected {mode}-s{seed}"):
        parse_fit(name)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"loss": "focal"}, "multiclass", "finetune.loss: focal does not fit task t of kind multiclass; write one of auto, ce"),
        ({"loss": "cox"}, "binary", "one of auto, bce, focal, asymmetric"),
        ({"select_by": "auroc"}, "survival", "finetune.select_by: auroc does not fit .* one of loss, c_index"),
        ({"select_by": "c_index"}, "regression", "one of loss, mae"),
        ({"class_weights": "balanced"}, "regression", "finetune.class_weights: task t of kind regression has no classes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_kind_is_one_line(options: dict[str, str], kind: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_kind(FinetuneConfig(**options), kind, "t")


def test_what_fits_is_accepted() -> None:
    for kind, loss, select_by in [
        ("binary", "asymmetric", "f1"), ("multilabel", "focal", "auprc"), ("multiclass", "ce", "auroc"),
        ("regression", "huber", "mae"), ("survival", "cox", "c_index"), ("survival", "auto", "loss"),
    ]:  # fmt: skip
        check_kind(FinetuneConfig(loss=loss, select_by=select_by), kind, "t")
