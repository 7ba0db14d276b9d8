"""Our config as DeepSpeed's JSON; a mistake in `pretrain.deepspeed` is one sentence, before anything is trained."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ecglfm.config import FinetuneConfig, PretrainConfig, UserError
from ecglfm.config.wording import nearest, unknown
from ecglfm.extras import need

_KEY = "pretrain.deepspeed"
#: Gradients are sent in parts, while the backward pass goes on; DeepSpeed's own part, 5e8, is all of most encoders.
_OVERLAPPED = {"overlap_comm": True, "reduce_bucket_size": 50_000_000}
#: What we tell DeepSpeed, or do ourselves, and the key of ours that says it.
_OURS = {
    "train_batch_size": "batch_size", "train_micro_batch_size_per_gpu": "batch_size",
    "gradient_accumulation_steps": "accumulate", "optimizer": "lr", "scheduler": "schedule",
    "gradient_clipping": "clip_norm", "zero_optimization.stage": "zero_stage", "fp16.enabled": "precision",
    "bf16": "precision", "bfloat16": "precision", "amp": "precision", "torch_autocast": "precision",
}  # fmt: skip
_OFFLOADS = {"offload_optimizer": (1, 2, 3), "offload_param": (3,)}  # and the ZeRO stages that have it
_COMPILED = {"ratio": 1.0, "super_offload": False}  # of `offload_optimizer`; another value wants DeepSpeed's own Adam


def merge(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings deeply; `other` wins."""
    merged = dict(base)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def deepspeed_json(config: PretrainConfig | FinetuneConfig) -> dict[str, Any]:
    """DeepSpeed's JSON; `pretrain.deepspeed` is merged over it last.

    Returns
    -------
    dict
        https://www.deepspeed.ai/docs/config-json/

    Raises
    ------
    UserError
        `pretrain.deepspeed` has what the installed DeepSpeed does not know, or what needs more than we have.
    """
    # Without ZeRO DeepSpeed 0.19 divides fp16's gradients by a loss scale that it never multiplied the loss by.
    stage = max(config.zero_stage, 1) if config.precision == "fp16" else config.zero_stage
    content: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": config.batch_size,
        "gradient_accumulation_steps": config.accumulate,
        "gradient_clipping": config.clip_norm,
        "zero_optimization": {"stage": stage} | (_OVERLAPPED if stage else {}),
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,  # an optimizer that is offloaded is PyTorch's too: nothing to compile
        "fp16": {"enabled": config.precision == "fp16"},
        "steps_per_print": 10**9,  # we log ourselves
        "timers": {"throughput": {"enabled": False}},  # and time: DeepSpeed's would wait for the GPU twice a step
    }
    if isinstance(config, PretrainConfig) and config.deepspeed:
        for key, ours in _OURS.items():
            section, _, inner = key.partition(".")
            given = config.deepspeed.get(section, {}) if inner else config.deepspeed
            if isinstance(given, dict) and (inner or section) in given:
                raise UserError(f"{_KEY}: {key}: it is `pretrain.{ours}` that says this; leave it out here")
        content = merge(content, config.deepspeed)
        _check(content)
    return content


class _Asked(dict[str, Any]):
    """Notes which keys are asked for, in `known`: DeepSpeed passes over one that it does not know without a word."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.known: set[str] = set()  # one set for all copies

    def __contains__(self, key: object) -> bool:
        self.known.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.known.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As that of a dict."""
        self.known.add(key)
        return super().get(key, default)


def _check(content: dict[str, Any]) -> None:
    """Raise what `deepspeed_json` says."""
    need("deepspeed", extra="train", what=_KEY)
    from deepspeed.runtime.config import DeepSpeedConfig, DeepSpeedConfigError

    asked = _Asked(content)
    try:
        zero = DeepSpeedConfig(asked).zero_config
    except ValidationError as error:
        raise UserError(f"{_KEY}: {_fault(error, content)}") from None
    except (DeepSpeedConfigError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"{_KEY}: DeepSpeed refuses it: {said}") from None
    for key in content:
        if key not in asked.known:
            raise UserError(f"{_KEY}: {key}: {unknown(key, sorted(asked.known))}")
    _check_offload(zero)


def _check_offload(zero: Any) -> None:
    """Refuse what DeepSpeed would have to compile, and what it would pass over or fail at."""
    compiled = ["zenflow"] if zero.zenflow else []
    compiled += [
        f"offload_optimizer.{key}"
        for key, usual in _COMPILED.items()
        if getattr(zero.offload_optimizer, key, usual) != usual
    ]
    if compiled:
        raise UserError(
            f"{_KEY}: zero_optimization.{compiled[0]} needs DeepSpeed's own Adam, which it would compile; leave it out"
        )
    for key, stages in _OFFLOADS.items():
        device = getattr(getattr(zero, key), "device", "none")
        if device == "nvme":
            raise UserError(
                f"{_KEY}: zero_optimization.{key}: device: nvme needs an operator that DeepSpeed would compile, and"
                " what lies there gets into no checkpoint; write device: cpu"
            )
        if device != "none" and zero.stage not in stages:
            needed = " or ".join(map(str, stages))
            raise UserError(f"{_KEY}: zero_optimization.{key} needs zero_stage {needed}, it is {int(zero.stage)}")


def _fault(error: ValidationError, content: dict[str, Any]) -> str:
    """Key and fault of a section that DeepSpeed's own class of it refuses."""
    from deepspeed.runtime.config_utils import DeepSpeedConfigModel

    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    inside = [key for key, part in content.items() if isinstance(part, dict) and place and place[0] in part]
    where = ".".join([*inside[:1], *place]) or error.title
    if first["type"] == "extra_forbidden":
        models = DeepSpeedConfigModel.__subclasses__()
        names = {field.alias or name for model in models for name, field in model.model_fields.items()}
        return f"{where}: unknown key{nearest(place[-1], sorted(names))}"
    return f"{where}: {first['msg']}, found {first['input']!r}"
