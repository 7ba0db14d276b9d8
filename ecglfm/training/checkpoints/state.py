"""What a checkpoint of a training holds, taken from DeepSpeed's engine and given back to another one.

Weights in float32 and Adam's moments, by the names of the module's parameters, in the pieces in which ZeRO happens to
keep them; buffers; the moving average; how often each parameter was updated; the loss scaler of fp16. All of it goes
into an engine of any ZeRO stage on any number of ranks. Nothing else has a state: learning rate, Gumbel temperature,
order of the data and every random number are functions of the seed and the step (`ecglfm.training.pretraining.loop`).

DeepSpeed's own checkpoints are pickles, cut for one stage and number of ranks, and its asynchronous writer
(FastPersist) is an operator that would have to be compiled and that reports no errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ecglfm import distributed
from ecglfm.training.checkpoints.pieces import Piece, Pieces
from ecglfm.training.ema import EMA
from ecglfm.training.engine import unwrap
from ecglfm.training.loss_scale import loss_scaler

MOMENTS = ("exp_avg", "exp_avg_sq")
_SCALER = ("cur_scale", "cur_iter", "last_overflow_iter", "cur_hysteresis")  # the last three where it is looked for


class OwnedSlice(NamedTuple):
    """Elements of a parameter for which this rank makes the updates.

    Attributes
    ----------
    name : str
        Of the parameter in the module.
    start : int
        First element of the flattened parameter.
    owned : Tensor
        What the optimizer updates: the parameter, its float32 copy, or a run of many that ZeRO made.
    offset, length : int
        Where in that the elements lie.
    """

    name: str
    start: int
    owned: Tensor
    offset: int
    length: int

    def of(self, tensor: Tensor) -> Tensor:
        """The elements in a tensor as large as `owned`: itself or a moment."""
        return tensor.detach().view(-1)[self.offset : self.offset + self.length]


def parts(engine: Any) -> Iterator[OwnedSlice]:
    """What this rank updates; with ZeRO a share of everything, else everything."""
    optimizer = engine.optimizer
    stage = engine.zero_optimization_stage()
    for name, parameter in unwrap(engine).named_parameters():
        if not parameter.requires_grad:  # it is as it was loaded
            continue
        if stage == 0:
            yield OwnedSlice(name, 0, parameter, 0, parameter.numel())
        elif stage == 3:
            group, offset, count = optimizer.grad_position[optimizer.get_param_id(parameter)]
            owned = optimizer.fp32_partitioned_groups_flat[group]
            start = engine.global_rank * parameter.partition_numel()
            count = min(count, parameter.ds_numel - start)  # the last ranks' shares are padded
            if count > 0:
                yield OwnedSlice(name, start, owned, offset, count)
        elif (mapping := parameter._hp_mapping) is not None:  # None: all of it is another rank's
            owned = optimizer.single_partition_of_fp32_groups[mapping.param_group_index]
            inside = mapping.hp_fragment_address
            yield OwnedSlice(name, mapping.lp_fragment_address.start, owned, inside.start, inside.numel)


def pieces_of(engine: Any, ema: EMA | None) -> tuple[list[Piece], dict[str, str]]:
    """What this rank has to save: together, the ranks save everything once.

    Returns
    -------
    pieces : list of Piece
        Views, not copies.
    notes : dict
        How many updates each parameter had.
    """
    states = engine.basic_optimizer.state
    updated, updates, whole = [], {}, []
    counted: dict[int, float] = {}
    for part in parts(engine):
        updated.append(Piece("weight", part.name, part.start, part.of(part.owned)))
        if state := states.get(part.owned):
            updated += [Piece(kind, part.name, part.start, part.of(state[kind])) for kind in MOMENTS]
            if id(part.owned) not in counted:  # asked once: on a GPU it waits
                counted[id(part.owned)] = float(state["step"])
            updates[part.name] = counted[id(part.owned)]
    if engine.zero_optimization_stage() == 0:
        whole, updated = updated, []
    for kind, tensors in (("buffer", _buffers(unwrap(engine))), ("average", ema.state_dict() if ema else {})):
        whole += [Piece(kind, name, 0, value.detach().reshape(-1)) for name, value in tensors.items()]
    return updated + _share(whole), {"updates": json.dumps(updates)}


def _buffers(module: nn.Module) -> dict[str, Tensor]:
    """Running statistics and the like."""
    parameters = {name for name, _ in module.named_parameters()}
    return {name: value for name, value in module.state_dict().items() if name not in parameters}


def _share(pieces: list[Piece]) -> list[Piece]:
    """Share of this rank in what every rank has; buffers, which may differ, are those of rank 0."""
    shared = [piece for piece in pieces if piece.kind != "buffer"]
    total, place, mine = sum(piece.values.nbytes for piece in shared), 0, []
    for piece in shared:
        if place * distributed.world_size() // total == distributed.rank():
            mine.append(piece)
        place += piece.values.nbytes
    return mine + [piece for piece in pieces if piece.kind == "buffer" and distributed.is_main()]


def restore_weights(module: nn.Module, saved: Pieces) -> None:
    """Give a module the weights that learn and its buffers, before DeepSpeed cuts it up."""
    learning = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    for kind, tensors in (("weight", learning), ("buffer", _buffers(module))):
        for name, tensor in tensors.items():
            saved.read(kind, name, 0, tensor.data)


def restore_optimizer(engine: Any, saved: Pieces) -> None:
    """Give an engine the moments, and the float32 weights where it keeps copies of its own."""
    states = engine.basic_optimizer.state
    updates: dict[str, float] = {}
    for notes in saved.notes:
        updates |= json.loads(notes["updates"])
    for part in parts(engine):
        saved.read("weight", part.name, part.start, part.of(part.owned))
        if part.name not in updates:  # it never got a gradient
            continue
        state = states[part.owned]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=part.owned.device)
            state |= {kind: torch.zeros_like(part.owned, requires_grad=False) for kind in MOMENTS}
        state["step"].fill_(updates[part.name])
        for kind in MOMENTS:
            saved.read(kind, part.name, part.start, part.of(state[kind]))


def restore_average(ema: EMA, saved: Pieces) -> None:
    """Go on with the moving average."""
    for name, value in ema.state_dict().items():
        saved.read("average", name, 0, value)


def scaler_state(engine: Any) -> dict[str, float]:
    """Loss scaler of fp16, the same on every rank; empty without."""
    if not engine.fp16_enabled():
        return {}
    scaler = loss_scaler(engine)
    return {key: getattr(scaler, key) for key in _SCALER if getattr(scaler, key, None) is not None}


def restore_scaler(engine: Any, state: dict[str, float]) -> None:
    """Go on with the loss scaler."""
    for key, value in state.items():
        if hasattr(loss_scaler(engine), key):
            setattr(loss_scaler(engine), key, value)
