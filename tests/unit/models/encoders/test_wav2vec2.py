"""The transformer of wav2vec 2.0: numbers worked by hand, PyTorch's own layers, and padding that changes nothing."""

import json

import pytest
import torch
from torch import nn

import ecglfm
from ecglfm.benchmark.gpu.rules import gpu_rules
from ecglfm.benchmark.gpu.traffic import Traffic
from ecglfm.config import LEADS, PreprocessConfig, PretrainConfig, UserError, parse_model
from ecglfm.config.encoders.imported import check_model
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.encoders.wav2vec2 import PositionalConvolution, SelfAttention, TransformerLayer, Wav2Vec2
from ecglfm.models.export import export
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from tests.unit.architectures import architecture

SMALL = {"kind": "wav2vec2", "layers": 2, "dim": 32, "ffn_dim": 48, "heads": 2, "conv_channels": 16,
         "positional_kernel": 8, "positional_groups": 4}  # fmt: skip


def make_encoder(**changes):
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**{**SMALL, **changes}), LEADS, 500, PreprocessConfig(), 5.0)
    for parameter in encoder.parameters():  # biases and gains away from 0 and 1
        nn.init.normal_(parameter, mean=0.1, std=0.2)
    return encoder.eval()


def hand_layer(norm_first):
    """Attention is the plain mean over frames; the feed-forward part adds gelu(1) = 0.841345 to channel 0."""
    layer = TransformerLayer(architecture(**{**SMALL, "dim": 8, "ffn_dim": 8, "norm_first": norm_first})).eval()
    for module in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.fc1, layer.fc2):
        nn.init.zeros_(module.weight)
    nn.init.ones_(layer.fc1.bias)
    nn.init.eye_(layer.self_attn.v_proj.weight)
    nn.init.eye_(layer.self_attn.out_proj.weight)
    layer.fc2.weight.data[0, 0] = 1.0
    return layer


ALTERNATING = torch.tensor([1.0, -1.0] * 4)


def test_post_norm_layer_by_hand():
    x = torch.stack([ALTERNATING, 3 * ALTERNATING])[None]
    out = hand_layer(norm_first=False)(x)
    # 1 + 2 and 3 + 2 times the pattern: LayerNorm gives the pattern; + 0.841345 in channel 0 has mean 0.105168 and
    # deviation 1.134795.
    expected = torch.tensor([1.529948, -0.973892] + [0.788541, -0.973892] * 3)
    torch.testing.assert_close(out, expected.expand(1, 2, 8), atol=2e-5, rtol=0)


def test_pre_norm_layer_by_hand():
    x = torch.stack([ALTERNATING, 3 * ALTERNATING, 7 * ALTERNATING])[None]
    bias = torch.tensor([0.0, 0.0, torch.finfo(torch.float32).min])[None, None, None]
    out = hand_layer(norm_first=True)(x, bias)
    added = torch.tensor([0.841345] + [0.0] * 7)  # every frame is normalised to the pattern, whose mean is itself
    expected = torch.stack([2 * ALTERNATING + added, 4 * ALTERNATING + added, 8 * ALTERNATING + added])[None]
    torch.testing.assert_close(out, expected, atol=2e-5, rtol=0)


def test_attention_leaves_out_what_the_bias_hides():
    x = torch.stack([ALTERNATING, 3 * ALTERNATING, 100 * ALTERNATING.flip(0)])[None]
    bias = torch.tensor([0.0, 0.0, torch.finfo(torch.float32).min])[None, None, None]
    out = hand_layer(norm_first=False).self_attn(x, bias)
    torch.testing.assert_close(out, (2 * ALTERNATING).expand(1, 3, 8))


