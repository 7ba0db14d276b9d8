"""A head that begins as a linear probe: another library's weights, the penalty that validates best, and a fit from there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from ecglfm import distributed
from ecglfm.config import FinetuneConfig
from ecglfm.models.bundle import load_model
from ecglfm.models.outputs import link_of
from ecglfm.training.finetuning import probed_head
from ecglfm.training.finetuning.criterion import Criterion, make_criterion
from ecglfm.training.finetuning.probed_head import best_probe, probe
from ecglfm.training.finetuning.targets import make_link
from tests.unit.training.finetuning.test_finetune import LENGTH, fit, make_data, make_encoder
from tests.unit.training.pretraining.small_pretraining import StopAfter


def criterion_of(kind: str, target: np.ndarray, **config: object) -> Criterion:
    link = make_link(kind, target) if kind == "regression" else link_of(kind)
    return make_criterion(FinetuneConfig(**config), link, target)


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (300, 6) of unlike scales, and two labels that the first and the second number decide, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 6)) * [1, 10, 0.1, 1, 1, 1] + [0, 50, 0, 0, 0, 0]
    logits = np.stack([2 * x[:, 0], 0.2 * (x[:, 1] - 50) - 1], 1)
    return x, (rng.random((300, 2)) < expit(logits)).astype(np.float64)


@pytest.fixture
def free_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries leave the bias alone."""
    monkeypatch.setattr(probed_head, "BIAS_PENALTY", 0.0)


def test_it_is_logistic_regression(free_bias: None) -> None:
    """Of scikit-learn, whose C is 1 / (penalty x records): its loss is a sum over records, ours a mean."""
    x, y = drawn()
    y[::7, 0] = np.nan  # unknown: of the mean the other label's records are a larger part
    known = ~np.isnan(y)
    weight, bias = probe(torch.from_numpy(x), torch.from_numpy(y), criterion_of("multilabel", y), 0.02)
    for label in range(2):
        rows = known[:, label]
        theirs = LogisticRegression(C=2 / (0.02 * known.sum()), tol=1e-10, max_iter=10_000).fit(x[rows], y[rows, label])
        np.testing.assert_allclose(weight[label], theirs.coef_[0], rtol=1e-3, atol=1e-4)
        assert float(bias[label]) == pytest.approx(theirs.intercept_[0], rel=1e-3)


def test_of_quantities_it_is_ridge_regression(free_bias: None) -> None:
    x, _ = drawn()
    y = (3 * x[:, :1] - 20 + np.random.default_rng(1).normal(size=(300, 1))) * 7
    criterion = criterion_of("regression", y, loss="mse")
    weight, _ = probe(torch.from_numpy(x), torch.from_numpy(y), criterion, 0.1)
    standardized = (y - y.mean()) / y.std()
    theirs = Ridge(alpha=0.1 * len(x) / 2).fit(x, standardized)  # a sum of squares without the half of the penalty
    np.testing.assert_allclose(weight[0], theirs.coef_.ravel(), rtol=1e-3, atol=1e-5)


def test_the_penalty_that_validates_best_is_taken_and_vectors_are_standardised_for_it(free_bias: None) -> None:
    (x, y), (valid_x, valid_y) = drawn(0), drawn(1)
    x, y = x[:25], y[:25]  # too few for six numbers: much penalty is better
    constant = np.full((25, 1), 3.0)  # a number that never changes says nothing, whatever it does later
    both = np.hstack([x, constant]), np.hstack([valid_x, np.linspace(-1e6, 1e6, 300)[:, None]])
    criterion = criterion_of("multilabel", y)
    weight, bias = best_probe(*map(torch.from_numpy, (both[0], y, both[1], valid_y)), criterion)
    mean, deviation = x.mean(0), x.std(0)
    losses = {}
    for penalty in probed_head.PENALTIES:
        said = np.empty_like(valid_y)
        for label in range(2):
            theirs = LogisticRegression(C=1 / (penalty * len(y)), tol=1e-10, max_iter=10_000)
            theirs.fit((x - mean) / deviation, y[:, label])
            said[:, label] = theirs.decision_function((valid_x - mean) / deviation)
        losses[penalty] = np.logaddexp(0, np.where(valid_y > 0, -said, said)).mean(), said
    best = min(losses, key=lambda penalty: losses[penalty][0])
    assert best not in (probed_head.PENALTIES[0], probed_head.PENALTIES[-1])
    ours = both[1] @ weight.numpy().T + bias.numpy()
    np.testing.assert_allclose(ours, losses[best][1], rtol=1e-3, atol=1e-3)
    assert not weight[:, -1].any()


