"""Statistics and mean beat as what is learnt: the loss by hand, padding, what does not fit, collapse, what is learnt."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ecglfm.config import InputConfig, PreprocessConfig, PretrainConfig, UserError
from ecglfm.models.encoders import make_encoder
from ecglfm.models.encoders.statistics import OF_LEAD, names
from ecglfm.models.pretraining.signal_statistics import SignalStatistics
from tests.unit.architectures import small

LEADS, RATE = ["I", "II"], 100
AT = names(LEADS)


def objective_of(
    kind: str = "vit", *, rate: int = RATE, input_: InputConfig | None = None, **pretrain
) -> SignalStatistics:
    torch.manual_seed(0)
    encoder = make_encoder(
        small(kind, dropout=0.0), LEADS, rate, PreprocessConfig(sampling_rate=rate), 5.0, input_=input_
    )
    return SignalStatistics(encoder, PretrainConfig(steps=1, objective={"kind": "statistics"}, **pretrain))


def sines(amplitude: Tensor, hz: Tensor, samples: int = 500) -> Tensor:
    """Recordings (batch, 2, samples) of a sine in I and half of it, upside down, in II."""
    wave = amplitude[:, None] * torch.sin(2 * math.pi * hz[:, None] * torch.arange(samples) / RATE)
    return torch.stack([wave, -wave / 2], 1)


def row_of(output: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in output.items()}


def test_what_is_to_be_told_of_a_sine_is_its_amplitude() -> None:
    """Told nothing but 0, `log_deviation` is off by log10(a / sqrt 2), less its centre, over its scale; Huber of that."""
    objective = objective_of().eval()
    x = sines(torch.full((4,), 0.4), torch.full((4,), 2.0))
    place = AT.index("I.log_deviation")
    with torch.no_grad():
        vectors_bs, beat_blk = objective.statistics.describe(x)
        for linear, target_bk in ((objective.tell, vectors_bs), (objective.tell_beat, beat_blk.flatten(1) / 0.2)):
            linear.weight.zero_()
            linear.bias.copy_(target_bk[0])
        objective.tell.bias[place] = 0.0
        output = row_of(objective(x, step=0))
    _, centre, scale = OF_LEAD[1]
    off = abs(math.log10(0.4 / math.sqrt(2)) - centre) / scale
    assert 0.5 < off < 1
    assert output["loss"] == pytest.approx(off**2 / 2 / len(AT), rel=1e-4)


def huber(off: np.ndarray) -> float:
    off = np.abs(off)
    return float(np.where(off < 1, off**2 / 2, off - 0.5).mean())


@pytest.mark.parametrize("kind", ["vit", "conformer", "s4"])
def test_a_forward_is_huber_of_linear_maps_of_the_embedding(kind: str) -> None:
    objective = objective_of(kind).eval()
    x = sines(torch.linspace(0.1, 2.0, 6), torch.linspace(1.0, 3.0, 6))
    with torch.no_grad():
        output = row_of(objective(x, step=0))
        vectors = objective.encoder.embed(x).double().numpy()
        told, beat = (part.double().numpy() for part in objective.statistics.describe(x))
    errors = []
    for linear, target, name in (
        (objective.tell, told, "explained"), (objective.tell_beat, beat.reshape(6, -1) / 0.2, "explained_beat")
    ):  # fmt: skip
        weight, bias = (p.detach().double().numpy() for p in (linear.weight, linear.bias))
        errors.append(vectors @ weight.T + bias - target)
        variance = ((target - target.mean(0)) ** 2).sum()
        assert output[name] == pytest.approx(1 - (errors[-1] ** 2).sum() / variance, rel=1e-4)
    assert output["loss"] == pytest.approx(sum(map(huber, errors)), rel=1e-5)
    spread = ((vectors - vectors.mean(0)) ** 2).sum() / (vectors**2).sum()
    assert output["spread"] == pytest.approx(spread, rel=1e-2, abs=1e-9)


def test_a_padded_recording_counts_as_it_does_alone() -> None:
    objective = objective_of("vit").eval()
    x = sines(torch.tensor([0.3, 0.8]), torch.tensor([1.0, 2.0]))
    mask = torch.arange(500) < torch.tensor([[500], [300]])
    with torch.no_grad():
        together = float(objective(x, step=0, mask=mask)["loss"])
        alone = [float(objective(x[:1], step=0)["loss"]), float(objective(x[1:, :, :300], step=0)["loss"])]
    assert together == pytest.approx(np.mean(alone), rel=1e-5)


def test_nothing_but_weights_is_saved() -> None:
    objective = objective_of()
    assert {name.split(".")[0] for name in objective.state_dict()} == {"encoder", "tell", "tell_beat"}
    assert objective.tell.out_features == len(AT)
    assert objective.tell_beat.out_features == 2 * 67  # 0.24 s before and 0.42 s behind, at 100 Hz


def test_a_planted_collapse_is_seen() -> None:
    objective = objective_of().eval()
    x = sines(torch.linspace(0.1, 2.0, 4), torch.linspace(1.0, 3.0, 4))
    with torch.no_grad():
        assert objective.warnings(row_of(objective(x, step=0))) == {"embedding_collapse": None}
        row = row_of(objective(x[:1].expand(4, -1, -1), step=0))
    assert "the same for all; lower `lr`" in objective.warnings(row)["embedding_collapse"]
    assert objective.warnings(row | {"loss": math.nan}) == {"embedding_collapse": None}


def test_the_amplitude_of_new_recordings_is_learnt() -> None:
    generator, place = torch.Generator().manual_seed(1), AT.index("I.log_deviation")
    objective = objective_of()

    def drawn() -> Tensor:
        amplitude, hz = torch.rand(2, 32, generator=generator)
        return sines(0.1 + amplitude, 1 + 2 * hz, 200)

    @torch.no_grad()
    def known() -> float:
        x = drawn()
        told, target = objective.tell(objective.encoder.embed(x))[:, place], objective.statistics.embed(x)[:, place]
        return 1 - float((told - target).square().mean() / target.var(unbiased=False))

    optimizer = torch.optim.Adam(objective.parameters(), 3e-3)
    before = known()
    for step in range(200):
        optimizer.zero_grad()
        objective(drawn(), step=step)["loss"].backward()
        optimizer.step()
    assert before < 0
    assert known() > 0.8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_seconds": 1.5}, "pretrain.crop_seconds: 1.5 s: statistics need 2 s; write more"),
        ({"min_seconds": 1.0}, "pretrain.min_seconds: 1 s: statistics need 2 s; write more"),
        ({"rate": 50}, "`kind: statistics` looks at 45 Hz: at least 90"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        objective_of(**changes)


def test_what_is_no_longer_in_millivolts_has_no_such_statistics() -> None:
    content = {"leads": LEADS, "sampling_rate": RATE, "window_seconds": 5.0, "window": [{"step": "standardize"}]}
    with pytest.raises(UserError, match="statistics are of millivolts, and what the steps of `input` give"):
        objective_of(input_=InputConfig.model_validate(content))
    objective_of(input_=InputConfig.model_validate(content | {"window": []}))
