"""How large an encoder is, what a recording of ten seconds takes of it, and how many it reads in a second here."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ecglfm.provenance import write_json

#: Length of the recording that is counted and timed, s.
SECONDS = 10.0
#: Windows in one forward, and for how long it is repeated, s.
BATCH, BUDGET = 16, 2.0


def run_encoder_size(folder: Path, output: Path, *, threads: int = 1) -> dict[str, Any]:
    """Write what `encoder_size` says of an encoder's folder; raises as loading it does."""
    from ecglfm.models.bundle import load_encoder
    from ecglfm.training.inference import ready

    found = encoder_size(ready(load_encoder(folder), threads=threads), threads=threads)
    write_json(output, found)
    return found


def encoder_size(encoder: Any, *, threads: int = 1, budget: float = BUDGET) -> dict[str, Any]:
    """Size, arithmetic and speed of an encoder on the device that it is on.

    Parameters
    ----------
    encoder : Encoder
    threads : int
        Of torch, which are told.
    budget : float
        For how long forwards are timed at least, s.

    Returns
    -------
    dict
        `parameters`; `windows` of `window_seconds` that it reads of a recording of ten seconds; `gmac`: 10^9 products
        and additions of their forward, of matrix products, convolutions and attention alone (`torch.utils.
        flop_counter`: no norms, no activations, no Fourier transforms); `records_per_second` of forwards in fp32 on
        input that is in memory, of the fastest batch, because other work only slows; `input_records_per_second`:
        recordings of which one processor core makes that input from prepared signals in memory (None of an encoder
        that reads these as they are);
        `device`, `threads`, `batch` (windows).
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from ecglfm.data.samples import cut_windows
    from ecglfm.training.inference import evaluating

    rate, length = encoder.sampling_rate, encoder.crop_samples
    windows = len(cut_windows(np.array([round(SECONDS * rate)]), length))
    with evaluating(encoder) as device:
        x = torch.randn(BATCH, len(encoder.leads), length, generator=torch.Generator().manual_seed(0)).to(device)
        # The processor's fused attention is not counted; as products it is.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            encoder(x[:1])
        fastest = _fastest(lambda: encoder(x), device, budget)
    return {
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "windows": windows,
        "window_seconds": length / rate,
        "gmac": windows * counter.get_total_flops() / 2e9,
        "records_per_second": float(f"{BATCH / windows / fastest:.4g}"),
        "input_records_per_second": _input_speed(encoder, budget),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": threads,
        "batch": BATCH,
    }


def _input_speed(encoder: Any, budget: float) -> float | None:
    """Recordings a second of what section `input` asks for."""
    import torch

    from ecglfm.data.signals import EncoderInput

    if encoder.input is None:
        return None
    given, prepared = EncoderInput(encoder.input, encoder.preprocess), encoder.preprocess
    shape = (round(SECONDS * prepared.sampling_rate), len(prepared.leads))
    signal_tl = np.random.default_rng(0).normal(0, 300, shape).astype(np.int16)
    length = given.config.window_samples * given.factor

    def make() -> None:
        record_tl = given.record(signal_tl)
        for start in range(0, max(len(record_tl) - length, 0) + 1, length):
            given.window(record_tl[start : start + length])

    return float(f"{1 / _fastest(make, torch.device('cpu'), budget):.4g}")


def _fastest(forward: Any, device: Any, budget: float) -> float:
    """Seconds of the fastest forward, after one that is not counted, of as many as the budget lets begin."""
    import torch

    taken: list[float] = []
    forward()
    while not taken or sum(taken) < budget:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        forward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - began)
    return min(taken)
