"""State spaces: the recurrence step by step, the published generating function, and lengths that are cuts of each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ecglfm.models.layers.state_space import StateSpace, hippo_legs


def space(**options) -> StateSpace:
    torch.manual_seed(0)
    return StateSpace(3, **{"state": 4} | options)


def parts(module: StateSpace) -> dict[str, np.ndarray]:
    """w, P, Q, B (channels, pairs) and C (directions, channels, pairs), complex; dt and D (channels,)."""
    state = {name: value.double() for name, value in module.state_dict().items()}
    found = {name: torch.view_as_complex(state[name]).numpy() for name in "wPQBC"}
    return found | {"dt": state["log_dt"].exp().numpy(), "D": state["D"].numpy()}


def whole(half: np.ndarray) -> np.ndarray:
    """Both of each pair."""
    return np.concatenate([half, half.conj()])


def recurrence(module: StateSpace, u_ct: np.ndarray, direction: int = 0) -> np.ndarray:
    """C x[l] of each channel, in complex numbers and one step after another; without D."""
    p, out = parts(module), np.zeros(u_ct.shape)
    for channel, dt in enumerate(p["dt"]):
        w, first, second, b = (whole(p[name][channel]) for name in "wPQB")
        a, one = np.diag(w) - np.outer(first, second), np.eye(len(w))
        step = np.linalg.inv(one - dt / 2 * a) @ (one + dt / 2 * a)
        enters = np.linalg.inv(one - dt / 2 * a) @ b * dt
        c = whole(p["C"][direction, channel])
        if module.kernel_frames:
            c = c @ np.linalg.inv(one - np.linalg.matrix_power(step, module.kernel_frames))
        x = np.zeros(len(w), complex)
        for frame, u in enumerate(u_ct[channel]):
            x = step @ x + enters * u
            out[channel, frame] = (c @ x).real
    return out


@pytest.mark.parametrize("frames", [1, 7, 32, 45])
@pytest.mark.parametrize("kernel_frames", [0, 32])
def test_the_kernel_is_the_recurrence_step_by_step(frames: int, kernel_frames: int) -> None:
    """Of any length, whatever that of which the weights are: as many frames, fewer, more."""
    module = space(kernel_frames=kernel_frames)
    u = torch.randn(2, 3, frames, dtype=torch.float64)
    found = module(u).detach().numpy()
    for row in range(2):
        expected = recurrence(module, u[row].numpy()) + parts(module)["D"][:, None] * u[row].numpy()
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_looking_ahead_by_hand() -> None:
    """Frame t also gets the second kernel of what comes after: entry 0 of the next frame."""
    module = space(bidirectional=True)
    u = torch.randn(1, 3, 6, dtype=torch.float64)
    ahead = recurrence(module, u[0].flip(1).numpy(), direction=1)[:, ::-1]  # of frame t it has t and what comes after
    ahead = np.concatenate([ahead[:, 1:], np.zeros((3, 1))], axis=1)
    expected = recurrence(module, u[0].numpy()) + ahead + parts(module)["D"][:, None] * u[0].numpy()
    np.testing.assert_allclose(module(u)[0].detach().numpy(), expected, atol=1e-13)


def test_the_kernel_is_the_published_generating_function_at_the_roots_of_unity() -> None:
    """arXiv:2111.00396, algorithm 1: sums of v / (z - w), their correction by the product, an inverse transform."""
    length = 32
    module = space(kernel_frames=length)
    p, kernel = parts(module), module.kernel(length, torch.zeros(1, dtype=torch.float64))[0].detach().numpy()
    for channel, dt in enumerate(p["dt"]):
        omega = np.exp(-2j * np.pi * np.arange(length // 2) / length)  # of the last, -1, z is infinite
        z = 2 * (1 - omega) / (1 + omega)
        w, low, high, b, c = *(whole(p[name][channel]) for name in "wPQB"), whole(p["C"][0, channel])
        sums = {
            name: dt * (left * right / (z[:, None] - w * dt)).sum(1)
            for name, left, right in (("bc", b, c), ("bq", b, high), ("pc", low, c), ("pq", low, high))
        }
        spectrum = (sums["bc"] - sums["bq"] * sums["pc"] / (1 + sums["pq"])) * 2 / (1 + omega)
        np.testing.assert_allclose(np.fft.rfft(kernel[channel])[:-1], spectrum, atol=1e-12)


def test_the_length_that_weights_are_of_changes_no_new_kernel() -> None:
    plain, folded = space(), space(kernel_frames=20)
    assert (plain.C - folded.C).abs().max() > 0.01
    like = torch.zeros(1, dtype=torch.float64)
    torch.testing.assert_close(folded.kernel(50, like), plain.kernel(50, like), rtol=0, atol=1e-6)


def test_hippo_by_its_definition() -> None:
    w, p, b = hippo_legs(8)
    a = np.diag(whole(w)) - np.outer(whole(p), whole(p).conj())
    # the matrix is lower triangular with -1, -2, ... on its diagonal, and A and B have these moments in any basis
    np.testing.assert_allclose(sorted(np.linalg.eigvals(a).real), -np.arange(8, 0, -1.0), atol=1e-9)
    legs = -np.tril(np.sqrt(np.outer(2 * np.arange(8) + 1, 2 * np.arange(8) + 1)), -1) - np.diag(np.arange(1.0, 9.0))
    root = np.sqrt(2 * np.arange(8) + 1.0)
    for power in range(4):
        found = whole(b).conj() @ np.linalg.matrix_power(a, power) @ whole(b)
        np.testing.assert_allclose(found, root @ np.linalg.matrix_power(legs, power) @ root, rtol=1e-9)
    assert (np.diff(w.imag) < 0).all()
    assert (w.imag > 0).all()


def test_what_is_kept_is_cut_and_renewed() -> None:
    module, like = space(), torch.zeros(1, dtype=torch.float64)
    whole_kernel = module.kernel(40, like)
    kept = module._basis
    torch.testing.assert_close(module.kernel(13, like), whole_kernel[:, :, :13], rtol=0, atol=0)
    assert module._basis is kept
    torch.testing.assert_close(space().kernel(13, like), whole_kernel[:, :, :13], rtol=0, atol=0)
    assert module.kernel(41, like).shape == (1, 3, 41)
    assert module.kernel(5, like.float()).dtype == torch.float32
    other = space()
    other.log_dt.add_(0.1)
    module.load_state_dict(other.state_dict())
    torch.testing.assert_close(module.kernel(13, like), other.kernel(13, like), rtol=0, atol=0)


def test_it_learns_after_it_was_used_without_gradients() -> None:
    module, u = space(), torch.randn(1, 3, 9)
    with torch.inference_mode():
        module(u)
    module(u).square().sum().backward()
    assert module.C.grad.abs().min() > 0
    assert module.D.grad.abs().min() > 0
    assert {name for name, _ in module.named_parameters()} == {"C", "D"}


def test_the_recurrence_keeps_its_digits_in_half_precision() -> None:
    module, u = space(), torch.randn(2, 3, 50)
    before, exact = {name: value.clone() for name, value in module.named_buffers()}, module(u).detach()
    module.to(torch.bfloat16)
    assert module.C.dtype == torch.bfloat16
    for name, value in module.named_buffers():
        assert torch.equal(value, before[name])
    nn.Module.float(module)
    torch.testing.assert_close(module(u), exact, rtol=0, atol=0.02 * float(exact.abs().max()))
    with torch.autocast("cpu", torch.bfloat16):
        found = space()(u).detach()
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=0.004, atol=1e-6)


def test_without_numbers_it_has_shapes() -> None:
    with torch.device("meta"):
        module = StateSpace(3, state=4, bidirectional=True, kernel_frames=9)
    assert module(torch.empty(2, 3, 7, device="meta")).shape == (2, 3, 7)
