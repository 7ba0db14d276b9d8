"""The original ECG-LFM, run once on random weights, gives our numbers, through the importer: layers, losses, gradients.

So does `tests/parity`, a smaller set that is always there: made by a reference that is itself held to the original.
"""

import numpy as np
import pytest
import torch

from ecglfm import load_encoder, load_model
from ecglfm.benchmark.training.original import OriginalObjective
from ecglfm.config import CmscConfig, PretrainConfig
from ecglfm.models.encoders.encoder import mean_over_frames
from ecglfm.models.importers import build_encoder, convert, import_checkpoint
from ecglfm.models.importers.checkpoint import read_checkpoint
from ecglfm.models.importers.ecg_lfm import original_name
from ecglfm.models.layers.fast.choice import SWITCH
from ecglfm.models.pretraining.masked_codes import MaskedCodes, Noise
from ecglfm.models.pretraining.terms import cmsc_loss, contrastive_logits


def close(ours, theirs, rtol=1e-5):
    """Relative to the largest entry: float32 sums in another order differ by that much."""
    ours, theirs = torch.as_tensor(ours).double(), torch.as_tensor(np.asarray(theirs)).double()
    assert ours.shape == theirs.shape
    finite = theirs.isfinite()
    assert torch.equal(ours[~finite], theirs[~finite])
    assert (ours - theirs)[finite].abs().max() <= rtol * theirs[finite].abs().max()


@pytest.fixture(autouse=True, params=["fast", "plain"])
def _form(request, monkeypatch):
    """The forms written by hand, and PyTorch's operations in their place."""
    monkeypatch.setenv(SWITCH, "0" if request.param == "plain" else "1")


@pytest.fixture(scope="module", params=["reference", "original"])
def parity(request):
    if request.param == "reference":
        return request.getfixturevalue("repository") / "tests/parity"
    return request.getfixturevalue("original_parity")


@pytest.fixture(scope="module")
def numbers(parity):
    return dict(np.load(parity / "proj_pretrain.npz", allow_pickle=False))


@pytest.fixture
def imported(parity):
    return convert(read_checkpoint(parity / "proj_pretrain.pt"))


@pytest.fixture
def way():
    """Whose computation it is: ours unless a test says otherwise."""
    return MaskedCodes


@pytest.fixture
def objective(imported, way):
    """Encoder, heads and settings, all as the importer read them."""
    encoder = build_encoder(imported, "here")
    objective = way(encoder, PretrainConfig(steps=1, **imported.pretrain))
    found = objective.load_state_dict(imported.objective, strict=False)
    assert not found.unexpected_keys
    assert all(name.startswith("encoder.") for name in found.missing_keys)
    return objective.eval()


def fixed_noise(numbers, train):
    hidden = torch.from_numpy(numbers["mask_indices"])
    raw = torch.from_numpy(numbers["neg_randint"]).view(len(hidden), int(hidden[0].sum()), -1)
    own = torch.arange(raw.shape[1])[None, :, None]  # drawn among the others
    gumbel = torch.from_numpy(numbers["gumbel"]) if train else None
    return Noise(hidden, raw + (raw >= own), gumbel)


def run(objective, numbers, mode):
    """Terms of the loss, and outputs of the modules by name; inputs of `context`."""
    seen = {}

    def keep(name):
        return lambda module, inputs, output: seen.update({name: inputs[0] if name == "context" else output})

    parts = {"context": objective.encoder.context} | {
        name: getattr(objective, name) for name in ("quantizer", "project_q", "final_proj", "mlm_proj")
    }
    hooks = [part.register_forward_hook(keep(name)) for name, part in parts.items()]
    objective.train(mode == "train")
    noise = fixed_noise(numbers, mode == "train")
    terms = objective(torch.from_numpy(numbers["source"]), generator_seed=0, step=0, noise=noise)
    for hook in hooks:
        hook.remove()
    return terms, seen, noise


def test_settings_are_the_originals(original_parity):
    imported = convert(read_checkpoint(original_parity / "proj_pretrain.pt"))
    assert imported.model == {
        "kind": "conformer",
        "layers": 3,
        "dim": 128,
        "ffn_dim": 320,
        "heads": 4,
        "kernel": 31,
        "conv_channels": 256,
        "conv_layers": [[2, 2]] * 4,
        "dropout": 0.0,
    }
    assert imported.pretrain == {
        "mask": {"probability": 0.65, "length": 10},
        "quantizer": {"codes": 40, "code_dim": 64, "final_dim": 96, "temperature": [2.0, 0.1, 0.999995]},
        "objective": {
            "contrastive": {"weight": 1.0, "temperature": 0.1, "negatives": 100, "layer": 2},
            "mlm": {"weight": 1.0},
            "diversity": {"weight": 0.1},
            "feature_penalty": {"weight": 10.0},
            "cmsc": {"temperature": 0.1, "pool": "frontend"},
        },
    }
    # The settings of the fine-tuned one say 12 layers with FFN 3072, which are defaults; its weights do not.
    assert convert(read_checkpoint(original_parity / "proj_finetune.pt")).model == imported.model


def test_encoder_layer_by_layer(parity, numbers, tmp_path):
    import_checkpoint(parity / "proj_pretrain.pt", tmp_path)
    encoder = load_encoder(tmp_path)
    x = torch.from_numpy(numbers["source"])
    with torch.no_grad():
        features = encoder.features(x)
        projected = encoder.frontend.project(features.normed_btc)
        layers = encoder.context(projected)
        close(features.conv_btc.transpose(1, 2), numbers["conv_out"])
        close(features.normed_btc, numbers["features_ln"])
        close(projected, numbers["post_proj"])
        for ours, theirs in zip(layers, numbers["layers"], strict=True):
            close(ours, theirs)
        close(layers[1], numbers["w2v2_layer_out"])
        close(encoder(x), numbers["encoder_out"])
        close(encoder.embed(x), numbers["pooled"])


