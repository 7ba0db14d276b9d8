"""Low-rank adapters (LoRA, arXiv:2106.09685): a frozen Linear and, beside it, a product of two narrow ones that learns.

The field's library, PEFT, would bring transformers and accelerate for what is a page here; adapters end in the weights
that they stand beside (`merge`), so no file needs it to be read.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ecglfm.config import LoraConfig, UserError
from ecglfm.models.encoders import Encoder


class LowRank(nn.Module):
    """base(x) + alpha / rank * up(down(x)); `up` starts at zero, so that training starts at the pretrained layer.

    Parameters
    ----------
    base : nn.Linear
        Wrapped and frozen.
    config : LoraConfig
        Of `rank` and `alpha`.
    """

    def __init__(self, base: nn.Linear, config: LoraConfig) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = config.alpha / config.rank
        self.down = nn.Linear(base.in_features, config.rank, bias=False)
        self.up = nn.Linear(config.rank, base.out_features, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (…, inputs) to (…, outputs)."""
        return self.base(x) + self.scale * self.up(self.down(x))

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The layer with what was learnt added to its weight."""
        self.base.weight += self.scale * self.up.weight @ self.down.weight
        return self.base


def adapt(encoder: Encoder, config: LoraConfig) -> None:
    """Freeze the encoder and put adapters beside its Linears of the names `config.targets`.

    Raises
    ------
    UserError
        The encoder has no Linear of such a name.
    """
    encoder.requires_grad_(False)
    targets = config.targets or list(encoder.adapted)
    linears = {path: module for path, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    names = sorted({path.rpartition(".")[2] for path in linears})
    for target in targets or [""]:
        if target not in names:
            raise UserError(
                f"finetune.lora.targets: {target or '[]'} is no Linear of this encoder ({encoder.config.kind});"
                f" it has {', '.join(names) or 'none: fine-tune it in mode full'}"
            )
    for path, module in linears.items():
        parent, _, name = path.rpartition(".")
        if name in targets:
            setattr(encoder.get_submodule(parent), name, LowRank(module, config))


def merge(encoder: Encoder) -> None:
    """Put what adapters have learnt into the weights beside them, and take them away."""
    for path, module in list(encoder.named_modules()):
        if isinstance(module, LowRank):
            parent, _, name = path.rpartition(".")
            setattr(encoder.get_submodule(parent), name, module.merged())
