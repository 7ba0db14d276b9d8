"""What a pretraining tells MLflow."""

from __future__ import annotations

from ecglfm.config import EncoderConfig, EncoderSlice, PreprocessConfig
from ecglfm.training.pretraining.tracked import run_of_pretraining

MODEL = {"dim": 64, "layers": 2, "ffn_dim": 128, "heads": 4}


def test_parameters_are_those_that_differ_from_the_defaults() -> None:
    config = EncoderConfig.model_validate(
        {"weights": "pretrain", "model": MODEL, "pretrain": {"steps": 9, "mask": {"length": 3}}}
    )
    slice_ = EncoderSlice(encoder="tiny", config=config, preprocess=PreprocessConfig(sampling_rate=250))
    about = run_of_pretraining(slice_, rule="pretrain_encoder", config_hash="c", data_hash="d", manifest_hash=None)
    assert config.pretrain is not None
    assert about["params"] == {
        "model": {"kind": "conformer"} | MODEL,
        "pretrain": {"lr": config.pretrain.lr, "steps": 9, "mask": {"length": 3}},
        "preprocess": {"sampling_rate": 250},
    }
    assert about["config"]["pretrain"]["mask"]["length"] == 3
    assert about["config"]["preprocess"]["leads"] == list(PreprocessConfig().leads)
    assert about["told"] == ("pretrain.lr",)
    assert about["tags"] == {
        "stage": "pretrain", "encoder": "tiny", "config_hash": "c", "data_hash": "d",
        "snakemake_rule": "pretrain_encoder",
    }  # fmt: skip
