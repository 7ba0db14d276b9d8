"""Parameters and products of encoders, against the formula that counts them otherwise, and by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.benchmark.training.flops import encoder_flops
from ecglfm.cli import main
from ecglfm.config import InputConfig, PreprocessConfig, parse
from ecglfm.data.signals import EncoderInput
from ecglfm.evaluation.leaderboard.size import encoder_size
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.provenance import read_json
from tests.unit.architectures import small


def encoder_of(kind: str, seconds: float) -> Encoder:
    preprocess = PreprocessConfig(sampling_rate=100)
    return make_encoder(small(kind), preprocess.leads, 100, preprocess, seconds)


@pytest.mark.parametrize(("seconds", "windows"), [(5.0, 2), (9.0, 1), (2.5, 4), (10.24, 1)])
def test_products_of_all_windows_are_those_of_the_formula(seconds: float, windows: int) -> None:
    encoder = encoder_of("vit", seconds)
    found = encoder_size(encoder, budget=0.0)
    formula = encoder_flops(encoder.config, segments=windows, leads=12, samples=encoder.crop_samples)
    assert found["gmac"] == pytest.approx(formula / 2e9, rel=1e-12)
    assert (found["windows"], found["window_seconds"]) == (windows, seconds)
    assert found["parameters"] == sum(one.numel() for one in encoder.parameters())


def test_convolutions_by_hand() -> None:
    """The stem of a convnet whose blocks are few: more than it alone, and of one window."""
    found = encoder_size(encoder_of("convnet", 10.0), budget=0.0)
    stem = 500 * 5 * 12 * 4 / 1e9  # 1000 samples at stride 2, kernel 5, 12 leads to 4 channels
    assert found["gmac"] > stem


def test_what_its_input_takes_is_measured_by_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of("vit", 5.0)
    assert encoder_size(encoder, budget=0.0)["input_records_per_second"] is None
    content = {
        "leads": ["I", "II"],
        "sampling_rate": 50,
        "window_seconds": 4,
        "record": [{"step": "resample", "rate": 50}],
    }
    encoder.input = parse(InputConfig, content, "e.yaml")
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(EncoderInput, "window", lambda _, piece_tl: seen.append(piece_tl.shape))
    # Two forwards and two inputs, begun and ended: the slow ones, a second each, are somebody else's work.
    ticks = iter([0.0, 1.0, 1.0, 1.5, 2.0, 3.0, 3.0, 3.25])
    monkeypatch.setattr("ecglfm.evaluation.leaderboard.size.time.perf_counter", lambda: next(ticks))
    found = encoder_size(encoder, budget=1.1)
    assert found["records_per_second"] == 16.0  # 16 windows in half a second, two windows a recording
    assert found["input_records_per_second"] == 4.0
    assert seen == [(200, 2)] * 6  # of ten seconds two windows of four, once to warm up and twice to be timed


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = encoder_of("statistics", 5.0)
    save_encoder(tmp_path / "e", encoder, {"name": "e", "weights": "none"})
    output = tmp_path / "size.json"
    assert main(["encoder-size", "--encoder", str(tmp_path / "e"), "--output", str(output)]) == 0
    found = read_json(output)
    assert found["parameters"] == 0
    assert found["records_per_second"] > 0
    assert capsys.readouterr().out.startswith(f"{output}: 0 parameters, ")
