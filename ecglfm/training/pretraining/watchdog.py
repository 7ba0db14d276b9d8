"""Watchdogs of a pretraining: an update that is not finite never reaches the weights; what looks wrong is said.

`Guard` watches over one update, `Watchdog` remembers what was skipped and said. Its state is part of every checkpoint,
so a resumed training tells the same as one that ran through.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ecglfm import distributed
from ecglfm.config import PretrainConfig, UserError
from ecglfm.tracking import Run
from ecglfm.training.engine import gradient_norm, unwrap
from ecglfm.training.pretraining.layer_probe import LayerState

logger = logging.getLogger(__name__)

_DEAD = 1e-6  # change or spread of a layer that does nothing; rounding is a thousand times less, training far more


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

    def check_loss(self, output: Mapping[str, Tensor]) -> None:
        """Note what one forward of the objective gave; every rank must ask, before the backward pass.

        Raises
        ------
        UserError
            With `non_finite: stop`, where the loss of any rank is not finite.
        """
        if distributed.any_rank(not math.isfinite(output["loss"].item())):
            row = {name: float(value.detach()) for name, value in output.items()}
            causes = [text for text in unwrap(self.engine).warnings(row).values() if text is not None]
            self._found("loss", "".join(f" ({text})" for text in causes))

    def finish(self) -> float:
        """Apply the update, or skip it; to be called after the last backward pass.

        Returns
        -------
        float
            2-norm of the gradients before clipping; NaN where no update was made (also where DeepSpeed
            made none because gradients left the range of fp16, which is no fault).

        Raises
        ------
        UserError
            With `non_finite: stop`, where a gradient is not finite. No update was made of it.
        """
        norm = gradient_norm(self.engine)
        if norm is not None and not math.isfinite(norm):
            self._found("gradient")
        with _without_update(self.engine) if self.fault else contextlib.nullcontext():
            self.engine.step()
        if norm is None:  # ZeRO and fp16 tell only now, and make no update of such gradients themselves
            left_out = bool(getattr(self.engine.optimizer, "overflow", False))
            if left_out and self.config.precision != "fp16":
                self._found("gradient")
            norm = math.nan if left_out else float(self.engine.get_global_grad_norm() or 0.0)
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