def test_positional_convolution_by_hand():
    conv = PositionalConvolution(8, kernel=2, groups=8)
    conv.conv.weight.data[:] = torch.tensor([10.0, 1.0])
    x = torch.tensor([1.0, 2.0, 3.0])[None, :, None].expand(1, 3, 8)
    out = conv(x)[0, :, 0]  # ten times the frame before plus the frame itself; gelu(1) = 0.841345
    torch.testing.assert_close(out, torch.tensor([0.841345, 12.0, 23.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm_first", [False, True])
def test_stack_is_that_of_pytorch(norm_first):
    torch.manual_seed(1)
    ours = Wav2Vec2(architecture(**{**SMALL, "norm_first": norm_first, "layers": 3})).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    layer = nn.TransformerEncoderLayer(32, 2, 48, activation="gelu", batch_first=True, norm_first=norm_first)
    theirs = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).eval()
    for source, target in zip(ours.layers, theirs.layers, strict=True):
        attention = source.self_attn
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        target.self_attn.in_proj_weight.data = torch.cat([projection.weight for projection in projections])
        target.self_attn.in_proj_bias.data = torch.cat([projection.bias for projection in projections])
        target.self_attn.out_proj.load_state_dict(attention.out_proj.state_dict())
        target.linear1.load_state_dict(source.fc1.state_dict())
        target.linear2.load_state_dict(source.fc2.state_dict())
        target.norm1.load_state_dict(source.self_attn_layer_norm.state_dict())
        target.norm2.load_state_dict(source.final_layer_norm.state_dict())
    x = torch.randn(2, 20, 32)
    real = torch.ones(2, 20, dtype=torch.bool)
    real[1, 13:] = False
    with torch.no_grad():
        outputs = ours(x, real)
        start = x.masked_fill(~real[..., None], 0.0)
        start = start + ours.positional(start)
        expected = theirs(start if norm_first else ours.layer_norm(start), src_key_padding_mask=~real)
        expected = ours.layer_norm(expected) if norm_first else expected
    assert len(outputs) == 3
    torch.testing.assert_close(outputs[-1][real], expected[real], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("standardized", [False, True])
def test_padding_changes_nothing(norm_first, standardized):
    encoder = make_encoder(norm_first=norm_first, standardize=standardized)
    lengths = [500, 1237, 2500]
    x = torch.randn(3, 12, 2500)  # what lies beyond the end is noise too
    real = torch.arange(2500) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        frames, pooled = encoder(x, real), encoder.embed(x, real)
        assert frames.shape == (3, 156, 32)
        for row, length in enumerate(lengths):
            alone = x[row : row + 1, :, :length]
            count = length // 16
            torch.testing.assert_close(frames[row, :count], encoder(alone)[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(pooled[row], encoder.embed(alone)[0], atol=1e-5, rtol=1e-5)
            assert not frames[row, count:].any()


def test_a_record_of_padding_only_is_finite():
    with torch.no_grad():
        out = make_encoder()(torch.randn(2, 12, 800), torch.tensor([[True], [False]]).expand(2, 800))
    assert out.isfinite().all()
    assert not out[1].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_record_of_padding_only_is_finite_in_half_precision(monkeypatch, dtype):
    """By the formula, which PyTorch's kernels need not follow: some have no answer where all scores are infinite."""

    def attention(query, key, value, *, attn_mask, dropout_p):
        return (query @ key.mT / query.shape[-1] ** 0.5 + attn_mask.to(query.dtype)).softmax(-1) @ value

    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", attention)
    stack = Wav2Vec2(architecture(**SMALL)).eval()
    for layer in stack.layers:  # scores of about -36
        nn.init.constant_(layer.self_attn.q_proj.bias, 3.0)
        nn.init.constant_(layer.self_attn.k_proj.bias, -3.0)
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        outputs = stack(torch.randn(2, 6, 32), torch.tensor([[True], [False]]).expand(2, 6))
    assert all(out.isfinite().all() for out in outputs)


@pytest.mark.parametrize("norm_first", [False, True])
def test_round_trip(tmp_path, norm_first):
    encoder = make_encoder(norm_first=norm_first, standardize=True)
    save_encoder(tmp_path, encoder, {"weights": "random"})
    x = torch.randn(2, 12, 640)
    loaded = ecglfm.load_encoder(tmp_path)
    assert loaded.config == encoder.config
    assert torch.equal(loaded(x), encoder(x))
    assert json.loads((tmp_path / "encoder.json").read_text())["model"] == {
        "kind": "wav2vec2", "layers": 2, "dim": 32, "ffn_dim": 48, "heads": 2, "conv_channels": 16,
        "conv_layers": [[2, 2]] * 4, "dropout": 0.1, "positional_kernel": 8, "positional_groups": 4,
        "norm_first": norm_first, "standardize": True,
    }  # fmt: skip


@pytest.mark.parametrize("norm_first", [False, True])
def test_our_objective_reaches_every_weight(norm_first):
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**SMALL, norm_first=norm_first, dropout=0.0), LEADS, 500, PreprocessConfig(), 5.0)
    config = PretrainConfig(
        steps=1, quantizer={"codes": 8, "code_dim": 8, "final_dim": 8}, objective={"contrastive": {"layer": 2}}
    )
    objective = MaskedCodes(encoder, config)
    terms = objective(torch.randn(4, 12, 2500), generator_seed=0, step=0)
    terms["loss"].backward()
    assert terms["loss"].isfinite()
    zero_in_theory = {"wav2vec2.layers.0.self_attn.k_proj.bias", "wav2vec2.layers.1.self_attn.k_proj.bias",
                      "frontend.convs.0.bias"}  # fmt: skip
    for name, parameter in encoder.named_parameters():
        assert (parameter.grad.norm() > 1e-6) == (name not in zero_in_theory), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 31}, "kind 'wav2vec2' has no key 'kernel'"),
        ({"norm": "group"}, "kind 'wav2vec2' has no key 'norm'"),
        ({"kind": "conformer", "positional_kernel": 128}, "kind 'conformer' has no key 'positional_kernel'"),
        ({"kind": "conformer", "norm_first": False}, "kind 'conformer' has no key 'norm_first'"),
        ({"positional_groups": 5}, "dim 32 is not a multiple of positional_groups 5"),
    ],
)
def test_keys_of_the_other_kind_are_refused(changes, message):
    base = {key: value for key, value in SMALL.items() if not key.startswith("positional")}
    with pytest.raises(UserError, match=message):
        parse_model({**base, **changes}, "encoder.yaml")


