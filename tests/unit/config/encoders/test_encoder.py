"""An encoder's YAML: where weights come from, and what would not happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import EncoderConfig, UserError, parse, read_yaml


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


def test_a_licence_starts_nothing_anew(repository: Path) -> None:
    tiny = read_yaml(repository / "config/encoders/tiny.yaml")
    config = parse(EncoderConfig, tiny | {"licence": "CC BY-NC 4.0"}, "tiny.yaml")
    assert config.licence == "CC BY-NC 4.0"
    assert config.model_dump() == parse(EncoderConfig, tiny, "tiny.yaml").model_dump()


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


INPUT = {"leads": ["I", "II"], "sampling_rate": 100, "window_seconds": 2}


def test_an_encoder_without_a_contract_is_written_as_before_there_were_any(repository: Path) -> None:
    tiny = read_yaml(repository / "config/encoders/tiny.yaml")
    config = parse(EncoderConfig, tiny, "tiny.yaml")
    assert "input" not in config.model_dump(mode="json")
    assert "input" not in parse(EncoderConfig, tiny | {"input": None}, "tiny.yaml").model_dump(mode="json")
    own = tiny | {"input": INPUT, "pretrain": tiny["pretrain"] | {"crop_seconds": 2}}
    written = parse(EncoderConfig, own, "tiny.yaml").model_dump(mode="json")
    assert written["input"] | INPUT == written["input"]
    assert parse(EncoderConfig, written, "again").input == parse(EncoderConfig, own, "tiny.yaml").input


def test_a_contract_that_does_not_fit_the_encoder_is_refused(repository: Path) -> None:
    tiny = read_yaml(repository / "config/encoders/tiny.yaml")
    with pytest.raises(UserError, match=r"pretrain.crop_seconds is 5, and input.window_seconds 2: make them the same"):
        parse(EncoderConfig, tiny | {"input": INPUT, "pretrain": tiny["pretrain"] | {"crop_seconds": 5}}, "tiny.yaml")
    statistics = {"model": {"kind": "statistics"}, "weights": "none"}
    assert parse(EncoderConfig, statistics | {"input": INPUT}, "s.yaml").input.millivolts
    unitless = INPUT | {"window": [{"step": "standardize"}], "unit": "standardised"}
    with pytest.raises(UserError, match="`kind: statistics` reads millivolts, and `input` makes standardised of them"):
        parse(EncoderConfig, statistics | {"input": unitless}, "s.yaml")
