"""Architectures as a test writes them."""

from __future__ import annotations

from typing import Any, Generic, Protocol

from ecglfm.config import ModelConfig, parse_model

#: A small one of each kind, at `dim: 16`, that has every part: a new kind has its line here.
SMALL: dict[str, dict[str, Any]] = {
    "conformer": {"layers": 2, "ffn_dim": 24, "heads": 2, "kernel": 5, "conv_channels": 8},
    "wav2vec2": {"layers": 2, "ffn_dim": 24, "heads": 2, "conv_channels": 8, "positional_kernel": 4,
                 "positional_groups": 2, "norm_first": True},
    "convnet": {"blocks": [1, 1], "stem": [4, 8], "kernel": 5},
    "resnet": {"widths": [8, 16], "blocks": [1, 1], "strides": [1, 2], "stem": [5, 2], "max_pool": True, "pool": "mean_max"},
    "net1d": {"stem": 4, "widths": [8, 16], "blocks": [2, 1], "kernel": 4, "group_width": 4, "norm": "batch"},
    "statistics": {"dim": 0, "dropout": 0.0},
    "vit": {"layers": 2, "ffn_dim": 24, "heads": 2, "patch": 20},
    "s4": {"layers": 2, "state": 4, "bidirectional": True, "conv_layers": [[3, 2], [3, 1]], "kernel_frames": 50},
}  # fmt: skip


def small(kind: str, **changes: Any) -> ModelConfig:
    """The one of `SMALL`, but for some keys."""
    return architecture(**{"kind": kind, "dim": 16} | SMALL[kind] | changes)


def architecture(**keys: Any) -> ModelConfig:
    """Of the `kind` among the keys; a Conformer without one."""
    return parse_model(keys, "test")


def asked_by(protocol: type) -> set[str]:
    """Names of what it asks for; `isinstance` does not see the modules of an `nn.Module` since Python 3.12."""
    classes = [cls for cls in protocol.__mro__ if cls not in (Protocol, Generic, object)]
    names = {name for cls in classes for name in (*vars(cls), *cls.__annotations__)}
    return {name for name in names if not name.startswith("_")}
