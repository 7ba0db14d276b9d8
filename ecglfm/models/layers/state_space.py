"""Structured state spaces as convolutions over time (S4, arXiv:2111.00396).

Each channel has a recurrence of its own from its input u to its output y, the bilinear form with step dt of
x' = A x + B u, where A = diag(w) - P Q^T over pairs of complex numbers:

    x[l] = dA x[l-1] + dB u[l],   y[l] = Re(C x[l]) + D u[l],   dA = (1 - dt A / 2)^-1 (1 + dt A / 2)

so y is u convolved with the kernel C dA^l dB. What learns is C and D, as in ECG-CPC; w, P, Q, B (HiPPO-LegS) and dt
stay as they were drawn. Then all that C is multiplied with is known beforehand: it is made once, in float64 by powers
of dA, and kept for the longest record so far. The published code evaluates the same kernel at the roots of unity in
every step.

Shapes: b batch, t frames, c channels, r directions, n complex numbers of a state (one of each pair), s = 2n, which is
their real parts and then their imaginary ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecglfm.models.layers.precision import at_least_float32, in_float32

#: Range of the steps dt that are drawn, in frames; their logarithms are uniform.
STEPS = (1e-3, 1e-1)


def hippo_legs(state: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HiPPO-LegS (arXiv:2008.07669) as a diagonal minus a product, in the basis of its eigenvectors.

    A + P P^T of A[i, j] = -sqrt((2i+1)(2j+1)) below the diagonal, -(i+1) on it, and P[i] = sqrt(i + 1/2) is -1/2 plus a
    skew matrix (arXiv:2111.00396, appendix C.1): its eigenvalues come in conjugate pairs.

    Parameters
    ----------
    state : int
        Rows of A; even.

    Returns
    -------
    w, p, b : ndarray of complex128, shape (state / 2,)
        Of the pairs' halves with a positive imaginary part, the fastest first: eigenvalues, P and B[i] = sqrt(2i+1). Of
        the eigenvectors, whose phase is free, those for which P and B are real.
    """
    root = np.sqrt(2 * np.arange(state) + 1.0)
    a = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(state) + 1.0)
    skew = a + np.outer(root, root) / 2 + np.eye(state) / 2
    frequencies, vectors = np.linalg.eigh(-1j * skew)  # in ascending order
    half = slice(None, state // 2 - 1, -1)
    b = np.abs(vectors[:, half].conj().T @ root).astype(complex)
    return -0.5 + 1j * frequencies[half], b / math.sqrt(2), b


class StateSpace(nn.Module):
    """One state space for each channel, and one more for each where both ways are looked.

    Parameters
    ----------
    dim : int
        Channels.
    state : int
        Numbers of a state; even.
    bidirectional : bool
        A second C, of the same recurrence run backwards over what comes after a frame.
    kernel_frames : int
        L: C is held as C (1 - dA^L), as the published code generates kernels of L frames; 0: as it is.
    """

    def __init__(self, dim: int, *, state: int, bidirectional: bool = False, kernel_frames: int = 0) -> None:
        super().__init__()
        self.log_dt: Tensor
        self.kernel_frames = kernel_frames
        w, p, b = (np.stack([part.real, part.imag], -1).astype(np.float32) for part in hippo_legs(state))
        for name, value in (("w", w), ("P", p), ("Q", p * np.array([1, -1], np.float32)), ("B", b)):
            self.register_buffer(name, torch.tensor(value).expand(dim, -1, -1).clone())
        low, high = (math.log(step) for step in STEPS)
        self.register_buffer("log_dt", torch.empty(dim).uniform_(low, high))
        self.C = nn.Parameter(torch.empty(1 + bidirectional, dim, state // 2, 2).normal_(std=math.sqrt(0.5)))
        self.D = nn.Parameter(torch.empty(dim).normal_())
        self._basis: Tensor | None = None
        if kernel_frames and not self.C.is_meta:
            rows_rcs = self._rows(self.C.detach().double())
            folded_crs = rows_rcs.transpose(0, 1) @ self._folding(self._recurrence()[0])
            pairs_rcn2 = folded_crs.transpose(0, 1).unflatten(2, (2, -1)).transpose(2, 3)
            self.C.data.copy_(pairs_rcn2 * torch.tensor([0.5, -0.5]))

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> StateSpace:
        """Move, or change numbers of, what learns; the recurrence keeps its digits."""
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, value in before.items():
            if value is not None and not value.is_meta:
                self._buffers[name] = value.to(getattr(self, name).device)
        self._basis = None
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._basis = None

    def _recurrence(self) -> tuple[Tensor, Tensor]:
        """Matrices dA (channels, state, state) and dB (channels, state, 1) in float64, on real and imaginary parts."""
        w, p, q, b = (getattr(self, name).detach().double().cpu() for name in "wPQB")
        dt_c11 = self.log_dt.detach().double().cpu().exp()[:, None, None]
        real, imaginary = (torch.diag_embed(w[..., part]) for part in (0, 1))
        a_css = torch.cat([torch.cat([real, -imaginary], 2), torch.cat([imaginary, real], 2)], 1)
        # P Q^T over both halves of each pair: P times twice the real part of Q x
        p_cs1 = p.transpose(1, 2).flatten(1)[:, :, None]
        q_c1s = (q * q.new_tensor([2.0, -2.0])).transpose(1, 2).flatten(1)[:, None, :]
        half_css = (a_css - p_cs1 @ q_c1s) * (dt_c11 / 2)
        b_cs1 = b.transpose(1, 2).flatten(1)[:, :, None] * dt_c11
        one = torch.eye(half_css.shape[-1], dtype=torch.float64)
        return torch.linalg.solve(one - half_css, one + half_css), torch.linalg.solve(one - half_css, b_cs1)

    @staticmethod
    def _rows(c_rcn2: Tensor) -> Tensor:
        """C (directions, channels, state) as it multiplies real and imaginary parts, each of them for a pair."""
        return torch.cat([2 * c_rcn2[..., 0], -2 * c_rcn2[..., 1]], 2)

    def _folding(self, step_css: Tensor) -> Tensor:
        """1 - dA^L."""
        one = torch.eye(step_css.shape[-1], dtype=torch.float64)
        return one - torch.linalg.matrix_power(step_css, self.kernel_frames)

    def make_basis(self, frames: int) -> Tensor:
        """States after an impulse, of which C makes the kernel: float64, (channels, state, frames), on the CPU."""
        step_css, states_cst = self._recurrence()
        if self.kernel_frames:
            states_cst = torch.linalg.solve(self._folding(step_css), states_cst)  # it commutes with every step
        while states_cst.shape[2] < frames:
            states_cst = torch.cat([states_cst, step_css @ states_cst], 2)
            step_css = step_css @ step_css
        return states_cst[:, :, :frames]

    def basis(self, frames: int, like: Tensor) -> Tensor:
        """`make_basis` in the numbers and on the device of `like`; kept, and cut for what is shorter."""
        if like.is_meta:  # where steps are counted, without numbers
            return like.new_empty(self.C.shape[1], 2 * self.C.shape[2], frames)
        kept = self._basis
        if kept is None or kept.shape[2] < frames or (kept.device, kept.dtype) != (like.device, like.dtype):
            with torch.inference_mode(False), torch.no_grad():
                self._basis = kept = self.make_basis(frames).to(like.device, like.dtype)
        return kept[:, :, :frames]

    def kernel(self, frames: int, like: Tensor) -> Tensor:
        """What an input is convolved with.

        Parameters
        ----------
        frames : int
        like : Tensor
            For its numbers and its device.

        Returns
        -------
        Tensor, shape (directions, channels, frames)
            Of the first direction entry l weighs the input l frames ago, of the second that l + 1 frames ahead.
        """
        rows_crs = self._rows(self.C.to(like.dtype)).transpose(0, 1)
        return (rows_crs @ self.basis(frames, like)).transpose(0, 1)

    def forward(self, x_bct: Tensor) -> Tensor:
        """Run the recurrences, in float32 at least; padding must be zeros.

        Parameters
        ----------
        x_bct : Tensor, shape (batch, channels, frames)

        Returns
        -------
        Tensor, shape (batch, channels, frames)
        """
        return in_float32(self._convolve, x_bct)

    def _convolve(self, x_bct: Tensor) -> Tensor:
        x, frames = at_least_float32(x_bct), x_bct.shape[2]
        ahead, *back = self.kernel(frames, x)
        kernel_cn = torch.cat([ahead, back[0].flip(1)], 1) if back else ahead
        spectrum = torch.fft.rfft(x, 2 * frames) * torch.fft.rfft(kernel_cn, 2 * frames)
        out = torch.fft.irfft(spectrum, 2 * frames)[..., :frames]
        return torch.addcmul(out, x, at_least_float32(self.D)[:, None])