def test_a_fit_begins_there(tmp_path: Path) -> None:
    """At a rate of nearly nothing the first epoch already knows what the vectors tell; from a random head it does not."""
    data = make_data(tmp_path / "data")
    make_encoder(data / "encoder")
    still = {"lr": 1e-12, "head_lr": 1e-12, "epochs": 1}
    for mode in ("full", "lora"):
        auroc = {}
        for start in ("random", "probe"):
            fit(data, tmp_path / mode / start, f"{mode}-s0", head_start=start, **still)
            history = pd.read_csv(tmp_path / mode / start / "history.csv")
            auroc[start] = float(history.query("split == 'valid'")["auroc"].iloc[0])
        assert auroc["random"] < 0.7
        assert auroc["probe"] > 0.9


def test_a_linear_head_is_solved_whatever_the_rate(tmp_path: Path, free_bias: None) -> None:
    """Another library's: of the penalties that which has the least loss on the validation records."""
    data = make_data(tmp_path / "data")
    make_encoder(data / "encoder")
    told = {}
    for name, options in {"a": {"lr": 1e-12, "epochs": 1}, "b": {"lr": 1.0, "epochs": 9}}.items():
        fit(data, tmp_path / name, "linear-s0", linear_solver="lbfgs", **options)
        told[name] = (tmp_path / name / "model.safetensors").read_bytes()
    assert told["a"] == told["b"]
    history = pd.read_csv(tmp_path / "a/history.csv")
    assert history[["epoch", "split"]].values.tolist() == [[0, "valid"]]

    model = load_model(tmp_path / "a")
    labels = pd.read_parquet(data / "labels.parquet")
    signal = np.load(data / "preprocess/s/000.npy").reshape(len(labels), LENGTH, 3).transpose(0, 2, 1)
    windows = torch.from_numpy(signal / 1000).float().unfold(2, 250, 250).transpose(1, 2).flatten(0, 1)
    with torch.inference_mode():
        vectors = model.encoder.embed(windows).unflatten(0, (-1, 4)).mean(1)
        ours = model.head(vectors).numpy()
    x, y = vectors.double().numpy(), labels[["label.fast", "label.big"]].to_numpy()
    train, valid = ((labels["split"] == split).to_numpy() for split in ("train", "valid"))
    x = (x - x[train].mean(0)) / x[train].std(0)
    losses, logits = [], []
    for penalty in probed_head.PENALTIES:
        solver = LogisticRegression(C=1 / (penalty * train.sum()), tol=1e-10, max_iter=10_000)
        said = np.stack([solver.fit(x[train], own[train]).decision_function(x) for own in y.T], 1)
        losses.append(np.logaddexp(0, np.where(y > 0, -said, said))[valid].mean())
        logits.append(said)
    assert 0 < np.argmin(losses) < len(losses) - 1
    np.testing.assert_allclose(ours, logits[np.argmin(losses)], rtol=1e-2, atol=1e-2)


def test_what_begins_at_random_is_described_as_before() -> None:
    assert not {"head_start", "linear_solver"} & set(FinetuneConfig().model_dump())
    assert FinetuneConfig(head_start="probe").model_dump()["head_start"] == "probe"


