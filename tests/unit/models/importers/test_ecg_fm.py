"""ECG-FM checkpoints: the documented layout, made of PyTorch's own layers, which also say what comes out."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import ecglfm
from ecglfm.cli import main
from ecglfm.config import LEADS, EncoderConfig, EncoderSlice, InputConfig, PreprocessConfig, UserError, load, parse
from ecglfm.models.importers import build_encoder, convert, ecg_fm, import_checkpoint
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.training.pretraining.encoders import write_untrained
from tests.unit.models.importers.recipe import drawn

CFG = {
    "_name": "wav2vec2_cmsc", "in_d": 12, "conv_feature_layers": "[(16, 2, 2)] * 4", "conv_bias": False,
    "extractor_mode": "default", "conv_pos": 9, "conv_pos_groups": 4, "encoder_layers": 2, "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 48, "encoder_attention_heads": 4, "layer_norm_first": False, "dropout": 0.1,
    "latent_groups": 2, "latent_vars": 5, "final_dim": 8,
}  # fmt: skip
PUBLISHED = {**CFG, "conv_feature_layers": "[(256, 2, 2)] * 4", "conv_pos": 128, "conv_pos_groups": 16,
             "encoder_layers": 12, "encoder_embed_dim": 768, "encoder_ffn_embed_dim": 3072,
             "encoder_attention_heads": 12, "latent_vars": 320, "final_dim": 256}  # fmt: skip
LARGE = {**PUBLISHED, "encoder_layers": 24, "encoder_embed_dim": 1024, "encoder_ffn_embed_dim": 4096,
         "encoder_attention_heads": 16}  # fmt: skip


class Reference(nn.Module):
    """ECG-FM out of `torch.nn`."""

    def __init__(self, cfg):
        super().__init__()
        self.cfg, dim = cfg, cfg["encoder_embed_dim"]
        channels, kernel, stride, count = map(int, re.findall(r"\d+", cfg["conv_feature_layers"]))
        self.convs = nn.ModuleList(
            nn.Conv1d(channels if index else 12, channels, kernel, stride, bias=cfg["conv_bias"])
            for index in range(count)
        )
        self.group_norm = nn.GroupNorm(channels, channels)
        self.layer_norm = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, dim) if channels != dim else nn.Identity()
        conv = nn.Conv1d(dim, dim, cfg["conv_pos"], padding=cfg["conv_pos"] // 2, groups=cfg["conv_pos_groups"])
        self.positional = parametrizations.weight_norm(conv, dim=2)
        layer = nn.TransformerEncoderLayer(
            dim, cfg["encoder_attention_heads"], cfg["encoder_ffn_embed_dim"], activation="gelu", batch_first=True,
            norm_first=cfg["layer_norm_first"],
        )  # fmt: skip
        self.transformer = nn.TransformerEncoder(layer, cfg["encoder_layers"], enable_nested_tensor=False)
        self.encoder_norm = nn.LayerNorm(dim)

    def forward(self, x):
        for index, conv in enumerate(self.convs):
            x = conv(x)
            x = nn.functional.gelu(self.group_norm(x) if index == 0 else x)
        x = self.project(self.layer_norm(x.transpose(1, 2)))
        positions = self.positional(x.transpose(1, 2))[..., : x.shape[1]]
        x = x + nn.functional.gelu(positions).transpose(1, 2)
        if self.cfg["layer_norm_first"]:
            return self.encoder_norm(self.transformer(x))
        return self.transformer(self.encoder_norm(x))


def layout(reference, *, old_names=True, finetuned=False, labels=3):
    """State dict of a checkpoint as published: names, shapes and all."""
    cfg, state = reference.cfg, {}

    def put(name, module):
        state.update({f"{name}.{key}": value.detach() for key, value in module.named_parameters()})

    for index, conv in enumerate(reference.convs):
        put(f"feature_extractor.conv_layers.{index}.0", conv)
    put("feature_extractor.conv_layers.0.2", reference.group_norm)
    put("layer_norm", reference.layer_norm)
    put("post_extract_proj", reference.project)
    put("conv_pos.pos_conv.0", reference.positional)
    put("encoder.layer_norm", reference.encoder_norm)
    for index, layer in enumerate(reference.transformer.layers):
        name = f"encoder.layers.{index}"
        for kind in ("weight", "bias"):
            parts = getattr(layer.self_attn, f"in_proj_{kind}").detach().chunk(3)
            state.update({f"{name}.self_attn.{p}_proj.{kind}": v for p, v in zip("qkv", parts, strict=True)})
        put(f"{name}.self_attn.out_proj", layer.self_attn.out_proj)
        put(f"{name}.self_attn_layer_norm", layer.norm1)
        put(f"{name}.fc1", layer.linear1)
        put(f"{name}.fc2", layer.linear2)
        put(f"{name}.final_layer_norm", layer.norm2)
    if old_names:
        new = "parametrizations.weight.original"
        state = {key.replace(f"{new}0", "weight_g").replace(f"{new}1", "weight_v"): v for key, v in state.items()}
    dim, channels, final = cfg["encoder_embed_dim"], len(reference.convs[0].weight), cfg["final_dim"]
    if finetuned:
        state = {f"encoder.{name}": value for name, value in state.items()}
        put("proj", nn.Linear(dim, labels))
        return state
    codes = cfg["latent_groups"] * cfg["latent_vars"]
    state["mask_emb"] = torch.rand(dim)
    state["quantizer.vars"] = torch.rand(1, codes, final // cfg["latent_groups"])
    put("quantizer.weight_proj", nn.Linear(channels, codes))
    put("project_q", nn.Linear(final, final))
    put("final_proj", nn.Linear(dim, final))
    return state


def make(**changes):
    torch.manual_seed(0)
    reference = Reference({**CFG, **changes})
    for parameter in reference.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.2)
    return reference.eval()


def written(tmp_path, reference, cfg=None, **options):
    path = tmp_path / "ecg_fm.pt"
    cfg = {"model": reference.cfg, "task": {"normalize": False, "leads_to_load": None}} if cfg is None else cfg
    torch.save({"cfg": cfg, "model": layout(reference, **options), "optimizer_history": []}, path)
    return path


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("old_names", [False, True])
@pytest.mark.parametrize(("kernel", "bias"), [(9, False), (8, True)])
def test_outputs_are_those_of_pytorch(tmp_path, norm_first, old_names, kernel, bias):
    reference = make(layer_norm_first=norm_first, conv_pos=kernel, conv_bias=bias)
    import_checkpoint(written(tmp_path, reference, old_names=old_names), tmp_path / "out")
    encoder = ecglfm.load_encoder(tmp_path / "out")
    assert (encoder.config.kind, encoder.config.norm_first, encoder.config.heads) == ("wav2vec2", norm_first, 4)
    x = torch.randn(2, 12, 2500)
    with torch.no_grad():
        expected = reference(x)
        assert expected.shape == (2, 156, 32)
        torch.testing.assert_close(encoder(x), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(encoder.embed(x), expected.mean(dim=1), atol=1e-5, rtol=1e-5)


def test_finetuned_logits(tmp_path, capsys):
    reference = make()
    path = written(tmp_path, reference, finetuned=True)
    labels = tmp_path / "label_def.csv"
    labels.write_text("name\nAF\nMI\nVT\n")
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "out"), "--labels", str(labels)]) == 0
    model = ecglfm.load_model(tmp_path / "out")
    assert model.label_names == ["AF", "MI", "VT"]
    state = torch.load(path, weights_only=True)["model"]
    x = torch.randn(2, 12, 1000)
    with torch.no_grad():
        expected = nn.functional.linear(reference(x).mean(dim=1), state["proj.weight"], state["proj.bias"])
        torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-5)
    assert "unverified: no released ECG-FM checkpoint" in capsys.readouterr().out


@pytest.mark.parametrize(("cfg", "published"), [(PUBLISHED, 90_883_072), (LARGE, 311_940_352)])
def test_published_parameter_counts(cfg, published):
    with torch.device("meta"):
        state = layout(Reference(cfg))
        assert sum(value.numel() for value in state.values()) == published
        imported = convert(Checkpoint("ecg_fm.pt", {"model": cfg}, state))
    # Lengths and directions became one kernel (128 lengths fewer), and the four convolutions got biases of zero.
    pretraining = sum(value.numel() for value in imported.objective.values())
    encoder = sum(value.numel() for value in imported.encoder.values())
    assert encoder + pretraining == published - 128 + 4 * 256
    assert set(imported.objective) == {"mask_emb", "quantizer.vars", "quantizer.weight_proj.weight",
                                       "quantizer.weight_proj.bias", "project_q.weight", "project_q.bias",
                                       "final_proj.weight", "final_proj.bias"}  # fmt: skip
    assert imported.model == {
        "kind": "wav2vec2", "layers": cfg["encoder_layers"], "dim": cfg["encoder_embed_dim"],
        "ffn_dim": cfg["encoder_ffn_embed_dim"], "heads": cfg["encoder_attention_heads"], "conv_channels": 256,
        "conv_layers": [[2, 2]] * 4, "dropout": 0.1, "positional_kernel": 128, "positional_groups": 16,
        "norm_first": False,
    }  # fmt: skip


def test_weight_norm_by_hand():
    # Two channels in one group, two taps: |v| of tap 0 is sqrt(3^2 + 4^2) = 5, of tap 1 it is 2.
    v = torch.tensor([[[3.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [4.0, 0.0]]])
    state = {"conv_pos.pos_conv.0.weight_g": torch.tensor([[[10.0, 6.0]]]), "conv_pos.pos_conv.0.weight_v": v}
    folded = ecg_fm.fold(Checkpoint("ecg_fm.pt", {}, state), "").state
    expected = torch.tensor([[[6.0, 6.0], [0.0, 0.0]], [[0.0, 0.0], [8.0, 0.0]]])
    torch.testing.assert_close(folded["conv_pos.pos_conv.0.weight"], expected)


def test_every_key_counts():
    """Whatever key is missing is named; so is one that nobody knows."""
    state = layout(make())
    needed = [name for name in state if not name.startswith(ecg_fm.PRETRAINING)]
    assert len(needed) == 10 + 3 + 2 + 2 * 16
    for name in needed:
        rest = {key: value for key, value in state.items() if key != name}
        with pytest.raises(UserError, match=f"missing: {re.escape(name)}|weight '{re.escape(name)}' is missing"):
            convert(Checkpoint("ecg_fm.pt", {"model": CFG}, rest))
    extra = {**state, "encoder.layers.0.adapter.weight": torch.zeros(1), "project_inp.weight": torch.zeros(1)}
    with pytest.raises(UserError, match=r"2 unknown: encoder\.layers\.0\.adapter\.weight, project_inp\.weight"):
        convert(Checkpoint("ecg_fm.pt", {"model": CFG}, extra))
    with pytest.raises(UserError, match=r"'encoder.layers.1.fc2.bias' has shape \(3,\), expected \(32,\)"):
        convert(Checkpoint("ecg_fm.pt", {"model": CFG}, {**state, "encoder.layers.1.fc2.bias": torch.zeros(3)}))


def test_older_place_of_the_positional_convolution():
    reference = make()
    state = {name.replace("conv_pos.", "encoder."): value for name, value in layout(reference).items()}
    assert "encoder.pos_conv.0.weight_g" in state
    encoder = build_encoder(convert(Checkpoint("ecg_fm.pt", {"model": CFG}, state)), "ecg_fm.pt")
    x = torch.randn(1, 12, 640)
    with torch.no_grad():
        torch.testing.assert_close(encoder(x), reference(x), atol=1e-5, rtol=1e-5)


def test_settings_of_a_finetuned_one():
    """Its own are defaults of another size; the encoder's are nested, or it is said that they are guessed."""
    state = layout(make(layer_norm_first=True), finetuned=True)
    defaults = {"encoder_layers": 12, "encoder_embed_dim": 768, "encoder_attention_heads": 12, "dropout": 0.0,
                "conv_feature_layers": "[(16, 2, 2)] * 4"}  # fmt: skip
    nested = {**defaults, "args": {"model": {**CFG, "layer_norm_first": True}}}
    imported = convert(Checkpoint("ecg_fm.pt", {"model": nested}, state))
    assert (imported.model["heads"], imported.model["norm_first"]) == (4, True)
    assert "assumed" not in imported.unverified
    imported = convert(Checkpoint("ecg_fm.pt", {"model": defaults}, state))
    assert (imported.model["heads"], imported.model["norm_first"]) == (1, False)
    assert "heads of width 64 and layer_norm_first: false are assumed" in imported.unverified


