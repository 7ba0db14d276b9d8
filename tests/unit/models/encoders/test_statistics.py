"""Signal statistics of signals whose numbers are known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ecglfm.config import LEADS, EncoderConfig, PreprocessConfig, UserError, parse
from ecglfm.models.bundle import load_encoder, save_encoder
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.encoders.statistics import OF_LEAD, OF_PAIR, OF_RECORD, StatisticsEncoder, names
from tests.unit.architectures import small

RATE = 500
LEAD_NAMES = [name for name, *_ in OF_LEAD]


def encoder_of(leads=tuple(LEADS), rate: int = RATE) -> StatisticsEncoder:
    encoder = make_encoder(small("statistics"), leads, rate, PreprocessConfig(), 5.0)
    assert isinstance(encoder, StatisticsEncoder)
    return encoder


def found(x: Tensor, leads=("I", "II"), rate: int = RATE) -> dict[str, float]:
    """Statistics of one record (leads, samples) by name, in their units."""
    encoder = encoder_of(leads, rate)
    rows = [*OF_LEAD * len(leads), *[OF_PAIR] * (len(leads) - 1), *OF_RECORD]
    values = encoder.embed(x[None])[0].double()
    return {
        name: float(value) * scale + centre
        for name, value, (_, centre, scale) in zip(names(leads), values, rows, strict=True)
    }


def noise(*shape: int) -> Tensor:
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_there_are_two_hundred_of_twelve_leads():
    encoder = encoder_of()
    assert encoder.dim == len(names(LEADS)) == len(set(names(LEADS))) == 200
    assert encoder.embed(noise(2, 12, 2500)).shape == (2, 200)
    assert not encoder.state_dict()


@pytest.mark.parametrize("rate", [100, 250, 500, 1000])
def test_a_sine(rate):
    """Twelve periods of 1.25 Hz, 0.4 mV in I and minus half of it in II, with 0.1 mV of offset there."""
    time = torch.arange(round(9.6 * rate), dtype=torch.float64) / rate
    wave = torch.sin(2 * math.pi * 1.25 * time).float()
    values = found(torch.stack([0.4 * wave, 0.1 - 0.2 * wave]), rate=rate)
    assert values["I.mean"] == pytest.approx(0, abs=1e-4)
    assert values["II.mean"] == pytest.approx(0.1, abs=1e-4)
    assert values["I.log_deviation"] == pytest.approx(math.log10(0.4 / math.sqrt(2)), abs=1e-4)
    for q in (1, 25, 75, 99):  # of deviations from the mean
        expected = math.sin(math.pi * (q / 100 - 0.5))
        assert values[f"I.quantile_{q}"] == pytest.approx(0.4 * expected, abs=0.005)
    assert values["I.log_power_0.5_3"] == pytest.approx(math.log10(0.4**2 / 2), abs=0.01)
    assert values["II.log_power_0.5_3"] == pytest.approx(math.log10(0.2**2 / 2), abs=0.01)
    assert values["I.log_power_10_25"] == pytest.approx(-2.2 - 5 * 0.5)  # nothing: the limit
    assert values["I-II.correlation"] == pytest.approx(-1, abs=1e-4)
    assert values["period"] == pytest.approx(0.8, abs=0.011)
    assert values["interval"] == pytest.approx(0.4, abs=0.011)  # steepest upwards and downwards
    assert values["beats_per_second"] == pytest.approx(2.5, abs=0.11)


@pytest.mark.parametrize(("hertz", "band"), [(2, "0.5_3"), (5, "3_10"), (16, "10_25"), (33, "25_45")])
def test_power_is_told_in_its_band_alone(hertz, band):
    time = torch.arange(5 * RATE) / RATE
    values = found((0.1 * torch.sin(2 * math.pi * hertz * time))[None], leads=("I",))
    powers = {name: values[f"I.{name}"] for name in LEAD_NAMES if name.startswith("log_power")}
    assert powers.pop(f"log_power_{band}") == pytest.approx(math.log10(0.1**2 / 2), abs=0.01)
    assert max(powers.values()) < -4.4  # the lowest that is told of the first: 2.5 decades below its centre


def beats(intervals: list[float], seconds: float = 10.0) -> Tensor:
    """I: R of 1 mV, S of -0.4 mV, ST of 0.15 mV, T of 0.3 mV; II: the same, half as high and upside down."""
    time, wave, at = torch.arange(round(seconds * RATE)) / RATE, torch.zeros(round(seconds * RATE)), 0.5
    for interval in intervals:
        for after, height, width in ((0.0, 1.0, 0.015), (0.04, -0.4, 0.015), (0.3, 0.3, 0.04)):
            wave += height * torch.exp(-0.5 * ((time - at - after) / width) ** 2)
        wave += 0.15 * ((time > at + 0.05) & (time < at + 0.16))
        at += interval
    return torch.stack([wave, -0.5 * wave])


def test_planted_beats():
    values = found(beats([0.8] * 11))
    assert values["interval"] == pytest.approx(0.8, abs=0.003)
    assert values["interval_deviation"] == pytest.approx(0, abs=0.01)
    assert values["beats_per_second"] == pytest.approx(1.1, abs=0.01)  # 11 in 10 s
    assert values["period"] == pytest.approx(0.8, abs=0.011)
    assert values["I.qrs_maximum"] == pytest.approx(1.0, abs=0.1)  # at 100 Hz a peak of 15 ms is flatter
    assert values["I.qrs_minimum"] == pytest.approx(-0.4, abs=0.06)
    assert values["I.st"] == pytest.approx(0.15, abs=0.02)
    assert values["I.t_maximum"] == pytest.approx(0.3, abs=0.01)
    for one, other in (("qrs_maximum", "qrs_minimum"), ("qrs_minimum", "qrs_maximum"), ("st", "st")):
        assert values[f"II.{one}"] == pytest.approx(-0.5 * values[f"I.{other}"], abs=1e-4)
    assert values["II.t_minimum"] == pytest.approx(-0.15, abs=0.01)


def test_an_uneven_rhythm():
    """0.6 s and 1.0 s in turn, of eleven beats five each: the mean 0.8, deviation 0.2, from one to the next 0.4."""
    values = found(beats([0.6, 1.0] * 5 + [0.6]))
    assert values["interval"] == pytest.approx(0.8, abs=0.03)
    assert values["interval_deviation"] == pytest.approx(0.25, abs=0.02)
    assert values["interval_successive"] == pytest.approx(0.03 + 0.26, abs=0.01)  # of 0.5 the limit
    assert values["interval_minimum"] == pytest.approx(0.75, abs=0.03)
    assert values["interval_maximum"] == pytest.approx(1.25, abs=0.05)


def test_leads_in_another_order_have_the_same_numbers_at_other_places():
    order = [3, 0, 11, 7, 1, 2, 10, 9, 4, 5, 8, 6]
    x, count = noise(3, 12, 2500), len(OF_LEAD)
    vector = encoder_of().embed(x)
    moved = encoder_of([LEADS[place] for place in order]).embed(x[:, order])
    own, other = (v[:, : 12 * count].unflatten(1, (12, count)) for v in (vector, moved))
    torch.testing.assert_close(other, own[:, order])
    torch.testing.assert_close(moved[:, -len(OF_RECORD) :], vector[:, -len(OF_RECORD) :])


@pytest.mark.parametrize("real", [1000, 1501, 3111])
def test_a_padded_record_has_the_numbers_that_it_has_alone(real):
    x, mask = noise(3, 12, 5000) + beats([0.8] * 11)[0], torch.ones(3, 5000, dtype=torch.bool)
    mask[1, real:], mask[2] = False, False
    encoder = encoder_of()
    frames, real_frames = encoder.encode(x, mask)
    assert frames.shape == (3, 1, 200)
    assert real_frames is not None
    assert real_frames.tolist() == [[True], [True], [False]]
    torch.testing.assert_close(frames[1, 0], encoder.embed(x[1:2, :, :real])[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(frames[0, 0], encoder.embed(x[:1])[0], rtol=1e-5, atol=1e-5)
    assert not frames[2].any()


def test_what_is_absent_or_flat_is_finite_and_within_the_limit():
    x = noise(2, 12, 2500)
    x[0, 3:], x[1] = 0, 0
    x.requires_grad_()
    vectors = encoder_of().embed(x)
    assert vectors.abs().max() <= 5
    vectors.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()  # what explanations go back along


def test_under_autocast_nothing_is_lost():
    x = noise(1, 12, 2500) + 2.0
    plain = encoder_of().embed(x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(encoder_of().embed(x).float(), plain, rtol=0.01, atol=0.01)


def test_it_is_saved_and_read(tmp_path):
    encoder, x = encoder_of(), noise(2, 12, 2500)
    save_encoder(tmp_path, encoder, {"name": "statistics", "weights": "none"})
    assert torch.equal(load_encoder(tmp_path).embed(x), encoder.embed(x))


def test_too_slow_or_too_short_signals_are_refused():
    with pytest.raises(UserError, match=r"sampling_rate: 80: `kind: statistics` looks at 45 Hz: at least 90"):
        encoder_of(rate=80)
    with pytest.raises(ValueError, match="999 samples are shorter than one frame"):
        encoder_of()(noise(1, 12, 999))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"kind": "statistics"}, "weights": "random"}, "`kind: statistics` has no weights: write `weights: none`"),
        ({"model": {"kind": "statistics"}, "pretrain": {"steps": 1}}, "`kind: statistics` has no weights: write `weights: none`"),
        ({"model": {"kind": "convnet", "dim": 16, "blocks": [1]}, "weights": "none"}, "`kind: convnet` has weights: write where they come from, or `weights: random`"),
        ({"model": {"kind": "statistics", "dim": 16}, "weights": "none"}, "model.dim: Input should be less than or equal to 0"),
    ],
)  # fmt: skip
def test_it_has_no_weights_and_no_choice(content, message):
    with pytest.raises(UserError) as error:
        parse(EncoderConfig, content, "e.yaml")
    assert message in str(error.value)
