"""What an importer hands over, and how it takes weights out of a checkpoint by name without losing one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ecglfm.config import PreprocessConfig, UserError, parse_model
from ecglfm.models.encoders import ECGEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.settings import Layout
from ecglfm.models.meta_device import on_meta_device

#: Length of the segments that both methods train on, s.
CROP_SECONDS = 5.0
_NAMED = 5  # weights that a message names
#: The two forms of a weight normalisation.
_LENGTH_AND_DIRECTION = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


@dataclass(frozen=True)
class Imported:
    """A foreign checkpoint in our terms.

    Attributes
    ----------
    origin : str
        The method whose checkpoint it is, e.g. `ECG-LFM`.
    model : dict
        Section `model` of an encoder YAML.
    leads : list of str
        Order of the input.
    sampling_rate : int
        Hz.
    crop_seconds : float
        Length of the segments it was trained on, s.
    encoder : dict of str to Tensor
        Weights of the encoder under our names.
    head : dict of str to Tensor
        `weight` (labels, dim) and `bias` (labels) of the classifier of a fine-tuned one, else empty.
    head_model : dict
        Keys of `model` that are others where that head stands on the encoder.
    labels : list of str
        What the head's outputs are, where that is known.
    task : str
        Kind of task of the head.
    objective : dict of str to Tensor
        Weights that only pretraining needs, else empty; under the names in `MaskedCodes`, but ECG-FM's under
        their own: its objective is another.
    pretrain : dict
        Keys of `pretrain` in an encoder YAML that the checkpoint's settings give.
    dropped : list of str
        Weights that the method never uses.
    pretrained_on : list of str
        Published databases that its makers pretrained it on, as the key `pretrained_on` of an encoder YAML names them.
    input : dict or None
        Section `input` of an encoder YAML: how what it reads is made of prepared signals; None: it reads those.
    licence : str or None
        Under what its makers give the weights, e.g. `CC BY-NC 4.0`; None where nobody knows.
    unverified : str
        Why the result may differ from the original's; empty where a run of the original agrees.
    """

    origin: str
    model: dict[str, Any]
    leads: list[str]
    sampling_rate: int
    crop_seconds: float
    encoder: dict[str, Tensor]
    head: dict[str, Tensor] = field(default_factory=dict)
    head_model: dict[str, Any] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    task: str = "multilabel"
    objective: dict[str, Tensor] = field(default_factory=dict)
    pretrain: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    pretrained_on: list[str] = field(default_factory=list)
    input: dict[str, Any] | None = None
    licence: str | None = None
    unverified: str = ""


def numbered(checkpoint: Checkpoint, pattern: str) -> tuple[torch.Size, int]:
    """Shape of the first weight of a name, and how many there are.

    Parameters
    ----------
    checkpoint : Checkpoint
    pattern : str
        Of the whole name; its group is the number of a layer, from 0 on without a gap.

    Raises
    ------
    UserError
        There is none, or the numbers have a gap: before one in a name makes a billion layers.
    """
    found = {int(match[1]): name for name in checkpoint.state if (match := re.fullmatch(pattern, name))}
    if not found or max(found) != len(found) - 1:
        raise UserError(f"{checkpoint.path}: its layers are not numbered from 0 to their last one")
    return checkpoint.state[found[0]].shape, len(found)


def folded(checkpoint: Checkpoint, normed: Iterable[str], convs: str) -> Checkpoint:
    """Write two things as we hold them: a normalised kernel as one weight, and missing convolution biases as zeros.

    Weight normalisation (arXiv:1602.07868) keeps a direction v and, per tap of the kernel, a length g: the weight is
    g v / |v|, with the norm over both channel dimensions.

    Parameters
    ----------
    checkpoint : Checkpoint
    normed : iterable of str
        Names of such convolutions, with the point behind them.
    convs : str
        Pattern of the whole name of the other convolutions' kernels.

    Raises
    ------
    UserError
        Of a normalised kernel one part is missing.
    """
    state = dict(checkpoint.state)
    for conv in normed:
        for length, direction in _LENGTH_AND_DIRECTION:
            pair = {conv + length, conv + direction}
            if len(pair & set(state)) == 1:
                raise UserError(f"{checkpoint.path}: weight {(pair - set(state)).pop()!r} is missing")
            if pair <= set(state):
                g, v = state.pop(conv + length).float(), state.pop(conv + direction).float()
                state[conv + "weight"] = v * (g / v.norm(dim=(0, 1), keepdim=True))
    kernels = [name for name in state if re.fullmatch(convs, name)]
    biases = {name.removesuffix("weight") + "bias": torch.zeros(len(state[name])) for name in kernels}
    return replace(checkpoint, state=state if biases.keys() & state.keys() else state | biases)


def take(
    checkpoint: Checkpoint,
    expected: Mapping[str, Tensor],
    original: Callable[[str], str],
    dead: Iterable[str] = (),
    *,
    reshape: Callable[[str, Tensor], Tensor] = lambda _, value: value,
) -> tuple[dict[str, Tensor], list[str]]:
    """Take every expected weight; all others must be known to be dead.

    Parameters
    ----------
    checkpoint : Checkpoint
    expected : mapping of str to Tensor
        Our names and shapes: a `state_dict()`, on the meta device.
    original : callable
        Our name -> the checkpoint's.
    dead : iterable of str
        Prefixes of weights that the method has and never uses.
    reshape : callable
        (our name, weight) -> the weight as we hold it.

    Returns
    -------
    dict of str to Tensor
        Under our names; float32 where they are floats.
    list of str
        The dead weights that were left out.

    Raises
    ------
    UserError
        Weights are missing or unknown (the first are named), or one has another shape.
    """
    dead = tuple(dead)
    wanted = {original(name): name for name in expected}
    dropped = sorted(name for name in checkpoint.state if name.startswith(dead) and name not in wanted)
    missing = [name for name in wanted if name not in checkpoint.state]
    unknown = [name for name in checkpoint.state if name not in wanted and not name.startswith(dead)]
    problems = [f"{len(names)} {what}: {_first(names)}" for what, names in
                (("missing", missing), ("unknown", unknown)) if names]  # fmt: skip
    if problems:
        raise UserError(f"{checkpoint.path}: its weights are not those of this method; {'; '.join(problems)}")
    taken = {}
    for theirs, ours in wanted.items():
        value = reshape(ours, checkpoint.state[theirs])
        if value.shape != expected[ours].shape:
            found, needed = tuple(value.shape), tuple(expected[ours].shape)
            raise UserError(f"{checkpoint.path}: weight {theirs!r} has shape {found}, expected {needed}")
        if expected[ours].is_floating_point() and not value.is_floating_point():
            raise UserError(f"{checkpoint.path}: weight {theirs!r} holds {value.dtype}, expected floats")
        taken[ours] = value.to(expected[ours].dtype)
    return taken, dropped


def _first(names: list[str]) -> str:
    """The first names, and how many more there are: a file of another method has hundreds, and its first say which."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def assemble(
    layout: Layout,
    original: Callable[[str], str],
    *,
    method: str,
    dead: Iterable[str],
    objective: Callable[[ECGEncoder], nn.Module],
    reshape: Callable[[str, Tensor], Tensor] = lambda _, value: value,
) -> Imported:
    """Build what the checkpoint holds, as far as names and shapes, and take its weights.

    Parameters
    ----------
    layout : Layout
    original : callable
        Our name of a weight of `objective` -> the checkpoint's.
    method : str
        Its name.
    dead : iterable of str
        Prefixes, within the encoder, of weights that are left out.
    objective : callable
        Gives the module that a pretrained checkpoint has weights of; the encoder is `.encoder` in it.
    reshape : callable
        As in `take`.

    Returns
    -------
    Imported

    Raises
    ------
    UserError
        As `take`; or the architecture is none that we have.
    """
    checkpoint, leads, rate = layout.checkpoint, layout.leads(), layout.sampling_rate()
    model = layout.model()
    section = parse_model(model, f"{checkpoint.path}: architecture")
    with on_meta_device():
        encoder = ECGEncoder(section, leads, rate, PreprocessConfig(), CROP_SECONDS)
        # of the bias, whose numbers the file has: a weight of a billion rows of nothing takes no byte there
        labels = layout.shape("proj.bias", within="")[0] if layout.finetuned else 0
        whole = ECGModel(encoder, [""] * labels, "full") if layout.finetuned else objective(encoder)
    weights, dropped = take(
        checkpoint,
        whole.state_dict(),
        lambda name: name.replace("head.", "proj.") if name.startswith("head.") else original(name),
        [layout.prefix + name for name in dead],
        reshape=reshape,
    )
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "head": {}, "objective": {}}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        parts[part if part in parts else "objective"][rest if part in parts else name] = value
    return Imported(
        origin=f"{method}, {'fine-tuned' if layout.finetuned else 'pretrained'}",
        model=model,
        leads=leads,
        sampling_rate=rate,
        crop_seconds=CROP_SECONDS,
        encoder=parts["encoder"],
        head=parts["head"],
        objective=parts["objective"],
        dropped=dropped,
        pretrained_on=[],
        unverified=layout.doubts(),
    )