def test_other_front_end_is_refused():
    with pytest.raises(UserError, match="extractor_mode 'layer_norm'; only 'default'"):
        convert(Checkpoint("ecg_fm.pt", {"model": {**CFG, "extractor_mode": "layer_norm"}}, layout(make())))


def test_encoder_yaml(tmp_path):
    """`weights: import` takes the folder; everything says that it is unverified."""
    reference = make()
    import_checkpoint(written(tmp_path, reference), tmp_path / "out")
    text = (tmp_path / "out" / "encoder.yaml").read_text()
    assert "# Unverified: no released ECG-FM checkpoint" in text
    config = load(EncoderConfig, tmp_path / "out" / "encoder.yaml")
    slice_ = EncoderSlice(encoder="ecg-fm", config=config, preprocess=PreprocessConfig())
    write_untrained(slice_, tmp_path / "pretrain")
    content = json.loads((tmp_path / "pretrain" / "encoder.json").read_text())
    assert content["imported"]["unverified"].startswith("no released ECG-FM checkpoint was at hand")
    assert content["imported"]["origin"] == "ECG-FM, pretrained"
    assert (config.licence, config.pretrained_on) == ("MIT", ["mimic_iv_ecg", "challenge2021"])
    assert config.input == parse(InputConfig, CONTRACTS["ecg-fm"], "ecg-fm")
    assert content["input"] == config.input.model_dump(mode="json")
    x = torch.randn(2, 12, 2500)
    with torch.no_grad():
        torch.testing.assert_close(ecglfm.load_encoder(tmp_path / "pretrain")(x), reference(x), atol=1e-5, rtol=1e-5)