@pytest.mark.parametrize("way", [MaskedCodes, OriginalObjective])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_every_loss_term(objective, numbers, mode):
    terms, _, noise = run(objective, numbers, mode)
    batch, frames = noise.mask_bt.shape
    size = int(numbers[f"{mode}_sample_size"])
    assert (noise.mask_bt.sum(dim=1) == size / batch).all()
    expected = {
        "loss": numbers[f"{mode}_loss_total_sum"] / size,
        "contrastive": numbers[f"{mode}_loss_w2v2"] / size,
        "mlm": numbers[f"{mode}_loss_mlm"] / size,
        "diversity": numbers[f"{mode}_loss_1"] / size / 0.1,
        "feature_penalty": numbers[f"{mode}_features_pen"],
        "cmsc": numbers[f"{mode}_loss_3"] / size,
        "prob_perplexity": numbers[f"{mode}_prob_perplexity"],
        "code_perplexity": numbers[f"{mode}_code_perplexity"],
        "contrastive_accuracy": numbers[f"{mode}_correct"] / numbers[f"{mode}_count"],
        "masked_fraction": size / (batch * frames),
        "temperature": 2.0,
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(float(value), rel=1e-5), name
    # The original weighs the feature penalty by 10 and S in its sum.
    assert terms["feature_penalty"].item() * 10 * size == pytest.approx(float(numbers[f"{mode}_loss_2"]), rel=1e-5)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_logits_targets_and_what_cmsc_pools(objective, numbers, mode):
    with torch.no_grad():
        _, seen, noise = run(objective, numbers, mode)
    batch, masked = noise.negatives_bmk.shape[:2]
    codes = seen["quantizer"].codes_s.view(batch, masked)
    assert codes.tolist() == numbers[f"{mode}_mlm_targets"].tolist()
    close(seen["mlm_proj"].view(batch, masked, -1), numbers[f"{mode}_mlm_logits"])
    x, y = (seen[name].view(batch, masked, -1) for name in ("final_proj", "project_q"))
    logits = contrastive_logits(x, y, codes, noise.negatives_bmk, temperature=0.1)
    assert logits.isinf().any()  # some negatives are the positive
    close(logits.permute(2, 0, 1), numbers[f"{mode}_x_w2v2_logits"])
    close(seen["context"], numbers[f"{mode}_features_masked"])
    close(mean_over_frames(seen["context"]), numbers[f"{mode}_cmsc_embed"])


def test_masked_features_are_pooled_with_the_frontend_only(objective, numbers):
    """`pool: encoder` is our own: the term comes from the last layer, all others stay as in the original."""
    objective.terms = objective.terms.model_copy(update={"cmsc": CmscConfig(pool="encoder")})
    last = []
    objective.encoder.context.register_forward_hook(lambda module, inputs, output: last.append(output[-1]))
    with torch.no_grad():
        terms, _, _ = run(objective, numbers, "eval")
        expected, _ = cmsc_loss(last[0].mean(dim=1), temperature=0.1)
    size = int(numbers["eval_sample_size"])
    original = float(numbers["eval_loss_3"]) / size
    assert terms["cmsc"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert abs(terms["cmsc"].item() - original) > 1e-3 * original
    for name, key in (("contrastive", "eval_loss_w2v2"), ("mlm", "eval_loss_mlm")):
        assert terms[name].item() == pytest.approx(float(numbers[key]) / size, rel=1e-5)


@pytest.mark.parametrize("way", [MaskedCodes, OriginalObjective])
def test_training_step_gradients_and_running_mean(objective, numbers):
    terms, _, _ = run(objective, numbers, "train")
    terms["loss"].backward()
    norms = dict(zip(numbers["train_grad_names"].tolist(), numbers["train_grad_norms"], strict=True))
    ours = {original_name(name): parameter.grad for name, parameter in objective.named_parameters()}
    assert ours.keys() == norms.keys()
    assert len(norms) == 126  # of three layers each
    largest = max(norms.values())
    # Zero but for rounding: a bias that a normalisation or a softmax takes away again.
    assert norms["encoder.layers.0.self_attn.linear_k.bias"] < 1e-5 * largest
    assert norms["feature_extractor.conv_layers.0.0.bias"] < 1e-5 * largest
    for name, expected in norms.items():
        assert ours[name].norm().item() == pytest.approx(expected, rel=1e-5, abs=1e-5 * largest), name
    running = objective.encoder.context.layers[0].conv_module.norm.running_mean
    close(running, numbers["train_bn0_running_mean_after"])


def test_finetuned_logits_and_loss(parity, tmp_path):
    numbers = np.load(parity / "proj_finetune.npz", allow_pickle=False)
    (tmp_path / "label_def.csv").write_text("name,pos_weight\nMI,1\nHYP,2.5\nCD,1\nSTTC,1\nAFIB,7\n")
    import_checkpoint(parity / "proj_finetune.pt", tmp_path / "model", tmp_path / "label_def.csv")
    model = load_model(tmp_path / "model")
    assert model.label_names == ["MI", "HYP", "CD", "STTC", "AFIB"]
    assert model.thresholds == [0.5] * 5
    x = torch.from_numpy(numbers["source"])
    with torch.no_grad():
        logits = model(x)
        close(model.encoder(x), numbers["encoder_out"])
        close(load_encoder(tmp_path / "model")(x), numbers["encoder_out"])
    close(logits, numbers["logits"])
    label = torch.from_numpy(numbers["label"]).float()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, label, reduction="sum")
    assert loss.item() == pytest.approx(float(numbers["loss_sum"]), rel=1e-5)
