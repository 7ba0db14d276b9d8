"""Saved encoders and models come back the same, and a broken file gets its one clear line."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ecglfm
from ecglfm.config import LEADS, PreprocessConfig, UserError
from ecglfm.models.bundle import load_encoder, load_model, save_encoder, save_model
from ecglfm.models.calibration import Calibration
from ecglfm.models.conformal import Conformal
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.heads import ECGModel
from tests.unit.architectures import architecture
from tests.unit.models.saved_encoder import MODEL, make_encoder


@pytest.mark.parametrize("path", ["", "encoder.json", "encoder.safetensors"])
def test_encoder_round_trip(folder, path):
    loaded, made = ecglfm.load_encoder(folder / path), make_encoder().eval()
    x = torch.randn(3, 2, 1000)
    assert torch.equal(loaded(x), made(x))
    assert not any(module.training for module in loaded.modules())
    assert (loaded.leads, loaded.sampling_rate, loaded.crop_samples) == (["II", "V1"], 250, 1000)
    assert loaded.preprocess == made.preprocess
    assert loaded.config == MODEL
    assert loaded.info["data_hash"] == "abc"
    assert {p.device.type for p in loaded.parameters()} == {"cpu"}
    loaded.train()(x).sum().backward()  # it can be trained on


def test_encoder_json_says_everything(folder):
    content = json.loads((folder / "encoder.json").read_text())
    assert content["format"] == "ecglfm-encoder"
    assert content["format_version"] == 1
    assert (content["name"], content["weights"]) == ("mine", "pretrain")
    assert content["code"]["version"] == ecglfm.__version__
    assert content["leads"] == ["II", "V1"]
    assert content["model"]["dim"] == 16
    assert sorted(path.name for path in folder.iterdir()) == ["encoder.json", "encoder.safetensors"]


def test_saving_twice_gives_the_same_bytes(folder, tmp_path):
    save_encoder(tmp_path / "f", make_encoder(), {"name": "mine", "weights": "pretrain", "data_hash": "abc"})
    for name in ("encoder.json", "encoder.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "f" / name).read_bytes()


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora", "zero_shot"])
def test_model_round_trip(folder, tmp_path, mode):
    model = ECGModel(load_encoder(folder), ["AF", "MI"], mode)
    torch.nn.init.normal_(model.head.bias)
    model.thresholds = [0.25, 0.75]
    model.calibration = Calibration(np.array([2.0, 0.5]), False)
    model.conformal = Conformal(0.9, (0.25, None), (0.5, 0.75), (12, 3), (40, 49))
    save_model(tmp_path / "m", model, {"task": "af", "kind": "multilabel"})
    loaded = ecglfm.load_model(tmp_path / "m")
    x = torch.randn(3, 2, 1000)
    assert torch.equal(loaded(x), model.eval()(x))
    assert loaded.label_names == ["AF", "MI"]
    assert loaded.thresholds == [0.25, 0.75]
    assert loaded.conformal == model.conformal
    odds = np.array([0.25, 4.0])
    np.testing.assert_allclose(loaded.calibrated((odds / (1 + odds))[None]), [[1 / 3, 16 / 17]])
    assert loaded.mode == mode
    assert not any(module.training for module in loaded.modules())
    assert loaded.encoder.sampling_rate == 250
    content = json.loads((tmp_path / "m" / "model.json").read_text())
    assert content["encoder"]["data_hash"] == "abc"
    assert (content["format"], content["task"], content["kind"]) == ("ecglfm-model", "af", "multilabel")


def test_tensors_that_share_memory(tmp_path):
    encoder = make_encoder().eval()
    ffn = encoder.conformer.layers[0]
    ffn.ffn2.w_1.weight = ffn.ffn1.w_1.weight  # tied
    flat = torch.randn(32)  # as an engine's flat buffer
    ffn.ffn1.layer_norm.weight.data, ffn.ffn1.layer_norm.bias.data = flat[:16], flat[16:]
    save_encoder(tmp_path, encoder, {})
    x = torch.randn(2, 2, 400)
    assert torch.equal(load_encoder(tmp_path)(x), encoder(x))


def test_loading_draws_no_random_numbers(folder):
    state = torch.random.get_rng_state()
    load_encoder(folder)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("kind", ["conformer", "wav2vec2"])
def test_loading_imports_neither_the_compiler_nor_pandas(tmp_path, kind):
    """A draw on the meta device imports torch._dynamo, which takes longer than reading 2.4 GB."""
    own = {"kernel": 5} if kind == "conformer" else {"positional_kernel": 4, "positional_groups": 2}
    config = architecture(kind=kind, layers=1, dim=16, ffn_dim=24, heads=2, conv_channels=8, **own)
    encoder = ECGEncoder(config, ["II", "V1"], 250, PreprocessConfig(leads=["II", "V1"], sampling_rate=250), 4.0)
    save_model(tmp_path, ECGModel(encoder, ["AF"], "frozen"), {})
    code = (
        "import sys, ecglfm; lazy = {'torch', 'pandas', 'numpy'} & set(sys.modules); ecglfm.load_model(sys.argv[1]);"
        "print(lazy | {'torch._dynamo', 'torch._inductor', 'pandas'} & set(sys.modules), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "set() True"


def test_training_on_a_loaded_encoder_leaves_its_file_alone(folder):
    before = (folder / "encoder.safetensors").read_bytes()
    with torch.no_grad():
        for parameter in load_encoder(folder).parameters():
            parameter.add_(1.0)
    assert (folder / "encoder.safetensors").read_bytes() == before


def test_missing_and_garbled_files(folder, tmp_path):
    with pytest.raises(UserError, match=r"nowhere.*no such file"):
        load_encoder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is the encoder, not the model; read it with load_encoder"):
        load_model(folder)
    weights = folder / "encoder.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    with pytest.raises(UserError, match=r"encoder\.safetensors: not a readable safetensors file"):
        load_encoder(folder)
    weights.unlink()
    with pytest.raises(UserError, match=r"encoder\.safetensors: no such file"):
        load_encoder(folder)
    for text in ("{", "[" * 100_000):
        (folder / "encoder.json").write_text(text)
        with pytest.raises(UserError, match=r"encoder\.json: not valid JSON"):
            load_encoder(folder)


def test_weights_that_are_not_finite_are_refused(folder):
    path = folder / "encoder.safetensors"
    state = load_file(path)
    name = "conformer.layers.0.ffn1.w_1.weight"
    state[name].view(-1)[:3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    save_file(state, path)
    with pytest.raises(UserError, match=rf"encoder\.safetensors: weight '{name}' is not finite at 3 of 384 places"):
        load_encoder(folder)


def test_json_of_many_brackets_is_no_traceback(folder):
    (folder / "encoder.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"encoder\.json: not valid JSON: its brackets are nested too deeply"):
        load_encoder(folder)


def test_wrong_weights_are_named(folder):
    path = folder / "encoder.safetensors"
    name = "conformer.layers.0.ffn1.w_1.weight"
    state = load_file(path)
    save_file({**state, name: torch.zeros(3, 16)}, path)
    with pytest.raises(UserError, match=rf"'{name}' has shape \(3, 16\), but encoder.json describes \(24, 16\)"):
        load_encoder(folder)
    save_file({key: value for key, value in state.items() if key != name}, path)
    with pytest.raises(UserError, match=f"'{name}' is missing"):
        load_encoder(folder)
    save_file({**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="unknown weight 'extra'"):
        load_encoder(folder)


def test_full_set_of_leads_is_standard():
    assert ECGEncoder(MODEL, LEADS, 500, PreprocessConfig(), 5.0).leads == list(LEADS)
