"""Encoders that are not pretrained here: seeded ones, and imported ones that must fit the project."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ecglfm.config import EncoderSlice, UserError
from ecglfm.models.bundle import load_encoder
from ecglfm.training.pretraining.encoders import build_encoder, write_untrained
from tests.unit.training.pretraining.small_pretraining import encoder_slice


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    weights = other.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())


def test_weights_follow_from_the_seed_alone() -> None:
    first = build_encoder(encoder_slice(), 3)
    torch.manual_seed(99)
    assert same(build_encoder(encoder_slice(), 3), first)
    assert not same(build_encoder(encoder_slice(), 4), first)


def test_random_weights_are_written_with_their_seed_and_an_empty_history(tmp_path: Path) -> None:
    slice_ = encoder_slice(weights="random")
    write_untrained(slice_, tmp_path)
    encoder = load_encoder(tmp_path)
    assert same(encoder, build_encoder(slice_, slice_.config.seed))
    assert (encoder.info["weights"], encoder.info["training"]) == ("random", {"seed": slice_.config.seed, "steps": 0})
    (header,) = (tmp_path / "history.csv").read_text().splitlines()
    assert header.startswith("step,epoch,split,")
    copy = encoder_slice(weights="import", path=str(tmp_path))
    write_untrained(copy, tmp_path / "copy")
    assert load_encoder(tmp_path / "copy").info["weights"] == "random"  # it stays a control


def test_statistics_are_written_without_weights_and_stay_a_control(tmp_path: Path) -> None:
    def of(weights: str, path: Path | None = None) -> EncoderSlice:
        content = {"model": {"kind": "statistics"}, "weights": weights, "path": path and str(path)}
        return EncoderSlice.model_validate(encoder_slice().model_dump() | {"config": content})

    slice_ = of("none")
    write_untrained(slice_, tmp_path)
    encoder = load_encoder(tmp_path)
    assert (encoder.info["weights"], encoder.state_dict()) == ("none", {})
    write_untrained(of("import", tmp_path), tmp_path / "copy")
    assert load_encoder(tmp_path / "copy").info["weights"] == "none"


@pytest.mark.parametrize("key", ["leads", "dim"])
def test_an_encoder_that_reads_something_else_is_refused(tmp_path: Path, key: str) -> None:
    write_untrained(encoder_slice(weights="random"), tmp_path)
    slice_: EncoderSlice = encoder_slice(weights="import", path=str(tmp_path))
    if key == "leads":
        preprocess = slice_.preprocess.model_copy(update={"leads": ["I", "II", "V2"]})
        slice_ = slice_.model_copy(update={"preprocess": preprocess})
    else:
        model = slice_.config.model.model_copy(update={"dim": 2 * slice_.config.model.dim})
        slice_ = slice_.model_copy(update={"config": slice_.config.model_copy(update={"model": model})})
    with pytest.raises(UserError, match=rf"its {key} is .*, this project's is .*; make them agree"):
        write_untrained(slice_, tmp_path / "out")
    assert not (tmp_path / "out").exists()
