"""Watchdogs of a pretraining: an update that is not finite never reaches the weights; what looks wrong is said.

`Guard` watches over one update, `Watchdog` remembers what was skipped and said. Its state is part of every checkpoint,
so a resumed training tells the same as one that ran through.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ecglfm import distributed
from ecglfm.config import PretrainConfig, UserError
from ecglfm.tracking import Run
from ecglfm.training.engine import gradient_norm, unwrap
from ecglfm.training.loss_scale import make_update
from ecglfm.training.pretraining.layer_probe import LayerState

logger = logging.getLogger(__name__)

_DEAD = 1e-6  # change or spread of a layer that does nothing; rounding is a thousand times less, training far more


def hear(losses: Sequence[Tensor], flags: Sequence[bool], norm: Tensor | None) -> list[float]:
    """What some rank has to say, in one all-reduce and one wait of the host; every rank must ask, with as many.

    Parameters
    ----------
    losses : sequence of Tensor, shape ()
    flags : sequence of bool
    norm : Tensor, shape (), or None
        The same on every rank.

    Returns
    -------
    list of float
        1 for each loss that is not finite on some rank and each flag that is true on some, else 0; then the norm.
    """
    like = losses[0]  # numbers are filled in on the device: a copy from the host would wait
    values = [(~loss.isfinite()).float() for loss in losses]
    values += [torch.full((), float(flag), device=like.device) for flag in flags]
    values_n = torch.stack(values if norm is None else [*values, norm.float()])
    if distributed.world_size() > 1:
        torch.distributed.all_reduce(values_n, torch.distributed.ReduceOp.MAX)
    return read(values_n)


def read(values_n: Tensor) -> list[float]:
    """Numbers from the device, when it is that far."""
    return list(values_n.tolist())


class Guard:
    """Keeps the gradients of one update from the weights where they, or a loss, are not finite; on all ranks alike.

    Parameters
    ----------
    engine : DeepSpeedEngine
    config : PretrainConfig
        `non_finite`: stop with an error, or skip the update.
    step : int
        Updates done before.

    Attributes
    ----------
    fault : str or None
        Why the update is skipped.
    """

    def __init__(self, engine: Any, config: PretrainConfig, step: int) -> None:
        self.engine, self.config, self.step = engine, config, step
        self.fault: str | None = None
        # A broken batch also ruins the running statistics of BatchNorm: they go back to what they were.
        self._buffers = [x.clone() for x in engine.module.buffers()] if config.non_finite == "skip" else []

    def finish(self, terms: Sequence[Mapping[str, Tensor]], flags: Sequence[bool] = ()) -> tuple[float, list[bool]]:
        """Apply the update, or skip it; to be called after the last backward pass, by every rank.

        One all-reduce tells all ranks of losses that are not finite, and of their flags; and the host waits for the
        device there, once: where gradients are DeepSpeed's own affair it does so in its step, too.

        Parameters
        ----------
        terms : sequence of mapping of str to Tensor
            What the forwards of this rank gave: `loss` and the objective's columns.
        flags : sequence of bool

        Returns
        -------
        norm : float
            2-norm of the gradients before clipping; NaN where no update was made (also where DeepSpeed
            made none while it looks for fp16's loss scale, which is no fault).
        flags : list of bool
            Whether each is true on any rank.

        Raises
        ------
        UserError
            With `non_finite: stop`, where a loss or gradient is not finite. No update was made of it.
        """
        norm = gradient_norm(self.engine)
        heard = hear([forward["loss"] for forward in terms], flags, norm)
        self._look_at(terms, heard[: len(terms)])
        if norm is not None and not math.isfinite(heard[-1]):
            self._found("gradient")
        said = [value > 0 for value in heard[len(terms) : len(terms) + len(flags)]]
        return self._step(None if norm is None else heard[-1]), said

    def _look_at(self, terms: Sequence[Mapping[str, Tensor]], broken: Sequence[float]) -> None:
        """Name the fault of the first forward whose loss is not finite on some rank."""
        for forward, fault in zip(terms, broken, strict=True):
            if fault:
                row = {name: float(value) for name, value in forward.items()}
                causes = [text for text in unwrap(self.engine).warnings(row).values() if text is not None]
                self._found("loss", "".join(f" ({text})" for text in causes))

    def _step(self, norm: float | None) -> float:
        """Let the engine step, with or without an update; returns the norm."""
        with _without_update(self.engine) if self.fault else contextlib.nullcontext():
            is_fault = make_update(self.engine)
        if norm is None:  # ZeRO tells only now, and makes no update of such gradients itself
            if is_fault:
                in_fp16 = " (in fp16, whose loss scale cannot be lower; bf16 and fp32 have a wider range)"
                self._found("gradient", in_fp16 if self.config.precision == "fp16" else "")
            left_out = bool(getattr(self.engine.optimizer, "overflow", False))
            norm = math.nan if left_out else float(self.engine.get_global_grad_norm() or 0.0)
            if self.fault is None and not left_out and not math.isfinite(norm):
                raise UserError(
                    f"the gradient is not finite at step {self.step + 1}, and DeepSpeed made an update of it: the last"
                    " checkpoint is good; `pretrain.deepspeed` has it look away"
                )
        if self.fault is None:
            return norm
        for buffer, before in zip(self.engine.module.buffers(), self._buffers, strict=True):
            buffer.copy_(before)
        return math.nan

    def _found(self, what: str, cause: str = "") -> None:
        if self.config.non_finite == "stop":
            raise UserError(
                f"the {what} is not finite at step {self.step + 1}{cause}: stopped before it counts, the last"
                " checkpoint is good. Lower `pretrain.lr`, set `pretrain.clip_norm` (say 1.0) or `schedule.warmup`,"
                " look for broken signals, or write `non_finite: skip` and go on"
            )
        self.fault = self.fault or f"the {what} is not finite{cause}"


@contextlib.contextmanager
def _without_update(engine: Any) -> Iterator[None]:
    """Let `engine.step()` do all that it does (count, drop gradients), but leave weights and moments alone."""
    optimizer = engine.basic_optimizer
    optimizer.step = lambda *_args, **_kwargs: None
    try:
        yield
    finally:
        del optimizer.step


class Watchdog:
    """What was skipped and said in a training: each warning once, and again only after things were well again.

    Parameters
    ----------
    config : PretrainConfig

    Attributes
    ----------
    skipped : int
        Updates skipped since the beginning.
    warnings : dict
        Name: `step` (the first), `times`, `text` (of the first), `active`.
    """

    def __init__(self, config: PretrainConfig) -> None:
        self.config = config
        self.skipped = self._in_a_row = 0
        self.warnings: dict[str, dict[str, Any]] = {}

    def note_update(self, step: int, fault: str | None, run: Run) -> None:
        """Count update number `step`; `fault` is why it was skipped.

        Raises
        ------
        UserError
            `max_skipped` updates were skipped in a row.
        """
        self._in_a_row = self._in_a_row + 1 if fault else 0
        self.skipped += bool(fault)
        self._say("skipped_update", step, f"{fault}: the update is skipped" if fault else None, run)
        if self._in_a_row >= self.config.max_skipped:
            raise UserError(
                f"{self._in_a_row} updates in a row were skipped, the last at step {step}: {fault}. Look for broken"
                " signals, lower `pretrain.lr` or set `pretrain.clip_norm`; the checkpoints are good"
            )

    def examine(self, step: int, warnings: Mapping[str, str | None], layers: list[LayerState], run: Run) -> None:
        """Pass on what the objective warns of, and look at the layers; the same on every rank."""
        for name, text in warnings.items():
            self._say(name, step, text, run)
        for number, layer in enumerate(layers, 1):
            reason = _death(layer)
            text = f"layer {number} of {len(layers)} is dead: it {reason}" if reason else None
            self._say(f"dead_layer_{number}", step, text, run)

    def summary(self) -> list[dict[str, Any]]:
        """Every warning for `encoder.json`: `warning`, `step`, `times`, `text`."""
        return [
            {"warning": name, **{key: entry[key] for key in ("step", "times", "text")}}
            for name, entry in self.warnings.items()
        ]

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"skipped": self.skipped, "in_a_row": self._in_a_row, "warnings": self.warnings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.skipped, self._in_a_row, self.warnings = state["skipped"], state["in_a_row"], state["warnings"]

    def _say(self, name: str, step: int, text: str | None, run: Run) -> None:
        """Warn in the log and as a tag in MLflow, unless that was said and still holds; None: things are well."""
        entry = self.warnings.get(name)
        if text is None:
            if entry is not None:
                entry["active"] = False
            return
        if entry is None:
            entry = self.warnings[name] = {"step": step, "times": 0, "text": text, "active": False}
        if not entry["active"]:
            entry["active"], entry["times"] = True, entry["times"] + 1
            logger.warning("step %d: %s", step, text)
            run.tag(f"warning.{name}", f"step {step}: {text}")


def _death(layer: LayerState) -> str | None:
    """What a dead layer does, None for one that lives."""
    if layer.spread < _DEAD:
        return "gives every frame the same vector"
    if layer.change < _DEAD:
        return "gives back what it gets"
    return "gets no gradient" if layer.gradient == 0 else None
