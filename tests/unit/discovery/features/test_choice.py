"""Components of a covariance that is known, and what a head relies on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecglfm.discovery.features.choice import components, dimensions, head_attribution


def test_components_of_a_known_covariance():
    """Vectors whose sample covariance is exactly diag(9, 4, 1, 0.25), turned: the turn and the variances come back."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    white = rng.standard_normal((200, 4))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    x_nd = (white * np.array([3.0, 2.0, 1.0, 0.5])) @ turn.T + np.array([5.0, 0.0, -1.0, 2.0])
    made = components(x_nd, 3)
    assert made.names == ["edf_0001", "edf_0002", "edf_0003"]
    np.testing.assert_allclose([one["variance"] for one in made.about], [9, 4, 1], rtol=1e-9)
    np.testing.assert_allclose([one["explained"] for one in made.about], np.array([9, 4, 1]) / 14.25, rtol=1e-9)
    np.testing.assert_allclose(np.abs(made.weights_dk.T @ turn)[:, :3], np.eye(3), atol=1e-9)
    assert (made.weights_dk.max(axis=0) == np.abs(made.weights_dk).max(axis=0)).all()  # the largest is positive
    raw = (x_nd - made.mean_d) @ made.weights_dk
    np.testing.assert_allclose(np.cov(raw, rowvar=False), np.diag([9.0, 4.0, 1.0]), atol=1e-9)


def test_no_more_components_than_there_are():
    x_nd = np.random.default_rng(0).standard_normal((3, 5))
    assert len(components(x_nd, 10).names) == 2


def test_dimensions_are_themselves():
    x_nd = np.random.default_rng(0).standard_normal((20, 3))
    made = dimensions(x_nd, np.array([2, 0]), np.array([0.1, 0.0, 0.7]))
    assert made.names == ["edf_0002", "edf_0000"]
    assert [(one["dimension"], one["attribution"]) for one in made.about] == [(2, 0.7), (0, 0.1)]
    np.testing.assert_array_equal((x_nd - made.mean_d) @ made.weights_dk, x_nd[:, [2, 0]])


def test_a_heads_attribution_is_captums_integrated_gradients():
    from captum.attr import IntegratedGradients

    x_nd = np.random.default_rng(0).standard_normal((30, 4)) * [1, 2, 3, 4] + 1
    head = torch.nn.Linear(4, 3).double()
    baseline = torch.tensor(x_nd.mean(axis=0))[None]
    there = IntegratedGradients(head).attribute(torch.tensor(x_nd), baseline, target=1, n_steps=7).abs().mean(0)
    np.testing.assert_allclose(head_attribution(x_nd, head.weight[1].detach().numpy()), there.numpy(), rtol=1e-6)
    assert head_attribution(np.ones((3, 4)), np.ones(4)) == pytest.approx(0)
