"""The benchmark of checkpoints measures bytes and waiting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import EncoderConfig, EncoderSlice, ProjectConfig, load
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.pretraining.encoders import build_encoder


@pytest.mark.slow
def test_checkpoint_benchmark_measures_bytes_and_waiting(
    capsys: pytest.CaptureFixture[str], repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert main(["benchmark", "checkpoint", "--encoder", "tiny", "--saves", "2", "--output", str(tmp_path)]) == 0
    size, write, waits, resume = capsys.readouterr().out.splitlines()
    config = load(EncoderConfig, repository / "config/encoders/tiny.yaml")
    preprocess = load(ProjectConfig, repository / "config/config.yaml").preprocess
    encoder = build_encoder(EncoderSlice(encoder="tiny", config=config, preprocess=preprocess), 0)
    objective = MaskedCodes(encoder, config.pretrain)
    parameters = sum(parameter.numel() for parameter in objective.parameters())
    buffers = sum(buffer.nbytes for buffer in objective.buffers())
    assert size == f"tiny: {(12 * parameters + buffers) / 1e6:.1f} MB in a checkpoint"  # weight and two moments, fp32
    seconds, rate = (float(value) for value in re.findall(r"median ([\d.]+) s, ([\d.]+) MB/s", write)[0])
    assert rate == pytest.approx((12 * parameters + buffers) / 1e6 / seconds, rel=0.1)
    assert 0 < float(re.findall(r"median ([\d.]+) s", waits)[0]) <= seconds
    assert 0 < float(re.findall(r"([\d.]+) % of the write", waits)[0]) <= 100
    assert all(float(value) < 60 for value in re.findall(r"([\d.]+) s", resume))
    assert not list(tmp_path.iterdir())
