"""Checkpoints of ECG-LFM: missing, unknown and dead weights, sizes without settings, labels, use in an encoder YAML."""

import argparse
import re

import pytest
import torch

from ecglfm import load_encoder, load_model
from ecglfm.cli import main
from ecglfm.config import (
    LEADS,
    EncoderConfig,
    EncoderSlice,
    PreprocessConfig,
    PretrainConfig,
    UserError,
    load,
)
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.importers import convert, import_checkpoint
from ecglfm.models.importers.checkpoint import read_checkpoint
from ecglfm.models.importers.ecg_lfm import original_name
from ecglfm.models.importers.settings import parse_conv_layers
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.training.pretraining.pretrain import run_pretrain
from tests.unit.architectures import architecture

MODEL = {"layers": 2, "dim": 16, "ffn_dim": 24, "heads": 2, "kernel": 5, "conv_channels": 16, "dropout": 0.0}
QUANTIZER = {"codes": 12, "code_dim": 6, "final_dim": 10}
DEAD = {
    "encoder.pos_conv.0.weight_g": torch.ones(1, 1, 4),
    "conv_pos.pos_conv.0.bias": torch.ones(16),
    "encoder.layer_norm.weight": torch.ones(16),
}


@pytest.fixture(scope="module")
def ours():
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**MODEL), LEADS, 500, PreprocessConfig(), 5.0)
    objective = {"contrastive": {"layer": 2}}
    return MaskedCodes(encoder, PretrainConfig(steps=1, quantizer=QUANTIZER, objective=objective)).state_dict()


@pytest.fixture
def theirs(ours):
    """The same weights as the original saves them."""
    state = {original_name(name): value.clone() for name, value in ours.items()}
    state["quantizer.vars"] = state["quantizer.vars"][None]
    return state | DEAD


@pytest.fixture
def finetuned(theirs):
    """A classifier of 3 labels on that encoder."""
    heads = ("mask_emb", "quantizer.", "project_q.", "final_proj.", "mlm_proj.")
    state = {f"encoder.{name}": value for name, value in theirs.items() if not name.startswith(heads)}
    return state | {"proj.weight": torch.arange(48.0).view(3, 16), "proj.bias": torch.arange(3.0)}


def saved(path, state, **content):
    content = {"cfg": {"model": {"w2v2_encoder_layers": 2}}} | content
    torch.save({"model": state, **content}, path)
    return path


def test_every_weight_finds_its_place(ours, theirs, tmp_path):
    imported = convert(read_checkpoint(saved(tmp_path / "a.pt", theirs)))
    found = {f"encoder.{name}": value for name, value in imported.encoder.items()} | imported.objective
    assert found.keys() == ours.keys()
    assert all(torch.equal(value, ours[name]) for name, value in found.items())
    assert imported.dropped == sorted(DEAD)
    assert "post_extract_proj.weight" not in theirs  # 16 channels, width 16


def test_dead_weights_need_not_be_there_and_halves_become_floats(ours, theirs, tmp_path):
    state = {name: value.half() for name, value in theirs.items() if name not in DEAD}
    imported = convert(read_checkpoint(saved(tmp_path / "a.pt", state)))
    assert imported.dropped == []
    assert {value.dtype for name, value in imported.encoder.items() if "num_batches" not in name} == {torch.float32}
    torch.testing.assert_close(imported.objective["mask_emb"], ours["mask_emb"], atol=1e-3, rtol=1e-3)


def test_missing_and_unknown_weights_are_all_named(theirs, tmp_path):
    del theirs["encoder.layers.1.ffn2.w_1.bias"], theirs["mlm_proj.weight"]
    theirs |= {"encoder.layers.0.moe.gate": torch.ones(1), "encoder.pos_convolution": torch.ones(1)}
    with pytest.raises(UserError) as error:
        convert(read_checkpoint(saved(tmp_path / "a.pt", theirs)))
    missing, unknown = str(error.value).split("; ")[1:]
    assert missing == "2 missing: encoder.layers.1.ffn2.w_1.bias, mlm_proj.weight"
    assert unknown == "2 unknown: encoder.layers.0.moe.gate, encoder.pos_convolution"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mlm_proj.bias": torch.ones(5)}, r"weight 'mlm_proj.bias' has shape \(5,\), expected \(12,\)"),
        ({"mlm_proj.bias": torch.ones(12, dtype=torch.int64)}, "'mlm_proj.bias' holds torch.int64, expected floats"),
        ({"project_q.weight": torch.ones(10, 12)}, "its codebook has 2 groups; only one is known"),
        ({"encoder.layers.0.self_attn.pos_bias_u": None}, "weight 'encoder.layers.0.self_attn.pos_bias_u' is missing"),
        ({"feature_extractor.conv_layers.1.0.weight": torch.ones(16, 16, 3)}, r"have kernels \[2, 3, 2, 2\]"),
        ({"feature_extractor.conv_layers.0.0.weight": torch.ones(16, 8, 2)}, "reads 8 leads, but its settings name"),
        ({"encoder.layers.0.self_attn.linear_pos.weight": None}, "no known method has weights named like"),
    ],
)
def test_weights_that_do_not_fit(theirs, tmp_path, change, message):
    state = {name: value for name, value in (theirs | change).items() if value is not None}
    with pytest.raises(UserError, match=message) as error:
        convert(read_checkpoint(saved(tmp_path / "a.pt", state)))
    assert str(error.value).startswith(f"{tmp_path / 'a.pt'}: ")


