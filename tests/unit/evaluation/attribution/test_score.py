"""What is explained, by hand, of each kind of task."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecglfm.evaluation.attribution import Score
from tests.unit.evaluation.attribution.models import linear_model


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [("multilabel", "log odds"), ("multiclass", "log odds"), ("regression", "number in its unit"),
     ("survival", "log hazard ratio")],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["full", "frozen"])
def test_the_explained_number(kind: str, meaning: str, mode: str):
    model = linear_model(kind, mode)
    if kind == "regression":
        model.link = type(model.link)(model.link.kind, (50.0, 60.0, 70.0), (10.0, 20.0, 30.0))
    x = torch.randn(2, 12, 200, generator=torch.Generator().manual_seed(0), requires_grad=True)
    score = Score(model, 1)
    logits = model(x).detach().numpy()
    expected = logits[:, 1]
    if kind == "multiclass":  # log(p / (1 - p)) of softmax
        share = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
        expected = np.log(share / (1 - share))
    if kind == "regression":
        expected = 60 + 20 * expected
    found = score(x)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-4)
    assert score.meaning == meaning
    assert score.unit == (20.0 if kind == "regression" else 1.0)
    found.sum().backward()
    assert x.grad is not None  # a frozen encoder lets gradients through here
    assert float(x.grad.abs().sum()) > 0
