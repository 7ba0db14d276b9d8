"""Commands about saved encoders and models."""

import torch

from ecglfm.cli import main
from ecglfm.provenance import read_json, write_json
from tests.unit.models.exported import make


def test_export_says_what_goes_in_and_comes_out(tmp_path, capsys):
    make(tmp_path / "e", "conformer", "encoder"), make(tmp_path / "m", "conformer", "model")
    command = ["export", "--format", "torchscript"]
    output = ["--output", str(tmp_path / "a.pt")]
    assert main([*command, *output, "--model", str(tmp_path / "m"), "--mask"]) == 0
    lines = capsys.readouterr().out.splitlines()
    wanted = "signal (batch, 12 leads, samples) in mV at 500 Hz and mask to logits and probabilities"
    assert lines[0] == f"{tmp_path / 'a.pt'}: {wanted}"
    assert lines[1].startswith("largest difference from PyTorch: ")
    assert len(lines) == 2
    assert len(torch.jit.load(tmp_path / "a.pt")(torch.zeros(1, 12, 500), torch.ones(1, 500, dtype=torch.bool))) == 2
    for arguments, message in [
        (["--encoder", str(tmp_path / "m"), *output], "is the model, not the encoder"),
        (["--encoder", str(tmp_path / "e"), "--output", str(tmp_path / "e")], "is a folder"),
    ]:
        assert main([*command, *arguments]) == 1
        assert message in capsys.readouterr().err


def test_export_hands_the_licence_of_foreign_weights_on(tmp_path, capsys):
    make(tmp_path / "e", "conformer", "encoder"), make(tmp_path / "m", "conformer", "model")
    foreign = {"weights": "pretrain", "continues": {"weights": "import", "imported": {"licence": "CC BY-NC 4.0"}}}
    for what, path in (("encoder", tmp_path / "e/encoder.json"), ("model", tmp_path / "m/model.json")):
        info = read_json(path)
        write_json(path, info | (foreign if what == "encoder" else {"encoder": info["encoder"] | foreign}))
        command = [
            "export",
            "--format",
            "torchscript",
            "--output",
            str(tmp_path / "a.pt"),
            f"--{what}",
            str(path.parent),
        ]
        assert main(command) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[2:] == ["licence of the encoder's weights, by their makers: CC BY-NC 4.0"]
