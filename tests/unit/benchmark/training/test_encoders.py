"""Encoders side by side: their sizes, and a step of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.cli import main


def write(folder: Path, name: str, text: str) -> None:
    (folder / "encoders").mkdir(exist_ok=True)
    (folder / f"encoders/{name}.yaml").write_text(text)


def test_a_table_of_sizes_and_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vit = "{kind: vit, dim: 16, layers: 1, ffn_dim: 24, heads: 2, patch: 500}"
    write(tmp_path, "a", f"model: {vit}\nweights: random\n")
    write(tmp_path, "hand", "model: {kind: statistics}\nweights: none\n")
    command = ["benchmark", "encoders", "--encoders", "hand", "a", "--beside", "a", "--config", str(tmp_path)]
    assert main([*command, "--batch", "1", "--repeats", "1"]) == 0
    head, _, hand, own = capsys.readouterr().out.splitlines()
    assert head == "| encoder | parameters | forward, GFLOP a segment | step of 1, ms | a = 1 |"
    assert hand.startswith("| hand | 0 | - | ")
    # patches 500 -> 16, attention 4 x 16^2, feed-forward 2 x 16 x 24, norms and biases; 12 leads of 5 patches
    parameters = (500 * 16 + 16) + (4 * (16 * 16 + 16) + 2 * 16 * 24 + 24 + 16 + 2 * 32) + 32
    flops = 2 * 60 * (500 * 16) + 2 * 60 * (4 * 256 + 2 * 16 * 60 + 2 * 16 * 24)
    assert own.startswith(f"| a | {parameters:,} | {flops / 1e9:.2f} | ")
    assert own.endswith(" | 1.00 |")
