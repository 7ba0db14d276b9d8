"""What we tell DeepSpeed is what the installed one reads, for all that is shipped; a mistake is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import EncoderConfig, FinetuneConfig, PretrainConfig, UserError, load, read_yaml
from ecglfm.training.deepspeed_json import deepspeed_json, merge
from ecglfm.training.engine import _import_deepspeed

ENCODERS = sorted((Path(__file__).parents[3] / "config/encoders").glob("*.yaml"))
TRAINED = [path for path in ENCODERS if "pretrain" in read_yaml(path)]
SHIPPED = {path.stem: load(EncoderConfig, path).pretrain for path in TRAINED}


@pytest.fixture(scope="module", autouse=True)
def deepspeed():
    """As before a training: nothing of it is compiled."""
    return _import_deepspeed()


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16", "fp8"])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("name", SHIPPED)
def test_deepspeed_reads_what_the_config_says(name, stage, precision):
    """Its own class of the whole, of ZeRO and of fp16; each of our keys is one that it asks for."""
    from deepspeed.runtime.config import DeepSpeedConfig

    config = SHIPPED[name].model_copy(update={"zero_stage": stage, "precision": precision})
    # What it makes of a section is checked where one is merged: an empty one changes nothing.
    checked = deepspeed_json(config.model_copy(update={"deepspeed": {"zero_optimization": {}}}))
    assert checked == deepspeed_json(config)
    read = DeepSpeedConfig(checked)
    assert (read.train_micro_batch_size_per_gpu, read.gradient_accumulation_steps) == (
        config.batch_size, config.accumulate,
    )  # fmt: skip
    assert read.gradient_clipping == config.clip_norm
    zero, stage = read.zero_config, max(stage, 1) if precision == "fp16" else stage
    assert (zero.stage, zero.overlap_comm, zero.reduce_bucket_size) == (
        stage, stage > 0, 50_000_000 if stage else 500_000_000,
    )  # fmt: skip
    assert read.float16_config.enabled is (precision == "fp16")
    assert not read.bfloat16_config.enabled  # autocast is ours: weights stay float32
    assert (read.zero_allow_untested_optimizer, read.zero_force_ds_cpu_optimizer) == (True, False)


def test_there_are_encoders_to_be_read():
    assert {"tiny", "small", "base", "ecglfm-600m"} <= SHIPPED.keys()
    assert deepspeed_json(FinetuneConfig(batch_size=3, accumulate=2))["train_micro_batch_size_per_gpu"] == 3


MISTAKES = [
    ({"comunication_data_type": "bf16"}, "comunication_data_type: unknown key; did you mean 'communication_data_type'?"),
    ({"zero_optimization": {"reduce_bucket_sise": 5}},
     "zero_optimization.reduce_bucket_sise: unknown key; did you mean 'reduce_bucket_size'?"),
    ({"zero_optimization": {"offload_optimizer": {"devise": "cpu"}}},
     "zero_optimization.offload_optimizer.devise: unknown key; did you mean 'device'?"),
    ({"fp16": {"loss_scale": "high"}},
     "fp16.loss_scale: Value error, fp16.loss_scale must be a number, found 'high'"),
    ({"fp16": {"enabled": True}}, "fp16.enabled: it is `pretrain.precision` that says this; leave it out here"),
    ({"bf16": {"enabled": True}}, "bf16: it is `pretrain.precision` that says this; leave it out here"),
    ({"gradient_clipping": "abc"}, "gradient_clipping: it is `pretrain.clip_norm` that says this; leave it out here"),
    ({"zero_optimization": {"stage": "3"}},
     "zero_optimization.stage: it is `pretrain.zero_stage` that says this; leave it out here"),
    ({"communication_data_type": "fp8"},
     "DeepSpeed refuses it: Invalid communication_data_type. Supported data types: ['fp16', 'bf16', 'fp32']. Got: fp8"),
    ({"optimizer": {"type": "Lamb"}}, "optimizer: it is `pretrain.lr` that says this; leave it out here"),
    ({"gradient_accumulation_steps": 4},
     "gradient_accumulation_steps: it is `pretrain.accumulate` that says this; leave it out here"),
    ({"zero_optimization": {"offload_optimizer": {"device": "nvme"}}},
     "zero_optimization.offload_optimizer: device: nvme needs an operator that DeepSpeed would compile, and what lies"
     " there gets into no checkpoint; write device: cpu"),
    ({"zero_optimization": {"offload_optimizer": {"device": "cpu"}, "zenflow": {}}},
     "zero_optimization.zenflow needs DeepSpeed's own Adam, which it would compile; leave it out"),
    ({"zero_optimization": {"offload_param": {"device": "cpu"}}},
     "zero_optimization.offload_param needs zero_stage 3, it is 2"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "answer"), MISTAKES, ids=[answer[:40] for _, answer in MISTAKES])
def test_a_mistake_is_one_sentence(said, answer):
    with pytest.raises(UserError) as caught:
        deepspeed_json(PretrainConfig(steps=1, zero_stage=2, deepspeed=said))
    assert str(caught.value) == f"pretrain.deepspeed: {answer}"


def test_what_an_offload_needs_is_said_for_each_stage():
    half = {"zero_optimization": {"offload_optimizer": {"device": "cpu", "ratio": 0.5}}}
    with pytest.raises(UserError, match=r"offload_optimizer.ratio needs DeepSpeed's own Adam, which it would compile"):
        deepspeed_json(PretrainConfig(steps=1, zero_stage=3, deepspeed=half))
    whole = {"zero_optimization": {"offload_optimizer": {"device": "cpu"}}}
    with pytest.raises(UserError, match=r"offload_optimizer needs zero_stage 1 or 2 or 3, it is 0"):
        deepspeed_json(PretrainConfig(steps=1, zero_stage=0, deepspeed=whole))


@pytest.mark.parametrize("value", [2, None, [1]])
def test_zero_optimization_is_a_section(value):
    with pytest.raises(UserError, match=r"pretrain.deepspeed: DeepSpeed refuses it: [^\n]*zero[^\n]*\Z"):
        deepspeed_json(PretrainConfig(steps=1, deepspeed={"zero_optimization": value}))


def test_what_is_merged_wins_within_its_section():
    base = {"zero_optimization": {"stage": 2, "overlap_comm": True}, "timers": {"throughput": 1}}
    other = {"zero_optimization": {"stage": 1}, "timers": 3, "fp16": {}}
    assert merge(base, other) == {"zero_optimization": {"stage": 1, "overlap_comm": True}, "timers": 3, "fp16": {}}
    assert base["zero_optimization"]["stage"] == 2
