"""Probabilities of records: means over windows, padding, and a model left as it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ecglfm.data.samples.dataset import Signals
from ecglfm.training.inference import aggregate_by_record, model_input, predict


class Encoder:
    crop_samples = 4


class MeanModel(nn.Module):
    """Logit = mean over the real samples of the first lead, in millivolts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.label_names = ["a", "b"]
        self.kind, self.aggregate, self.outputs = "multilabel", "mean", torch.sigmoid
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.dropout = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(1).eval()  # a part that is in eval mode already, as a frozen encoder is
        self.sizes: list[int] = []

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        self.sizes.append(len(x))
        real = torch.ones_like(x[:, 0], dtype=torch.bool) if mask is None else mask
        mean = (x[:, 0] * real).sum(1) / real.sum(1)
        return self.dropout(mean[:, None] * self.weight)


@pytest.fixture
def signals(tmp_path) -> Signals:
    """Three records of two leads: 8 samples (two windows), 2 (a padded one), 5 (one, the rest left out)."""
    first_lead = np.array([1000] * 4 + [3000] * 4 + [2000] * 2 + [500] * 4 + [9000])
    (tmp_path / "s").mkdir()
    np.save(tmp_path / "s" / "000.npy", np.stack([first_lead, -first_lead], axis=1).astype(np.int16))
    records = pd.DataFrame({"source": "s", "shard": 0, "n_samples": [8, 2, 5], "offset": [0, 8, 10]})
    return Signals(records, tmp_path)


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_probability_is_the_mean_over_windows(signals: Signals, batch_size: int) -> None:
    model = MeanModel().train()
    model.norm.eval()
    found = predict(model, signals, batch_size=batch_size)
    expected = [
        [(sigmoid(1) + sigmoid(3)) / 2, (sigmoid(-2) + sigmoid(-6)) / 2],
        [sigmoid(2), sigmoid(-4)],
        [sigmoid(0.5), sigmoid(-1)],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    assert model.training
    assert model.dropout.training
    assert not model.norm.training
    assert max(model.sizes) <= batch_size


def test_some_records_only(signals: Signals) -> None:
    windows = signals.windows(4)
    found = predict(MeanModel(), signals, windows[windows["row"].isin([0, 2])])
    np.testing.assert_allclose(found[:, 0], [(sigmoid(1) + sigmoid(3)) / 2, sigmoid(0.5)], rtol=1e-6)


def test_no_record_gives_an_empty_table(signals: Signals) -> None:
    assert predict(MeanModel(), signals, signals.windows(4).iloc[:0]).shape == (0, 2)


def test_input_is_millivolts_lead_first_with_a_mask() -> None:
    crops = np.arange(12, dtype=np.int16).reshape(1, 4, 3) * 100
    x, mask = model_input(crops, np.array([3]))
    np.testing.assert_allclose(x[0, 1].numpy(), [0.1, 0.4, 0.7, 1.0], rtol=1e-6)
    assert x.shape == (1, 3, 4)
    assert x.dtype == torch.float32
    assert mask.tolist() == [[True, True, True, False]]
    assert model_input(crops, np.array([4]))[1] is None


def test_aggregate_does_not_need_sorted_rows() -> None:
    mean = aggregate_by_record(np.array([7, 2, 7]), np.array([[1.0], [5.0], [2.0]]))
    assert mean.tolist() == [[5.0], [1.5]]


def test_modes_are_restored_when_a_forward_fails(signals: Signals) -> None:
    model = MeanModel().train()
    model.weight = nn.Parameter(torch.ones(2, 3, 5))  # cannot be multiplied with the means of 4 windows
    with pytest.raises(RuntimeError):
        predict(model, signals)
    assert model.dropout.training
