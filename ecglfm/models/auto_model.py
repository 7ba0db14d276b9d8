"""Encoders as Hugging Face's `AutoModel` has them: what the file of code in an exported folder hands out.

Shapes: b batch, l leads, n samples, t frames, d width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ecglfm.config import parse
from ecglfm.extras import need
from ecglfm.models.description import EncoderDescription
from ecglfm.models.encoders import make_encoder

need("transformers", extra="huggingface", what="a model of Hugging Face's")
from transformers import PretrainedConfig, PreTrainedModel  # noqa: E402  # after the sentence on its lack
from transformers.modeling_outputs import BaseModelOutputWithPooling  # noqa: E402


class EncoderConfig(PretrainedConfig):
    """Content of `config.json`.

    Parameters
    ----------
    encoder : dict
        That of `encoder.json`.
    """

    model_type = "ecglfm"

    def __init__(self, encoder: dict[str, Any] | None = None, **others: Any) -> None:
        super().__init__(**others)
        self.encoder = encoder or {}  # Hugging Face makes an empty one to compare with


class EncoderModel(PreTrainedModel):
    """An encoder, `.encoder`, called as Hugging Face's models are; `ecglfm.preprocess` takes it, too."""

    config_class = EncoderConfig
    main_input_name = "input_values"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        about = parse(EncoderDescription, config.encoder, "config.json: encoder")
        geometry = (about.leads, about.sampling_rate, about.preprocess, about.crop_seconds)
        self.encoder = make_encoder(about.model, *geometry, about.input)
        self.encoder.info = dict(config.encoder)
        self.post_init()

    def forward(
        self, input_values: Tensor, attention_mask: Tensor | None = None, return_dict: bool | None = None
    ) -> Any:
        """Frames and the vector of each recording.

        Parameters
        ----------
        input_values : Tensor of float, shape (batch, leads, samples)
            What `ecglfm.preprocess` gives: millivolts at `encoder.sampling_rate`, or what its `input` makes of them.
        attention_mask : Tensor of bool or int, shape (batch, samples), optional
            True where a sample is real.
        return_dict : bool, optional
            False: a tuple.

        Returns
        -------
        BaseModelOutputWithPooling
            `last_hidden_state` (batch, frames, dim) and `pooler_output` (batch, dim), as `Encoder.embed` gives it.
        """
        mask_bn = None if attention_mask is None else attention_mask.to(torch.bool)
        frames_btd, mask_bt = self.encoder.encode(input_values, mask_bn)
        vectors_bd = self.encoder.pool(frames_btd, mask_bt)
        if return_dict is False:
            return frames_btd, vectors_bd
        return BaseModelOutputWithPooling(last_hidden_state=frames_btd, pooler_output=vectors_bd)
