"""fp16's loss scale: DeepSpeed looks for it by leaving out updates whose gradients left the range, which is no fault.

It begins high (2^16) and halves the scale with each such update; a fault is a gradient that is not finite where no
lower scale is left. DeepSpeed itself then ends with a bare exception.
"""

from __future__ import annotations

from typing import Any


def loss_scaler(engine: Any) -> Any:
    """What has the scale, an object of DeepSpeed's; fp16 is never without ZeRO (`deepspeed_json`)."""
    return engine.optimizer.loss_scaler


def leave_faults_to_us(engine: Any) -> None:
    """Let DeepSpeed go on at the smallest scale: whoever calls `make_update` says what is the matter."""
    if engine.fp16_enabled():
        loss_scaler(engine).raise_error_at_min_scale = False


def is_lowest(engine: Any) -> bool:
    """Whether no lower scale is left: it is at its minimum, or fixed, or the numbers are not fp16's and have none."""
    if not engine.fp16_enabled():
        return True
    scaler = loss_scaler(engine)
    return not scaler.dynamic or scaler.cur_scale <= scaler.min_scale


def make_update(engine: Any) -> bool:
    """Let the engine step, and make the update if it is due.

    Returns
    -------
    bool
        Whether it was due and left out for a fault: gradients that are not finite, and not for fp16's scale. Without
        ZeRO the engine does not look, and it is never said.
    """
    looks = hasattr(engine.optimizer, "overflow") and is_lowest(engine) and engine.is_gradient_accumulation_boundary()
    engine.step()
    return looks and bool(engine.optimizer.overflow)
