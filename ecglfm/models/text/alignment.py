"""One space for recordings and texts: what is learnt of it, and how it is kept beside an encoder.

Shapes: b recordings or texts, d encoder width, w width of texts, p width of the common space.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from ecglfm.config import UserError
from ecglfm.config.project import ALIGNMENT
from ecglfm.provenance import atomic

_LARGEST_SCALE = 100.0  # as CLIP's
_ABOUT = "about"
_HASHES = ("config_hash", "data_hash")


class _Projection(nn.Linear):
    """Multiplies in the numbers of what it gets, also where its weights are copies in float16 (`precision: fp16`)."""

    def forward(self, x_bd: Tensor) -> Tensor:
        return linear(x_bd, self.weight.to(x_bd.dtype))


class Alignment(nn.Module):
    """A linear projection of each side, and by how much their cosine is multiplied (CLIP, arXiv:2103.00020).

    Parameters
    ----------
    ecg_dim, text_dim, dim : int
        Widths of recordings, of texts, and of the space in which they are compared.
    temperature : float
        Cosines are divided by it.
    learnt : bool
        Whether the temperature is learnt from there; it never falls below 0.01.
    """

    def __init__(
        self, ecg_dim: int, text_dim: int, dim: int, *, temperature: float = 0.07, learnt: bool = True
    ) -> None:
        super().__init__()
        self.ecg = _Projection(ecg_dim, dim, bias=False)
        self.text = _Projection(text_dim, dim, bias=False)
        self.log_scale = nn.Parameter(torch.full((1,), -math.log(temperature)), requires_grad=learnt)

    @property
    def temperature(self) -> float:
        """As it is now."""
        return 1 / min(math.exp(float(self.log_scale.detach())), _LARGEST_SCALE)

    def forward(self, ecg_bd: Tensor, text_bw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both sides in the common space.

        Parameters
        ----------
        ecg_bd : Tensor, shape (b, d)
            Vectors of recordings.
        text_bw : Tensor, shape (any, w)
            Vectors of texts.

        Returns
        -------
        ecg_bp, text_bp : Tensor, shape (b, p)
            Of length 1.
        scale : Tensor, shape ()
            1 / temperature.
        """
        scale = self.log_scale.to(ecg_bd.dtype).exp().clamp(max=_LARGEST_SCALE)[0]
        return normalize(self.ecg(ecg_bd), dim=-1), normalize(self.text(text_bw), dim=-1), scale


def write_alignment(folder: Path, state: dict[str, Tensor], mean_p: Tensor, about: dict[str, Any]) -> None:
    """Write it beside an encoder.

    Parameters
    ----------
    folder : path
    state : dict of Tensor
        Of an `Alignment`.
    mean_p : Tensor, shape (p,)
        Mean of the reports of the training recordings in the common space.
    about : dict
        `text_encoder`, the folder or None, and its `identity`; `config_hash` and `data_hash` of the encoder.
    """
    tensors = {name: value.detach().float().cpu().contiguous().clone() for name, value in state.items()}
    with atomic(folder / ALIGNMENT) as temporary:
        save_file(tensors | {"mean": mean_p.float().cpu().clone()}, temporary,
                  metadata={_ABOUT: json.dumps(about, sort_keys=True)})  # fmt: skip


def read_alignment(folder: Path, info: Mapping[str, Any]) -> tuple[Alignment, Tensor, dict[str, Any]]:
    """What `write_alignment` wrote beside an encoder: in `eval()`, with the mean report and what is said of the texts.

    Parameters
    ----------
    folder : path
    info : mapping
        Of the encoder, by whose hashes it is known: what an earlier training left there is another's.

    Raises
    ------
    UserError
        There is none, it is another encoder's, or it is damaged.
    """
    path = folder / ALIGNMENT
    not_aligned = UserError(
        f"{folder}: this encoder was not aligned with text: pretrain it with `pretrain.objective: {{kind:"
        " report_alignment}`, or leave zero_shot out of `finetune.modes`"
    )
    if not path.is_file():
        raise not_aligned
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[_ABOUT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        mean_p = tensors.pop("mean")
        (dim, ecg_dim), text_dim = tensors["ecg.weight"].shape, tensors["text.weight"].shape[1]
        alignment = Alignment(ecg_dim, text_dim, dim)
        alignment.load_state_dict(tensors)
        assert mean_p.shape == (dim,)
        assert {"text_encoder", "identity", *_HASHES} <= set(about)
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError, TypeError, AssertionError) as error:
        raise UserError(f"{path}: damaged ({str(error)[:200]}); pretrain the encoder again") from None
    if any(about[name] != info.get(name) for name in _HASHES):
        raise not_aligned
    return alignment.eval().requires_grad_(False), mean_p, about


def copy_alignment(folder: Path, output: Path) -> None:
    """Bring the file along with an encoder from one folder to another, where there is one."""
    if (folder / ALIGNMENT).is_file():
        with atomic(output / ALIGNMENT) as temporary:
            shutil.copyfile(folder / ALIGNMENT, temporary)
