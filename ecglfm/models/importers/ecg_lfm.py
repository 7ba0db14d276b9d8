"""Checkpoints of the original ECG-LFM (a fairseq-signals fork): pretrained, and fine-tuned classifiers.

Sizes are read from the weights' shapes: a fine-tuned checkpoint's settings repeat defaults that are not those of its
encoder. Settings give what no shape tells: strides, dropout, contrastive layer, temperatures.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from ecglfm.config import LEADS, ModelConfig, PreprocessConfig, PretrainConfig, UserError, parse
from ecglfm.models.blank import blank
from ecglfm.models.encoder import ECGEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers.checkpoint import Checkpoint
from ecglfm.models.importers.layout import Imported, take
from ecglfm.models.objective import PretrainingObjective

#: Our names of weights, and the original's; the rest are the same in both.
_NAMES = (
    (re.compile(r"^frontend\.convs\.(\d+)\."), r"feature_extractor.conv_layers.\1.0."),
    (re.compile(r"^frontend\.group_norm\."), "feature_extractor.conv_layers.0.2."),
    (re.compile(r"^frontend\.layer_norm\."), "layer_norm."),
    (re.compile(r"^frontend\.project\."), "post_extract_proj."),
    (re.compile(r"^conformer\.(layers\.\d+\.conv_module)\.norm\."), r"encoder.\1.batch_norm."),
    (re.compile(r"^conformer\.layers\."), "encoder.layers."),
)
#: Weights that the original has and never uses: positional convolutions, and a LayerNorm after the last layer.
DEAD = ("encoder.pos_conv.", "encoder.layer_norm.", "conv_pos.")
#: What it was trained on, where its settings do not say otherwise.
_SAMPLING_RATE, _CROP_SECONDS = 500, 5.0
_CONV_LAYERS = "[(256, 2, 2)] * 4"


def recognises(checkpoint: Checkpoint) -> bool:
    """Whether the weights have the names of its Conformer's relative-position attention."""
    return any(name.endswith("encoder.layers.0.self_attn.linear_pos.weight") for name in checkpoint.state)


def original_name(name: str) -> str:
    """Name in an original pretrained checkpoint of a weight of `PretrainingObjective`."""
    if not name.startswith("encoder."):
        return name
    name = name.removeprefix("encoder.")
    for pattern, replacement in _NAMES:
        name, found = pattern.subn(replacement, name)
        if found:
            break
    return name


def convert(checkpoint: Checkpoint) -> Imported:
    """Read architecture and weights.

    Raises
    ------
    UserError
        A weight is missing, unknown or has another shape; or the settings ask for what we do not have.
    """
    finetuned = "proj.weight" in checkpoint.state
    prefix = "encoder." if finetuned else ""
    layout = Layout(checkpoint, prefix)
    model, leads, rate = layout.model(), layout.leads(), int(layout.setting("task", "sample_rate") or _SAMPLING_RATE)
    pretrain = {} if finetuned else layout.pretrain()
    with blank():
        section = parse(ModelConfig, model, f"{checkpoint.path}: architecture")
        encoder = ECGEncoder(section, leads, rate, PreprocessConfig(), _CROP_SECONDS)
        if finetuned:
            labels = layout.shape("proj.weight", within="")[0]
            whole: nn.Module = ECGModel(encoder, [f"label_{index}" for index in range(labels)], "full")
        else:
            config = parse(PretrainConfig, {"steps": 1, **pretrain}, f"{checkpoint.path}: objective")
            whole = PretrainingObjective(encoder, config)
    weights, dropped = take(
        checkpoint,
        whole.state_dict(),
        lambda name: name.replace("head.", "proj.") if name.startswith("head.") else prefix + original_name(name),
        tuple(prefix + name for name in DEAD),
        reshape=lambda name, value: value.squeeze(0) if name == "quantizer.vars" else value,  # one group
    )
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "head": {}, "objective": {}}
    for name, value in weights.items():
        part, _, rest = name.partition(".")
        parts[part if part in parts else "objective"][rest if part in parts else name] = value
    return Imported(
        origin="ECG-LFM, fine-tuned" if finetuned else "ECG-LFM, pretrained",
        model=model,
        leads=leads,
        sampling_rate=rate,
        crop_seconds=_CROP_SECONDS,
        **parts,
        pretrain=pretrain,
        dropped=dropped,
        unverified=layout.doubts(),
    )