def test_sizes_need_no_settings(theirs, tmp_path):
    imported = convert(
        read_checkpoint(saved(tmp_path / "a.pt", theirs | {}, cfg={"model": {"w2v2_encoder_layers": 1}}))
    )
    assert imported.model == {"kind": "conformer", **MODEL, "conv_layers": [[2, 2]] * 4}
    # Older checkpoints have `args`, all settings in one list.
    args = argparse.Namespace(w2v2_encoder_layers=1, dropout=0.2, conv_feature_layers="[(16, 2, 2)] * 3 + [(16, 2, 1)]")
    old = convert(read_checkpoint(saved(tmp_path / "a.pt", theirs, cfg=None, args=args)))
    assert old.model == imported.model | {"dropout": 0.2, "conv_layers": [[2, 2], [2, 2], [2, 2], [2, 1]]}


def test_settings_that_concern_the_input(finetuned, tmp_path):
    task = {"leads_to_load": "0, 1,6", "sample_rate": 250, "normalize": True}
    finetuned["encoder.feature_extractor.conv_layers.0.0.weight"] = torch.ones(16, 3, 2)
    path = saved(tmp_path / "a.pt", finetuned, cfg={"model": {}, "task": task})
    assert import_checkpoint(path, tmp_path / "out").unverified.startswith("trained on signals with normalize")
    encoder = load_encoder(tmp_path / "out")
    assert (encoder.leads, encoder.sampling_rate) == (["I", "II", "V1"], 250)
    assert (encoder.preprocess.leads, encoder.preprocess.sampling_rate) == (["I", "II", "V1"], 250)
    assert "# Unverified: trained on signals with normalize" in (tmp_path / "out" / "encoder.yaml").read_text()


def test_convolutions_in_fairseqs_notation():
    assert parse_conv_layers("[(256, 2, 2)] * 4") == [(2, 2)] * 4
    assert parse_conv_layers("[(512, 10, 5)] + [(512,3,2),(512,3,1)] * 2") == [(10, 5), (3, 2), (3, 1), (3, 2), (3, 1)]
    for text in ("__import__('os').system('true')", "[(1,2,3)] * 999", "[(1,2)]", "", "[(1,2,3)] ** 4"):
        with pytest.raises(UserError, match="conv_feature_layers"):
            parse_conv_layers(text)


def test_labels(finetuned, tmp_path):
    path, labels = saved(tmp_path / "a.pt", finetuned), tmp_path / "label_def.csv"
    import_checkpoint(path, tmp_path / "out")
    model = load_model(tmp_path / "out")
    assert model.label_names == ["label_0", "label_1", "label_2"]
    assert model.head.weight.flatten().tolist() == list(range(48))
    labels.write_text("index,name\n0,MI\n1, CD \n2,NO\n")
    import_checkpoint(path, tmp_path / "out", labels)
    assert load_model(tmp_path / "out").label_names == ["MI", "CD", "NO"]
    for text, message in [
        ("name\nMI\nCD\n", "names 2 labels below its header, but .* has 3 outputs"),
        ("name\nMI\nCD\nMI\n", "every label needs a name of its own"),
        ("name,x\nMI,1\n,2\nCD,3\n", "every label needs a name of its own"),
        ("", "names 0 labels"),
    ]:
        labels.write_text(text)
        with pytest.raises(UserError, match=message):
            import_checkpoint(path, tmp_path / "out", labels)
    with pytest.raises(UserError, match="no such file"):
        import_checkpoint(path, tmp_path / "out", tmp_path / "none.csv")


def test_a_pretrained_one_has_no_labels(theirs, tmp_path):
    path = saved(tmp_path / "a.pt", theirs)
    with pytest.raises(UserError, match="is a pretrained encoder, it has no labels"):
        import_checkpoint(path, tmp_path / "out", tmp_path / "label_def.csv")
    import_checkpoint(path, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "encoder.json", "encoder.safetensors", "encoder.yaml",
    ]  # fmt: skip


def test_an_encoder_is_not_laid_beside_the_model_of_another(theirs, finetuned, tmp_path):
    import_checkpoint(saved(tmp_path / "a.pt", finetuned), tmp_path / "out")
    import_checkpoint(saved(tmp_path / "a.pt", finetuned), tmp_path / "out")  # the same again is fine
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(UserError, match="out: holds a model, to which this encoder does not belong; give another"):
        import_checkpoint(saved(tmp_path / "b.pt", theirs), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_the_encoder_yaml_takes_the_weights(theirs, tmp_path):
    imported = import_checkpoint(saved(tmp_path / "a.pt", theirs), tmp_path / "out")
    config = load(EncoderConfig, tmp_path / "out" / "encoder.yaml")
    assert config.import_path == str(tmp_path / "out")
    slice_ = EncoderSlice(encoder="theirs", config=config, preprocess=PreprocessConfig())
    assert run_pretrain(slice_, manifest=tmp_path, signals=tmp_path, output=tmp_path / "run") == 0
    encoder = load_encoder(tmp_path / "run")
    assert all(torch.equal(value, imported.encoder[name]) for name, value in encoder.state_dict().items())
    assert encoder.info["imported"]["origin"] == "ECG-LFM, pretrained"
    assert re.fullmatch("[0-9a-f]{64}", encoder.info["imported"]["sha256"])


def test_command(finetuned, tmp_path, capsys):
    path = saved(tmp_path / "a.pt", finetuned)
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "out")]) == 0
    output = capsys.readouterr().out
    assert "ECG-LFM, fine-tuned: 2 layers of width 16" in output
    assert "encoder.conv_pos.pos_conv.0.bias" in output
    assert load_model(tmp_path / "out").label_names[2] == "label_2"
    path.write_bytes(b"x")
    assert main(["import-checkpoint", str(path), "--output", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith(f"ecglfm import-checkpoint: error: {path}: not a readable")
