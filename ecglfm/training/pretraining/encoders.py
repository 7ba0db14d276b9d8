"""An encoder as its config asks for it, before any training: new, random for good, or somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ecglfm.config import BASELINES, EncoderSlice, PretrainConfig, UserError
from ecglfm.config.imported import check_preprocess
from ecglfm.models.bundle import load_encoder, save_encoder
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.models.pretraining import objective_class
from ecglfm.models.seen import read_seen, write_seen
from ecglfm.provenance import write_text
from ecglfm.training.checkpoints import config_hash
from ecglfm.training.pretraining.loop import history_columns


def build_encoder(slice_: EncoderSlice, seed: int) -> Encoder:
    """A new encoder; the same seed gives the same weights, to be trained or not."""
    torch.manual_seed(seed)
    pretrain, preprocess = slice_.config.pretrain, slice_.preprocess
    seconds = pretrain.crop_seconds if pretrain else PretrainConfig.model_fields["crop_seconds"].default
    return make_encoder(slice_.config.model, preprocess.leads, preprocess.sampling_rate, preprocess, seconds)


def write_untrained(slice_: EncoderSlice, output: Path) -> None:
    """Write an encoder with random, imported or no weights in the form of a pretrained one.

    Raises
    ------
    UserError
        The imported encoder has another architecture or reads signals prepared in another way.
    """
    config = slice_.config
    info: dict[str, Any] = {"name": slice_.encoder, "weights": config.weights}
    if config.weights in BASELINES:
        encoder = build_encoder(slice_, config.seed)
        info |= {"config_hash": config_hash(slice_), "data_hash": None, "training": {"seed": config.seed, "steps": 0}}
    else:
        encoder = load_encoder(Path(config.path or ""))
        if encoder.info.get("weights") in BASELINES:
            info["weights"] = encoder.info["weights"]  # it stays a control wherever it is brought from
        _check_import(encoder, slice_)
        if known := read_seen(Path(config.path or "")):
            write_seen(output, known)
    save_encoder(output, encoder, info)
    usual = objective_class(PretrainConfig.model_fields["objective"].default)
    write_text(output / "history.csv", ",".join(history_columns(usual.columns)) + "\n")


def _check_import(encoder: Encoder, slice_: EncoderSlice) -> None:
    """Refuse an encoder that is not what the config says."""
    wanted, found = slice_.config.model.model_dump(), encoder.config.model_dump()
    for key in wanted:
        if found[key] != wanted[key]:
            raise UserError(
                f"{slice_.config.path}: its {key} is {found[key]!r}, this project's is {wanted[key]!r};"
                " make them agree, or leave `model` out, which the folder says"
            )
    check_preprocess(encoder.preprocess, slice_.preprocess, str(slice_.config.path))
