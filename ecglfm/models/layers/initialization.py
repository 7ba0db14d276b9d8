"""Random first weights, drawn once: a big matrix in pieces side by side, whose numbers no count of threads changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

_PIECE = 1 << 20  # elements


def normal_(tensor: Tensor, std: float) -> None:
    """Fill a contiguous tensor with N(0, std^2); PyTorch's global generator gives the seed.

    A tensor without memory (device `meta`) stays as it is.
    """
    if tensor.is_meta:
        return
    first = int(torch.randint(2**62, ()))
    with torch.no_grad():
        pieces = tensor.view(-1).split(_PIECE)

    def fill(number: int) -> None:
        with torch.no_grad():
            pieces[number].normal_(0.0, std, generator=torch.Generator(tensor.device).manual_seed(first + number))

    if len(pieces) == 1:
        fill(0)
    else:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(fill, range(len(pieces))))


class Linear(nn.Linear):
    """As `nn.Linear`, with weights N(0, 0.02^2) and zero bias, as BERT (arXiv:1810.04805) and ECG-LFM have them."""

    def reset_parameters(self) -> None:
        """Draw new weights."""
        normal_(self.weight, 0.02)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
