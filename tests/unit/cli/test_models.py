"""Commands about saved encoders and models."""

import torch

from ecglfm.cli import main
from tests.unit.models.exported import make


def test_export_says_what_goes_in_and_comes_out(tmp_path, capsys):
    make(tmp_path / "e", "conformer", "encoder"), make(tmp_path / "m", "conformer", "model")
    command = ["export", "--format", "torchscript", "--output", str(tmp_path / "a.pt")]
    assert main([*command, "--model", str(tmp_path / "m"), "--mask"]) == 0
    lines = capsys.readouterr().out.splitlines()
    wanted = "signal (batch, 12 leads, samples) in mV at 500 Hz and mask to logits and probabilities"
    assert lines[0] == f"{tmp_path / 'a.pt'}: {wanted}"
    assert lines[1].startswith("largest difference from PyTorch: ")
    assert len(torch.jit.load(tmp_path / "a.pt")(torch.zeros(1, 12, 500), torch.ones(1, 500, dtype=torch.bool))) == 2
    for arguments, message in [
        (["--encoder", str(tmp_path / "m")], "is the model, not the encoder"),
        (["--encoder", str(tmp_path / "e"), "--output", str(tmp_path / "e")], "is a folder"),
    ]:
        assert main([*command, *arguments]) == 1
        assert message in capsys.readouterr().err
