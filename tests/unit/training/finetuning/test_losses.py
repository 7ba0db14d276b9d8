"""Losses against numbers worked by hand, and Cox's against a published fit and scikit-survival."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from ecglfm.config import FinetuneConfig
from ecglfm.models.outputs import link_of
from ecglfm.training.finetuning.criterion import make_criterion
from ecglfm.training.finetuning.losses import (
    asymmetric,
    balanced_weights,
    cox,
    focal,
    make_loss,
    masked_bce,
    masked_ce,
    masked_huber,
    masked_mse,
)

NAN = float("nan")
#: Answers of scikit-survival; make_golden_survival.py, beside it, made them.
GOLDEN = json.loads((Path(__file__).parents[2] / "evaluation/metrics/golden_survival.json").read_text())
LOGITS = torch.tensor([[0.0, 2.0], [-1.0, 5.0]])
TARGET = torch.tensor([[1.0, 0.0], [0.0, NAN]])


def test_unknown_labels_do_not_count() -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = masked_bce(logits, TARGET)
    # ln 2, ln(1 + e^2), ln(1 + e^-1), and nothing of the unknown one
    assert loss.item() == pytest.approx((0.6931472 + 2.1269280 + 0.3132617) / 3, abs=1e-6)
    loss.backward()
    assert logits.grad[1, 1].item() == 0.0
    assert logits.grad[0, 0].item() == pytest.approx(-0.5 / 3)
    criterion = make_criterion(FinetuneConfig(), link_of("multilabel"), TARGET.numpy())
    found = criterion.validate(TARGET.numpy(), torch.sigmoid(logits).detach().numpy())
    assert found["loss"] == pytest.approx(loss.item(), abs=1e-6)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "survival"])
def test_batch_without_a_known_label_gives_no_gradient(kind: str) -> None:
    logits = torch.zeros(2, 1, requires_grad=True)
    loss = make_loss(FinetuneConfig(), link_of(kind, [1.0], [2.0]), np.ones((2, 1)))
    value = loss(logits, torch.full((2, 1), NAN))
    value.backward()
    assert value.item() == 0.0
    assert logits.grad.tolist() == [[0.0], [0.0]]


def test_focal_by_hand() -> None:
    # (1 - 0.5)^2 ln 2, 0.8807971^2 x 2.1269280, 0.2689414^2 x 0.3132617
    expected = (0.1732868 + 1.6500764 + 0.0226581) / 3
    assert focal(LOGITS, TARGET, 2.0).item() == pytest.approx(expected, abs=1e-6)
    assert focal(LOGITS, TARGET, 0.0).item() == pytest.approx(masked_bce(LOGITS, TARGET).item(), abs=1e-6)


def test_asymmetric_by_hand() -> None:
    # 0.5 ln 2; q = 0.8307971: q^4 = 0.4764083, -ln(1 - q) = 1.7766578; q = 0.2189414: 0.0022978 x 0.2471051
    expected = (0.3465736 + 0.4764083 * 1.7766578 + 0.0022978 * 0.2471051) / 3
    assert asymmetric(LOGITS, TARGET, 1.0, 4.0, 0.05).item() == pytest.approx(expected, abs=1e-6)
    easy = torch.tensor([[-4.0]], requires_grad=True)  # p = 0.018 is below the margin
    loss = asymmetric(easy, torch.zeros(1, 1), 1.0, 4.0, 0.05)
    loss.backward()
    assert (loss.item(), easy.grad.item()) == (0.0, 0.0)
    assert asymmetric(LOGITS, TARGET, 0, 0, 0).item() == pytest.approx(masked_bce(LOGITS, TARGET).item(), abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_no_exponent_makes_a_gradient_that_is_no_number(gamma: float) -> None:
    """A record of which the model is sure has a base of exactly 0 in float32; its gradient is 0, as in the limit."""
    sure = torch.tensor([[-25.0, 25.0, -200.0, 200.0, 18.0, -18.0, -0.3, 0.4]], requires_grad=True)
    target = torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, np.nan]])
    for margin in (0.0, 0.05):
        for loss in (focal(sure, target, gamma), asymmetric(sure, target, gamma, gamma, margin)):
            (gradient,) = torch.autograd.grad(loss, sure)
            assert gradient.isfinite().all()
            assert gradient[0, :4].abs().max() < 1e-9
    exact = sure.detach().double().requires_grad_()
    found = [torch.autograd.grad(focal(x, target.to(x), gamma), x)[0][0, 4:].double() for x in (sure, exact)]
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


def test_softmax_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, np.log(2), np.log(5)], [1.0, 1.0, 1.0], [9.0, 0.0, 0.0]])
    target = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [NAN, NAN, NAN]])
    # ln(8 / 2) and ln 3
    assert masked_ce(logits, target).item() == pytest.approx((1.3862944 + 1.0986123) / 2, abs=1e-6)
    weighted = masked_ce(logits, target, torch.tensor([3.0, 0.5, 7.0])).item()
    assert weighted == pytest.approx((0.5 * 1.3862944 + 3 * 1.0986123) / 2, abs=1e-6)


def test_errors_of_regression_by_hand() -> None:
    logits, target = torch.tensor([[1.0, 0.0], [4.0, 2.0]]), torch.tensor([[1.5, NAN], [1.0, 2.0]])
    assert masked_mse(logits, target).item() == pytest.approx((0.25 + 9 + 0) / 3)
    assert masked_huber(logits, target, 1.0).item() == pytest.approx((0.125 + 2.5 + 0) / 3)
    loss = make_loss(FinetuneConfig(), link_of("regression", [60.0, 0.0], [10.0, 1.0]), np.zeros((1, 2)))
    # (75 - 60) / 10 is 1.5
    assert loss(logits[:1], torch.tensor([[75.0, NAN]])).item() == pytest.approx(0.25)


def test_cox_by_hand() -> None:
    """Hazards 1, 2, 3, 1; an event at 1, two at 2, the last one seen until 3 without."""
    h = torch.tensor([[1.0], [2.0], [3.0], [1.0], [50.0]]).log()
    signed = torch.tensor([[1.0], [2.0], [2.0], [-3.0], [NAN]])
    # ln(7 / 1) + ln(6 / 2) + ln(6 / 3), by event: both tied ones are compared with all of 2 + 3 + 1
    assert cox(h, signed).item() == pytest.approx((1.9459101 + 1.0986123 + 0.6931472) / 3, abs=1e-6)


def test_cox_on_published_remissions() -> None:
    """Remission of leukaemia, weeks (Freireich et al. 1963): 172.759 and 187.970 are -2 log L, the placebo's log
    hazard ratio 1.509, with Breslow's ties (Kleinbaum and Klein, Survival Analysis, chapter 3).
    """
    treated = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    signed = torch.tensor(treated + placebo, dtype=torch.float64)[:, None]
    group = torch.tensor([0.0] * 21 + [1.0] * 21, dtype=torch.float64)[:, None]
    events = 30
    assert 2 * events * cox(0 * group, signed).item() == pytest.approx(187.970, abs=5e-4)
    assert 2 * events * cox(1.509 * group, signed).item() == pytest.approx(172.759, abs=5e-4)
    losses = [cox(beta * group, signed).item() for beta in np.arange(1.499, 1.5200, 0.001)]
    assert 1.499 + 0.001 * np.argmin(losses) == pytest.approx(1.509, abs=1.1e-3)


@pytest.mark.parametrize("golden", GOLDEN)
def test_cox_is_the_log_partial_likelihood_of_scikit_survival(golden: dict) -> None:
    """With ties after Breslow, as everywhere here; and its gradient ends where their model does."""
    time, event, risk = (torch.tensor(golden[key], dtype=torch.float64) for key in ("time", "event", "risk"))
    signed = torch.where(event > 0, time, -time)[:, None]
    events = float(event.sum())
    assert events > len(set(time[event > 0].tolist()))  # there are ties
    assert -events * cox(risk[:, None], signed).item() == pytest.approx(golden["log_likelihood"], rel=1e-9)
    slope = torch.tensor(golden["hazard_ratio"], dtype=torch.float64).log().requires_grad_()
    cox(slope * risk[:, None], signed).backward()
    assert slope.grad.item() == pytest.approx(0, abs=1e-7)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    target = np.array([[1, 0], [0, 1], [0, np.nan], [0, 1], [np.nan, 1]], np.float32)
    for column, weights in zip(target.T, balanced_weights(target, exclusive=False).T, strict=True):
        known = column[~np.isnan(column)]
        expected = compute_class_weight("balanced", classes=np.array([0.0, 1.0]), y=known)
        np.testing.assert_allclose(weights, expected, rtol=1e-6)
    one_hot = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 2, 2]]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=one_hot.argmax(1))
    np.testing.assert_allclose(balanced_weights(one_hot, exclusive=True), expected, rtol=1e-6)
    assert balanced_weights(np.ones((3, 1), np.float32), exclusive=False).tolist() == [[1.0], [0.5]]


def test_weights_multiply_the_loss_of_their_class() -> None:
    weights = torch.tensor([[0.5, 2.0], [3.0, 9.0]])
    expected = (3 * 0.6931472 + 2 * 2.1269280 + 0.5 * 0.3132617) / 3
    assert masked_bce(LOGITS, TARGET, weights).item() == pytest.approx(expected, abs=1e-6)
