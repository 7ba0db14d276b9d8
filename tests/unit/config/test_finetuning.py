"""Fine-tuning options, and the kinds of task that they fit."""

from __future__ import annotations

import pytest

from ecglfm.config import FinetuneConfig, UserError
from ecglfm.config.finetuning import check_kind


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"loss": "focal"}, "multiclass", "finetune.loss: focal does not fit task t of kind multiclass; write one of auto, ce"),
        ({"loss": "cox"}, "binary", "one of auto, bce, focal, asymmetric"),
        ({"select_by": "auroc"}, "survival", "finetune.select_by: auroc does not fit .* one of loss, c_index"),
        ({"select_by": "c_index"}, "regression", "one of loss, mae"),
        ({"modes": ["full", "zero_shot"]}, "survival", "finetune.modes: zero_shot asks for labels in words, and task t of kind"),
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
    for kind in ("binary", "multilabel", "multiclass"):
        check_kind(FinetuneConfig(modes=["zero_shot"]), kind, "t")
