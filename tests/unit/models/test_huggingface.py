"""A folder that Hugging Face opens, offline, and that gives the very vectors of the encoder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.cli import main
from ecglfm.config import LEADS, InputConfig, PreprocessConfig
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.records import Record
from tests.unit.architectures import architecture

pytestmark = pytest.mark.pinned_torch

SHAPES = {
    "conformer": {"dim": 16, "layers": 1, "heads": 2, "ffn_dim": 32, "conv_channels": 8},
    "wav2vec2": {"dim": 16, "layers": 1, "heads": 2, "ffn_dim": 32, "conv_channels": 8},
    "convnet": {"dim": 32, "blocks": [1, 1], "stem": [8]},
    "resnet": {"dim": 16, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2], "pool": "mean_max"},
    "net1d": {"dim": 16, "stem": 8, "widths": [8, 16], "blocks": [1, 1], "group_width": 4},
    "statistics": {},
    "vit": {"dim": 16, "layers": 1, "heads": 2, "ffn_dim": 32, "positions": "learnt", "norm": "mean"},
    "s4": {"dim": 16, "layers": 1, "state": 4, "kernel_frames": 300},
}


@pytest.fixture(autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before transformers is imported; it keeps copies of code at home."""
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "huggingface"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def make(folder: Path, kind: str = "conformer") -> Encoder:
    torch.manual_seed(0)
    encoder = make_encoder(architecture(kind=kind, **SHAPES[kind]), list(LEADS), 500, PreprocessConfig(), 2.0).eval()
    save_encoder(folder, encoder, {"name": f"tiny-{kind}"})
    return encoder


def test_automodel_reads_by_the_input_contract(tmp_path: Path) -> None:
    input_ = InputConfig(
        leads=["V1", "II"], sampling_rate=250, window_seconds=2, unit="standardised",
        record=[{"step": "resample", "rate": 250}], window=[{"step": "standardize"}],
    )  # fmt: skip
    torch.manual_seed(0)
    shape = architecture(kind="convnet", **SHAPES["convnet"])
    encoder = make_encoder(shape, input_.leads, 250, PreprocessConfig(), 2.0, input_).eval()
    save_encoder(tmp_path / "encoder", encoder, {})
    output = tmp_path / "hub-contract"
    main(["export", "--encoder", str(tmp_path / "encoder"), "--format", "huggingface", "--output", str(output)])
    from transformers import AutoModel

    found = AutoModel.from_pretrained(output, trust_remote_code=True)
    record = Record(np.random.default_rng(0).normal(0, 0.3, (2000, 12)), LEADS, 500.0)
    windows = ecglfm.preprocess(record, found)
    assert found.encoder.input == input_
    assert windows.shape == (2, 2, 500)
    assert torch.equal(windows, ecglfm.preprocess(record, encoder))
    torch.testing.assert_close(windows.std(dim=2, unbiased=False), torch.ones(2, 2))
    with torch.inference_mode():
        torch.testing.assert_close(found(windows).pooler_output, encoder.embed(windows))
    assert "standardised, as its input contract makes it" in (output / "README.md").read_text()


@pytest.mark.parametrize("kind", list(SHAPES))
def test_automodel_gives_the_encoders_vectors(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    encoder, output = make(tmp_path / "encoder", kind), tmp_path / f"hub-{kind}"
    arguments = ["export", "--encoder", str(tmp_path / "encoder"), "--format", "huggingface", "--output", str(output)]
    assert main(arguments) == 0
    assert "largest difference from PyTorch: 0.0e+00" in capsys.readouterr().out
    assert sorted(path.name for path in output.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "modeling_ecglfm.py",
    ]  # fmt: skip
    from transformers import AutoModel

    model = AutoModel.from_pretrained(output, trust_remote_code=True)
    x = torch.randn(3, 12, 1000, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(3, 1000, dtype=torch.bool)
    mask[1, 600:] = False
    with torch.inference_mode():
        assert torch.equal(model(x).pooler_output, encoder.embed(x))
        assert torch.equal(model(x, attention_mask=mask.long()).pooler_output, encoder.embed(x, mask))
        frames, vectors = model(x, return_dict=False)
        assert torch.equal(frames, encoder(x))
        assert torch.equal(vectors, encoder.embed(x))
    assert model.config.hidden_size == encoder.dim
    assert (model.encoder.leads, model.encoder.info["name"]) == (list(LEADS), f"tiny-{kind}")


def test_its_page_says_how(tmp_path: Path) -> None:
    """Its Python, on a recording at 400 Hz; then a model that was trained on is saved and opened again."""
    from ecglfm.models.huggingface import export_huggingface
    from ecglfm.sources.wfdb_reader.files import write_record

    encoder = make(tmp_path / "encoder")
    export_huggingface(encoder, tmp_path / "hub")
    samples = np.random.default_rng(0).normal(0, 500, (4000, 12)).astype(np.int16)
    write_record(tmp_path, "r", samples, leads=tuple(LEADS), gain=1000.0, sampling_rate=400)
    code = re.search(r"```python\n(.*?)```", (tmp_path / "hub/README.md").read_text(), re.S)
    assert code is not None
    filled = (
        code[1]
        .replace("path/to/this/folder", str(tmp_path / "hub"))
        .replace("path/to/a/recording", str(tmp_path / "r"))
    )
    found: dict[str, torch.Tensor] = {}
    exec(filled, found)
    windows = ecglfm.preprocess(Record(samples / 1000, tuple(LEADS), 400.0), encoder)
    assert windows.shape == (5, 12, 1000)
    with torch.inference_mode():
        torch.testing.assert_close(found["vectors"], encoder.embed(windows), rtol=0, atol=1e-6)
    from transformers import AutoModel

    with torch.no_grad():
        next(found["model"].parameters()).add_(1)
    found["model"].save_pretrained(tmp_path / "again")
    again = AutoModel.from_pretrained(tmp_path / "again", trust_remote_code=True)
    assert all(torch.equal(value, found["model"].state_dict()[name]) for name, value in again.state_dict().items())


def test_the_folder_is_the_same_each_time_and_names_no_path(tmp_path: Path) -> None:
    from ecglfm.models.huggingface import export_huggingface

    encoder = make(tmp_path / "encoder")
    for name in ("one", "two"):
        export_huggingface(encoder, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert str(tmp_path).encode() not in path.read_bytes()
    config = json.loads((tmp_path / "one/config.json").read_text())
    assert config["auto_map"]["AutoModel"] == "modeling_ecglfm.EncoderModel"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{encoder}", "--output", "{out}"], "--format huggingface goes with --encoder DIR"),
        (["--encoder", "{encoder}", "--mask", "--output", "{out}"], "a mask is always taken"),
        (["--encoder", "{encoder}", "--output", "{encoder}"], "encoder: is there already; name a folder that is to be"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    make(tmp_path / "encoder")
    before = sorted(tmp_path.rglob("*"))
    filled = [text.format(encoder=tmp_path / "encoder", out=tmp_path / "out") for text in arguments]
    assert main(["export", "--format", "huggingface", *filled]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