def test_a_label_without_positives_gets_the_odds_of_hardly_any() -> None:
    """Its own loss would have it at minus infinity, where validation and temperatures of all labels would suffer."""
    x, y = drawn()
    y[:, 1] = 0.0
    whole = torch.from_numpy((x - x.mean(0)) / x.std(0)), torch.from_numpy(y)
    weight, bias = probe(*whole, criterion_of("multilabel", y), 1.0)
    assert float(expit(bias[1].item())) == pytest.approx(-1e-3 * float(bias[1]), rel=1e-2)  # where both gradients meet
    assert -5.5 < float(bias[1]) < -5
    assert float(weight[1].abs().max()) < 1e-2


def test_how_many_labels_there_are_is_nothing_to_one_of_them() -> None:
    x, y = drawn()
    x = (x - x.mean(0)) / x.std(0)
    y[:, 1] = np.arange(len(y)) == 0  # rare: a penalty that grew with the labels beside it would show in its bias
    few, many = (
        probe(torch.from_numpy(x), torch.from_numpy(labels), criterion_of("multilabel", labels), 0.1)
        for labels in (y, np.tile(y, (1, 30)))
    )
    for of_few, of_many in zip(few, many, strict=True):
        np.testing.assert_allclose(of_many[:2], of_few, rtol=1e-3, atol=1e-5)
    assert float(few[1][1]) < -4.5


def test_a_number_that_is_rounding_says_nothing() -> None:
    x, y = drawn()
    x[:, 2] = 100 + 1e-6 * np.random.default_rng(0).normal(size=len(x))
    weight, _ = best_probe(*map(torch.from_numpy, (x, y, x, y)), criterion_of("multilabel", y))
    assert not weight[:, 2].any()
    assert weight[:, 0].any()


def test_a_signal_ends_it_and_nothing_is_begun() -> None:
    x, y = drawn()
    with pytest.raises(distributed.Stopped):
        best_probe(*map(torch.from_numpy, (x, y, x, y)), criterion_of("multilabel", y), StopAfter(5))


@pytest.mark.parametrize("mode", ["full", "linear"])
def test_who_stops_it_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    data = make_data(tmp_path / "data")
    make_encoder(data / "encoder")

    def stopped(*_: object) -> None:
        raise distributed.Stopped

    monkeypatch.setattr(probed_head, "best_probe", stopped)
    with pytest.raises(distributed.Stopped):
        fit(data, tmp_path / "out", f"{mode}-s0", head_start="probe", linear_solver="lbfgs")
    assert "stopped by a signal before the head had its first weights; a rerun makes them anew" in caplog.messages


def test_of_many_records_so_many_are_drawn_the_same_every_time() -> None:
    rows = np.arange(100, 200)
    some = probed_head._some(rows, 5)
    assert len(set(some)) == 5
    assert set(some) <= set(rows)
    assert some.tolist() == sorted(probed_head._some(rows, 5))
    assert probed_head._some(rows[:5], 5).tolist() == rows[:5].tolist()


#: A label that is there in one of two records: by symmetry the weight of (-1, 1) is positive and the bias 0.
PROBE = """
import sys, torch
from ecglfm.config import FinetuneConfig
from ecglfm.models.outputs import link_of
from ecglfm.training.finetuning.criterion import make_criterion
from ecglfm.training.finetuning.probed_head import probe
x, y = torch.tensor([[-1.0], [1.0]], dtype=torch.float64), torch.tensor([[0.0], [1.0]], dtype=torch.float64)
weight, bias = probe(x, y, make_criterion(FinetuneConfig(), link_of("multilabel"), y.numpy()), 0.5)
assert abs((-weight).sigmoid() - weight / 2).item() < 1e-6 and abs(bias.item()) < 1e-6, (weight, bias)
print([name for name in ("mlflow", "torch._dynamo", "sympy") if name in sys.modules])
"""


@pytest.mark.pinned_torch
def test_the_solver_brings_no_compiler_along():
    """Its import is a second of every fit; the weight solves s(-w) = penalty w, where the slopes cancel."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
