"""What a pretraining tells MLflow: its name, and what it does otherwise than usual."""

from __future__ import annotations

from typing import Any

from ecglfm.config import EncoderSlice
from ecglfm.config.difference import changed
from ecglfm.tracking import standard_tags

TOLD = ("pretrain.lr",)  # keys that every name tells


def run_of_pretraining(slice_: EncoderSlice, *, rule: str | None, **hashes: str | None) -> dict[str, Any]:
    """Arguments of `start_run`.

    Parameters
    ----------
    slice_ : EncoderSlice
        With a `pretrain` section.
    rule : str or None
        The Snakemake rule, for a tag.
    **hashes : str or None
        `config_hash`, `data_hash`, `manifest_hash`, for tags.
    """
    assert slice_.config.pretrain is not None
    different = changed(slice_.config)
    different["pretrain"] = {"lr": slice_.config.pretrain.lr} | different["pretrain"]
    return {
        "stage": "pretrain",
        "name": slice_.encoder,
        "tags": standard_tags(stage="pretrain", encoder=slice_.encoder, rule=rule, **hashes),
        "params": {**different, "preprocess": changed(slice_.preprocess)},
        "config": {
            **slice_.config.model_dump(mode="json"),
            "preprocess": slice_.preprocess.model_dump(mode="json"),
        },
        "told": TOLD,
    }
