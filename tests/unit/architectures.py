"""Architectures as a test writes them."""

from __future__ import annotations

from typing import Any

from ecglfm.config import ModelConfig, parse_model


def architecture(**keys: Any) -> ModelConfig:
    """Of the `kind` among the keys; a Conformer without one."""
    return parse_model(keys, "test")