class Layout:
    """Sizes and settings of one checkpoint; weights of the encoder are below `prefix`."""

    def __init__(self, checkpoint: Checkpoint, prefix: str) -> None:
        self.checkpoint, self.prefix = checkpoint, prefix

    def shape(self, name: str, *, within: str | None = None) -> torch.Size:
        """Shape of a weight of the encoder."""
        name = (self.prefix if within is None else within) + name
        if name not in self.checkpoint.state:
            raise UserError(f"{self.checkpoint.path}: weight {name!r} is missing")
        return self.checkpoint.state[name].shape

    def setting(self, section: str, key: str, default: Any = None) -> Any:
        """One of its settings; older checkpoints have them in one flat list."""
        settings = self.checkpoint.config.get(section, self.checkpoint.config)
        value = settings.get(key) if isinstance(settings, dict) else None
        return default if value is None else value

    def model(self) -> dict[str, Any]:
        """Section `model` of an encoder YAML."""
        layer = "encoder.layers.0."
        heads, width = self.shape(f"{layer}self_attn.pos_bias_u")
        return {
            "kind": "conformer",
            "layers": self.count(r"encoder\.layers\.(\d+)\."),
            "dim": heads * width,
            "ffn_dim": self.shape(f"{layer}ffn1.w_1.weight")[0],
            "heads": heads,
            "kernel": self.shape(f"{layer}conv_module.depthwise_conv.weight")[2],
            "conv_channels": self.shape("feature_extractor.conv_layers.0.0.weight")[0],
            "conv_layers": self.conv_layers(),
            "dropout": float(self.setting("model", "dropout", 0.0)),
        }

    def count(self, pattern: str) -> int:
        """How many modules of a list there are; the pattern's group is their number."""
        found = (re.match(re.escape(self.prefix) + pattern, name) for name in self.checkpoint.state)
        return 1 + max(int(match[1]) for match in found if match)

    def conv_layers(self) -> list[list[int]]:
        """Kernel and stride of each convolution: kernels from the weights, strides from the settings."""
        text = str(self.setting("model", "conv_feature_layers", _CONV_LAYERS))
        said = parse_conv_layers(text)
        count = max(len(said), self.count(r"feature_extractor\.conv_layers\.(\d+)\."))
        kernels = [self.shape(f"feature_extractor.conv_layers.{index}.0.weight")[2] for index in range(count)]
        if [kernel for kernel, _ in said] != kernels:
            raise UserError(
                f"{self.checkpoint.path}: its convolutions have kernels {kernels}, but its settings say {text!r}"
            )
        return [list(pair) for pair in said]

    def leads(self) -> list[str]:
        """Names of the input's leads; the original knows them by position."""
        count = self.shape("feature_extractor.conv_layers.0.0.weight")[1]
        chosen = re.findall(r"\d+", str(self.setting("task", "leads_to_load", ""))) or range(len(LEADS))
        leads = [LEADS[int(index)] for index in chosen if int(index) < len(LEADS)]
        if len(leads) != count:
            raise UserError(f"{self.checkpoint.path}: reads {count} leads, but its settings name {leads}")
        return leads

    def pretrain(self) -> dict[str, Any]:
        """Keys of `pretrain` that its weights and settings give."""
        _, codes, code_dim = self.shape("quantizer.vars")
        final_dim, joined = self.shape("project_q.weight")
        if joined != code_dim:
            raise UserError(f"{self.checkpoint.path}: its codebook has {joined // code_dim} groups; only one is known")
        diversity, penalty = self.setting("criterion", "loss_weights", [0.1, 10.0])
        return {
            "mask": {
                "probability": self.setting("model", "mask_prob", 0.65),
                "length": self.setting("model", "mask_length", 10),
            },
            "quantizer": {
                "codes": codes,
                "code_dim": code_dim,
                "final_dim": final_dim,
                "temperature": self.setting("model", "latent_temp", [2.0, 0.1, 0.999995]),
            },
            "objective": {
                "contrastive": {
                    "weight": self.setting("criterion", "w2v2_loss_weight", 1.0),
                    "temperature": self.setting("model", "logit_temp", 0.1),
                    "negatives": self.setting("model", "num_negatives", 100),
                    "layer": self.setting("model", "w2v2_encoder_layers", 6),
                },
                "mlm": {"weight": self.setting("criterion", "mlm_loss_weight", 1.0)},
                "diversity": {"weight": diversity},
                "feature_penalty": {"weight": penalty},
                "cmsc": {"temperature": self.setting("criterion", "temp", 0.1), "pool": "frontend"},
            },
        }

    def doubts(self) -> str:
        """Settings that change the input and that we do not follow."""
        found = [key for key in ("normalize", "filter") if self.setting("task", key) or self.setting("model", key)]
        return f"trained on signals with {' and '.join(found)}, which ours are without" if found else ""


def parse_conv_layers(text: str) -> list[tuple[int, int]]:
    """Kernel and stride of each convolution out of fairseq's notation, e.g. `[(256, 2, 2)] * 4 + [(256, 3, 1)]`.

    Raises
    ------
    UserError
        The text is not a sum of such lists.
    """
    layers: list[tuple[int, int]] = []
    for term in text.replace(" ", "").split("+"):
        match = re.fullmatch(r"\[((?:\(\d+,\d+,\d+\),?)+)\](?:\*(\d{1,2}))?", term)
        if not match:
            raise UserError(f"conv_feature_layers {text!r} is not a sum of lists such as [(256, 2, 2)] * 4")
        triples = re.findall(r"\((\d+),(\d+),(\d+)\)", match[1])
        layers += [(int(kernel), int(stride)) for _, kernel, stride in triples] * int(match[2] or 1)
    return layers