def test_its_contract_is_of_the_rate_and_the_leads_that_it_says(tmp_path):
    task = {"normalize": False, "leads_to_load": "[0, 1, 2, 3, 4, 5, 11, 10, 9, 8, 7, 6]", "sample_rate": 250}
    cfg = {"model": CFG, "task": task}
    import_checkpoint(written(tmp_path, make(), cfg), tmp_path / "out")
    encoder = ecglfm.load_encoder(tmp_path / "out")
    assert encoder.leads == encoder.input.leads == [*LEADS[:6], *reversed(LEADS[6:])]
    assert (encoder.sampling_rate, encoder.crop_samples, encoder.input.record[0].rate) == (250, 1250, 250)


def test_what_the_authors_code_gave(peers, tmp_path):
    """Small checkpoints that it wrote: frames, embedding, logits."""
    import_checkpoint(peers / "ecg-fm/mimic_iv_ecg_physionet_pretrained.pt", tmp_path / "pretrained")
    import_checkpoint(peers / "ecg-fm/mimic_iv_ecg_finetuned.pt", tmp_path / "finetuned")
    encoder, model = ecglfm.load_encoder(tmp_path / "pretrained"), ecglfm.load_model(tmp_path / "finetuned")
    saved, tuned = (np.load(peers / f"ecg-fm/small_{name}.npz") for name in ("pretrained", "finetuned"))
    with torch.inference_mode():
        close(encoder(torch.from_numpy(saved["input"])), saved["frames"])
        close(encoder.embed(torch.from_numpy(saved["input"])), saved["embedding"])
        close(model(torch.from_numpy(saved["input"])), tuned["logits"])


@pytest.mark.slow
def test_the_published_size_with_weights_of_the_recipe(peers):
    """90,883,072 numbers that follow from their names: the authors' embedding of the same recordings."""
    state = drawn(json.loads((peers / "ecg-fm/state_full.json").read_text()))
    assert sum(value.numel() for value in state.values()) == 90_883_072
    encoder = build_encoder(convert(Checkpoint("full.pt", {"model": PUBLISHED}, state)), "full.pt")
    saved = np.load(peers / "ecg-fm/full.npz")
    with torch.inference_mode():
        found = encoder.embed(torch.from_numpy(np.load(peers / "ecg-fm/small_pretrained.npz")["input"]))
    close(found, saved["embedding"])


def close(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-4 * expected.std())


def test_reading_back_what_was_written(tmp_path):
    checkpoint = read_checkpoint(written(tmp_path, make()))
    assert ecg_fm.recognises(checkpoint)
    assert set(checkpoint.state) == set(layout(make()))