def test_a_conformer_is_described_as_before():
    model = architecture(layers=1, dim=16, ffn_dim=24, heads=2)
    keys = {"kind", "layers", "dim", "ffn_dim", "heads", "kernel", "conv_channels", "conv_layers", "dropout", "norm"}
    assert set(model.model_dump()) == keys | {"norm_sync"}
    assert model.kind == "conformer"
    assert architecture(**model.model_dump()) == model


def test_on_a_gpu_q_k_and_v_share_one_cast():
    """2 x 10 frames of width 32 to bf16 once each way; weights are 32 x 32, biases 32."""
    with torch.device("meta"):
        attention = SelfAttention(32, heads=2, dropout=0.0)
        x = torch.empty(2, 10, 32, requires_grad=True)
    with gpu_rules(), Traffic() as traffic:
        with torch.autocast("meta", dtype=torch.bfloat16):
            y = attention(x)
        y.sum().backward()
    casts = [one.bytes // 6 for one in traffic.operations if one.name == "_to_copy"]
    assert casts.count(2 * 10 * 32) == 2


JOINED = {"conv_layers": [[10, 4], [3, 2], [3, 2]], "joined_leads": True, "projection": True}


def test_what_came_later_is_dumped_where_it_is_set():
    plain, joined = architecture(**SMALL), architecture(**SMALL, **JOINED)
    assert not {"joined_leads", "projection"} & set(plain.model_dump())
    assert joined.model_dump()["joined_leads"] is joined.model_dump()["projection"] is True
    assert architecture(**joined.model_dump()) == joined
    with pytest.raises(UserError, match="at: its joined_leads is True, this project's is None"):
        check_model(joined, architecture(**SMALL, conv_layers=JOINED["conv_layers"], projection=True), "at")


def test_an_objective_on_joined_leads():
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**SMALL, **JOINED, dropout=0.0), LEADS, 100, PreprocessConfig(), 5.0)
    config = PretrainConfig(
        steps=1, quantizer={"codes": 8, "code_dim": 8, "final_dim": 8}, objective={"contrastive": {"layer": 2}}
    )
    terms = MaskedCodes(encoder, config)(torch.randn(4, 12, 500), generator_seed=0, step=0)
    terms["loss"].backward()
    assert terms["loss"].isfinite()
    assert all(parameter.grad.norm() > 0 for name, parameter in encoder.named_parameters() if "project" in name)


@pytest.mark.pinned_torch
@pytest.mark.parametrize("form", ["torchscript", pytest.param("onnx", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_joined_leads_are_exported(tmp_path, form):
    """Of padded records, too: what was written is compared with PyTorch on other shapes before it gets its name."""
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**SMALL, **JOINED), LEADS, 100, PreprocessConfig(), 5.0).eval()
    assert export(encoder, tmp_path / "encoder", form=form, mask=True) < 1e-4
