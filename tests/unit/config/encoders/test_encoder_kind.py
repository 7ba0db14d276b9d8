"""What all architectures say: in which modes they may be fine-tuned, how many layers they have."""

from __future__ import annotations

import pytest

from ecglfm.config import AttentionConfig, ContextConfig, FrontEndConfig
from ecglfm.config.encoders.encoder_kind import check_odd
from tests.unit.architectures import small


def test_modes_need_weights() -> None:
    assert small("s4").modes == ("full", "frozen", "linear", "lora", "zero_shot")
    assert small("statistics").modes == ("linear", "frozen")
    assert small("resnet").modes == small("convnet").modes == ("full", "frozen", "linear", "zero_shot")


@pytest.mark.parametrize(
    ("kind", "parts"), [("conformer", 2 + 4), ("s4", 2 + 2), ("vit", 2 + 1), ("convnet", 2 + 2), ("net1d", 1 + 3)]
)
def test_layers_and_all_that_has_weights(kind: str, parts: int) -> None:
    assert (small(kind).depth, small(kind).parts) == (2, parts)


def test_only_what_has_layers_to_watch_is_pretrained() -> None:
    assert isinstance(small("wav2vec2"), AttentionConfig)
    assert isinstance(small("s4"), ContextConfig)
    assert not isinstance(small("s4"), FrontEndConfig)
    assert [kind for kind in ("wav2vec2", "s4", "vit", "convnet", "net1d") if small(kind).pretrainable] == [
        "wav2vec2",
        "s4",
        "vit",
    ]


def test_a_kernel_has_a_middle() -> None:
    check_odd(5)
    with pytest.raises(ValueError, match="kernel 4 must be odd"):
        check_odd(4)
