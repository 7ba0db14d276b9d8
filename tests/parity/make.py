"""Make the small parity set from a seed: `python -m tests.parity.make`.

Same names and keys as the files that the original gave, with the numbers of `reference.py`, and sizes of which no two
are alike. A clone that has nothing else is held to these; what holds the reference to the original are its own files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.parity import reference

SEED = 20261129
LEADS, RECORDS, SAMPLES, FRAMES, MASKED, NEGATIVES = 12, 4, 700, 43, 19, 15
CHANNELS, DIM, HEADS, FFN, KERNEL, LAYERS = 20, 24, 3, 36, 7, 3
CODES, CODE_DIM, FINAL_DIM, LABELS = 11, 10, 14, 5
SETTINGS = {
    "model": {
        "conv_feature_layers": f"[({CHANNELS}, 2, 2)] * 4", "w2v2_encoder_layers": 2, "num_negatives": NEGATIVES,
        "mask_prob": 0.65, "mask_length": 10, "logit_temp": 0.1, "latent_temp": [2.0, 0.1, 0.999995], "dropout": 0.0,
    },
    "criterion": {"temp": 0.1, "w2v2_loss_weight": 1.0, "mlm_loss_weight": 1.0, "loss_weights": [0.1, 10.0]},
}  # fmt: skip


def shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each weight of a pretrained checkpoint, with one of those that nothing uses."""
    found = {"mask_emb": (DIM,), "quantizer.vars": (1, CODES, CODE_DIM), "encoder.layer_norm.weight": (DIM,)}
    norms = {"layer_norm": CHANNELS, "feature_extractor.conv_layers.0.2": CHANNELS}
    linears = {
        "post_extract_proj": (DIM, CHANNELS), "quantizer.weight_proj": (CODES, CHANNELS),
        "project_q": (FINAL_DIM, CODE_DIM), "final_proj": (FINAL_DIM, DIM), "mlm_proj": (CODES, DIM),
    }  # fmt: skip
    for number in range(4):
        linears[f"feature_extractor.conv_layers.{number}.0"] = (CHANNELS, CHANNELS if number else LEADS, 2)
    for number in range(LAYERS):
        name = f"encoder.layers.{number}"
        inner = ("self_attn_layer_norm", "conv_module.layer_norm", "conv_module.batch_norm", "ffn1.layer_norm")
        norms |= {f"{name}.{part}": DIM for part in (*inner, "ffn2.layer_norm", "final_layer_norm")}
        linears |= {f"{name}.self_attn.linear_{part}": (DIM, DIM) for part in ("q", "k", "v", "out")}
        linears |= {f"{name}.ffn{part}.w_1": (FFN, DIM) for part in (1, 2)}
        linears |= {f"{name}.ffn{part}.w_2": (DIM, FFN) for part in (1, 2)}
        found |= {f"{name}.self_attn.pos_bias_{part}": (HEADS, DIM // HEADS) for part in "uv"}
        found |= {f"{name}.conv_module.batch_norm.running_{part}": (DIM,) for part in ("mean", "var")}
        found |= {
            f"{name}.self_attn.linear_pos.weight": (DIM, DIM),
            f"{name}.conv_module.pointwise_conv1.weight": (2 * DIM, DIM, 1),
            f"{name}.conv_module.depthwise_conv.weight": (DIM, 1, KERNEL),
            f"{name}.conv_module.pointwise_conv2.weight": (DIM, DIM, 1),
        }
    for name, width in norms.items():
        found |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name, shape in linears.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found


def weight(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """One that matters: large enough to be seen in the output, also a bias or a norm's scale."""
    values = rng.standard_normal(shape)
    if name.endswith("running_var"):
        values = 1.0 + 0.2 * np.tanh(values)
    elif len(shape) > 1:
        values /= np.sqrt(np.prod(shape[1:]))
    else:
        values = 0.2 * values + (1.0 if name.endswith(("norm.weight", ".2.weight")) else 0.0)
    return torch.from_numpy(values.astype(np.float32))


def given(rng: np.random.Generator) -> reference.Numbers:
    """Millivolts, and everything that is drawn."""
    mask = np.zeros((RECORDS, FRAMES), bool)
    for row in mask:
        row[rng.permutation(FRAMES)[:MASKED]] = True
    return {
        "source": torch.from_numpy(rng.standard_normal((RECORDS, LEADS, SAMPLES)).astype(np.float32).round(2)),
        "mask_indices": torch.from_numpy(mask),
        "neg_randint": torch.from_numpy(rng.integers(0, MASKED - 1, (RECORDS, MASKED * NEGATIVES))),
        "gumbel": torch.from_numpy(rng.gumbel(size=(RECORDS * MASKED, CODES)).astype(np.float32)),
    }


def arrays(numbers: reference.Numbers) -> dict[str, np.ndarray]:
    """Arrays to keep, those of floats in float32."""
    found = {name: value.detach().numpy() for name, value in numbers.items()}
    single = {name for name, value in found.items() if value.ndim and value.dtype == np.float64}
    return {name: value.astype(np.float32) if name in single else value for name, value in found.items()}


def make(folder: Path) -> None:
    """Write the checkpoints and their numbers."""
    rng = np.random.default_rng(SEED)
    state = {name: weight(rng, name, shape) for name, shape in shapes().items()}
    for number in range(LAYERS):
        state[f"encoder.layers.{number}.conv_module.batch_norm.num_batches_tracked"] = torch.tensor(0)
    drawn = given(rng)
    torch.save({"cfg": SETTINGS, "model": state}, folder / "proj_pretrain.pt")
    numbers = drawn | reference.encoder(reference.double(state), drawn["source"].double())
    for mode in ("eval", "train"):
        found = reference.pretraining(reference.double(state), drawn, train=mode == "train")
        if mode == "eval":
            del found["bn0_running_mean_after"]
        numbers |= {f"{mode}_{name}": value for name, value in found.items()}
    norms = reference.gradient_norms(reference.double(state, learn=True), drawn)
    gradients = {"train_grad_names": np.array(list(norms)), "train_grad_norms": np.array(list(norms.values()))}
    np.savez_compressed(folder / "proj_pretrain.npz", **arrays(numbers), **gradients)

    heads = ("mask_emb", "quantizer.", "project_q.", "final_proj.", "mlm_proj.")
    state = {f"encoder.{name}": value for name, value in state.items() if not name.startswith(heads)}
    state |= {"proj.weight": weight(rng, "", (LABELS, DIM)), "proj.bias": weight(rng, "", (LABELS,))}
    torch.save({"cfg": SETTINGS, "model": state}, folder / "proj_finetune.pt")
    numbers = {"source": drawn["source"], "label": torch.from_numpy(rng.random((RECORDS, LABELS)) < 0.5)}
    numbers |= reference.finetuned(reference.double(state), drawn["source"].double())
    margin = torch.where(numbers["label"], 1.0, -1.0) * numbers["logits"]
    numbers["loss_sum"] = torch.log1p(torch.exp(-margin)).sum()
    np.savez_compressed(folder / "proj_finetune.npz", **arrays(numbers))


if __name__ == "__main__":
    make(Path(__file__).parent)
