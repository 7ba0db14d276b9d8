"""An encoder as its config asks for it, before any training: new, random for good, or somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecglfm.config import BASELINES, EncoderSlice, PretrainConfig
from ecglfm.config.encoders import check_model, check_reads_same, check_whole, content_hash
from ecglfm.models.bundle import load_encoder, save_encoder
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.models.lineage import continued
from ecglfm.models.pretraining import objective_class
from ecglfm.models.seen import read_seen, write_seen
from ecglfm.models.text import copy_alignment
from ecglfm.provenance import read_json, write_text
from ecglfm.training.checkpoints import config_hash
from ecglfm.training.pretraining.loop import history_columns

#: The `data_hash` that fingerprints stand for, and those.
Seen = tuple[str, np.ndarray]


def build_encoder(slice_: EncoderSlice, seed: int, seconds: float | None = None) -> Encoder:
    """A new encoder; the same seed gives the same weights, to be trained or not; `seconds` of a segment."""
    torch.manual_seed(seed)
    seconds = seconds or crop_seconds(slice_)
    geometry = (slice_.leads, slice_.sampling_rate, slice_.preprocess, seconds)
    return make_encoder(slice_.config.model, *geometry, slice_.input)


def crop_seconds(slice_: EncoderSlice) -> float:
    """Length of an encoder's segments, s, before it is made; raises as `load_imported`."""
    if slice_.input is not None:
        return slice_.input.window_seconds
    if slice_.config.pretrain is None and slice_.config.import_path is not None:
        return load_imported(slice_).crop_seconds
    return (slice_.config.pretrain or PretrainConfig(steps=1)).crop_seconds


def write_untrained(slice_: EncoderSlice, output: Path, seconds: float | None = None) -> None:
    """Write an encoder with random, imported or no weights in the form of a pretrained one.

    Parameters
    ----------
    slice_ : EncoderSlice
    output : path
    seconds : float, optional
        Length of a random encoder's segments; None: the usual one.

    Raises
    ------
    UserError
        The imported encoder has another architecture or reads signals prepared in another way.
    """
    config = slice_.config
    info: dict[str, Any] = {"name": slice_.encoder, "weights": config.weights}
    if config.weights in BASELINES:
        encoder = build_encoder(slice_, config.seed, seconds)
        info |= {"config_hash": config_hash(slice_), "data_hash": None, "training": {"seed": config.seed, "steps": 0}}
    else:
        encoder = load_imported(slice_)
        if encoder.info.get("weights") in BASELINES:
            info["weights"] = encoder.info["weights"]  # it stays a control wherever it is brought from
        if known := read_seen(Path(config.path or "")):
            write_seen(output, known)
        copy_alignment(Path(config.path or ""), output)
    save_encoder(output, encoder, info)
    usual = objective_class(PretrainConfig.model_fields["objective"].default)
    write_text(output / "history.csv", ",".join(history_columns(usual.columns)) + "\n")


def load_imported(slice_: EncoderSlice) -> Encoder:
    """The encoder that `weights: import` takes, on the host.

    Raises
    ------
    UserError
        It is not there or broken, or it is not what the config says.
    """
    path = slice_.config.path or ""
    encoder = load_encoder(Path(path))
    check_model(encoder.config, slice_.config.model, path)
    check_reads_same(encoder.preprocess, encoder.input, slice_.preprocess, slice_.input, path)
    if slice_.input is not None:  # which the project makes of its own signals
        encoder.preprocess, encoder.input = slice_.preprocess, slice_.input
        encoder.crop_seconds = slice_.input.window_seconds
    return encoder


def starting_encoder(slice_: EncoderSlice, seed: int) -> Encoder:
    """The encoder that a training begins with: a new one, or that with imported weights; raises as `load_imported`."""
    encoder = build_encoder(slice_, seed)
    if slice_.config.import_path is not None:
        encoder.load_state_dict(load_imported(slice_).state_dict())
    return encoder


def with_base(slice_: EncoderSlice) -> tuple[EncoderSlice, dict[str, Any] | None]:
    """A training's slice as it identifies the training, and what `encoder.json` says of the weights it begins with.

    The slice gets the SHA-256 of the imported folder as it is now, whatever the plan knew of it; None: new weights.
    Raises as `load_imported`.
    """
    if slice_.config.import_path is None:
        return slice_, None
    folder = Path(slice_.config.import_path)
    check_whole(folder, f"{slice_.encoder}: path")
    info, sha256 = load_imported(slice_).info, content_hash(folder, "encoder", {})
    return slice_.model_copy(update={"sha256": sha256}), continued(info, sha256)


def all_seen(own: Seen, base: str | None, output: Path) -> dict[str, Seen]:
    """What a training saw, and what the encoder saw before that it goes on with.

    Parameters
    ----------
    own : (str, ndarray)
        `data_hash` and `fingerprints` of the training's own recordings.
    base : str or None
        Folder of that encoder; None: new weights.
    output : path
        Folder of what the training makes. Of an encoder that was pretrained beside it, what both saw counts as one: who
        is left out of the project later was seen by both. One that was only imported there saw others' recordings.

    Returns
    -------
    dict
        `pretraining`, and `before` of an encoder from elsewhere.
    """
    known = {} if base is None else read_seen(Path(base))
    elsewhere = [known["before"]] if "before" in known else []
    if base is not None and (theirs := known.get("pretraining")) is not None:
        beside = Path(base).resolve().parent == output.resolve().parent
        if beside and read_json(Path(base) / "encoder.json").get("weights") == "pretrain":
            own = (own[0], np.union1d(own[1], theirs[1]))
        else:
            elsewhere.append(theirs)
    if not elsewhere:
        return {"pretraining": own}
    prints = np.unique(np.concatenate([prints for _, prints in elsewhere]))
    return {"pretraining": own, "before": (elsewhere[-1][0], prints)}
