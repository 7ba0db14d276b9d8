"""In what a training that goes on from a checkpoint is another one than it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ecglfm.config import ConformerConfig, ModelConfig, S4Config
from ecglfm.models.pretraining import Objective

logger = logging.getLogger(__name__)


def warn_of_changes(state: Mapping[str, Any], model: ModelConfig, objective: type[Objective], *, pairs: int) -> None:
    """Warn where the loss may jump: the global batch is spread in another way, or the objective is a later version.

    Parameters
    ----------
    state : mapping
        Of the checkpoint: `batch_size` and, since there are others than the first, the `objective`'s version.
    model : ModelConfig
    objective : type of Objective
    pairs : int
        Of a forward, now.
    """
    before, version = state["batch_size"], state.get("objective", 1)
    by_batch = (isinstance(model, S4Config) and bool(model.conv_layers)) or (
        isinstance(model, ConformerConfig) and model.norm == "batch"
    )
    if pairs != before and by_batch and not getattr(model, "norm_sync", False):
        logger.warning(
            "BatchNorm now sees %d pairs at a time, before %d: the loss may jump; with `model.norm_sync: true`%s"
            " it would not",
            pairs, before, " or `norm: group`" if model.kind == "conformer" else "",
        )  # fmt: skip
    if version != objective.version:
        logger.warning(
            "the checkpoint is of an ecglfm that hid frames in another way (version %d of the objective, now %d; see"
            " CHANGELOG.md): the training goes on in the new way, and its loss may jump",
            version, objective.version,
        )  # fmt: skip
