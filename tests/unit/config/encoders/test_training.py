"""Pretraining in an encoder's YAML: lengths, masks, and what would not happen."""

from __future__ import annotations

import pytest

from ecglfm.config import (
    PretrainConfig,
    UserError,
    parse,
)


def test_length_of_pretraining_is_given_once() -> None:
    for content in ({}, {"steps": 1, "epochs": 1}):
        with pytest.raises(UserError, match="write one of `steps: N` and `epochs: N`"):
            parse(PretrainConfig, content, "x")


def test_a_half_residual_needs_half_precision() -> None:
    for precision in ("fp32", "tf32"):
        with pytest.raises(UserError, match=f"half_residual needs `precision: bf16` or `fp16`: {precision} is no half"):
            parse(PretrainConfig, {"steps": 1, "half_residual": True, "precision": precision}, "x")
    config = parse(PretrainConfig, {"steps": 1, "half_residual": True, "precision": "bf16"}, "x")
    assert config.model_dump()["half_residual"] is True


def test_a_key_that_came_later_starts_no_training_anew() -> None:
    assert not PretrainConfig.LATER & set(parse(PretrainConfig, {"steps": 1}, "x").model_dump())


def test_a_mixture_names_its_sources() -> None:
    def config(**keys: object) -> PretrainConfig:
        return parse(PretrainConfig, {"steps": 1, "mixture": {"b": 3, "a": 1}} | keys, "x")

    assert config().named_sources == ["a", "b"]
    assert config().model_dump()["mixture"] == {"b": 3, "a": 1}
    assert config(sources=["a", "b"]).named_sources == ["a", "b"]
    assert config(mixture=None, sources=["c"]).named_sources == ["c"]
    with pytest.raises(UserError, match="mixture: c is in one of `mixture` and `sources` alone; leave `sources` out"):
        config(sources=["a", "b", "c"])
    with pytest.raises(UserError, match="do not lie together: leave `shuffle_block` out"):
        config(shuffle_block=4)
    with pytest.raises(UserError, match=r"mixture\.a: .*greater than 0"):
        config(mixture={"a": 0, "b": 1})
