"""Pretraining in an encoder's YAML: lengths, masks, and what would not happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import (
    EncoderConfig,
    PretrainConfig,
    UserError,
    parse,
    read_yaml,
)


def test_a_training_that_would_not_happen_is_refused(repository: Path) -> None:
    tiny = read_yaml(repository / "config/encoders/tiny.yaml")
    assert parse(EncoderConfig, tiny, "tiny.yaml").pretrain is not None
    with pytest.raises(UserError, match="`weights: random` trains nothing, and there is a `pretrain:`"):
        parse(EncoderConfig, tiny | {"weights": "random"}, "tiny.yaml")


def test_a_training_goes_on_with_imported_weights_of_what_can_be_trained(repository: Path) -> None:
    tiny = read_yaml(repository / "config/encoders/tiny.yaml") | {"weights": "import", "path": "x"}
    config = parse(EncoderConfig, tiny | {"pretrained_on": ["code15"]}, "tiny.yaml")
    assert (config.pretrain is not None, config.import_path, config.pretrained_on) == (True, "x", ["code15"])
    convnet = {"kind": "convnet", "dim": 16, "blocks": [1]}
    with pytest.raises(UserError, match="`kind: convnet` is not pretrained: take `pretrain:` out, and fine-tune in"):
        parse(EncoderConfig, tiny | {"model": convnet}, "tiny.yaml")
    objective = {"steps": 1, "objective": {"kind": "cpc"}}
    with pytest.raises(UserError, match="cpc predicts what comes, which this encoder sees"):
        parse(EncoderConfig, tiny | {"pretrain": objective}, "tiny.yaml")


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
    assert set(PretrainConfig.model_fields) >= PretrainConfig.LATER


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


def test_what_imported_weights_were_pretrained_on_is_of_known_databases() -> None:
    model = {"kind": "conformer", "layers": 3, "dim": 24, "ffn_dim": 8, "heads": 2}
    content = {"model": model, "weights": "import", "path": "x", "pretrained_on": ["mimic_iv_ecg"]}
    config = parse(EncoderConfig, content, "e.yaml")
    assert config.pretrained_on == ["mimic_iv_ecg"]
    assert "pretrained_on" not in config.model_dump()  # no edit of it makes an encoder anew
    with pytest.raises(UserError, match="'mimic' is no database that is known here; near ones: mimic_iv_ecg"):
        parse(EncoderConfig, content | {"pretrained_on": ["mimic"]}, "e.yaml")
    with pytest.raises(UserError, match="`pretrained_on` is of imported weights, and there is `weights: random`"):
        parse(EncoderConfig, content | {"weights": "random", "path": None}, "e.yaml")
