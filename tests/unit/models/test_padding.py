"""Padding is exact: beside a longer record, a recording gives the frames, vectors, losses and gradients it gives alone.

That is a statement about arithmetic, so it is held in float64, where what leaks would stand far above rounding, and
once more in float32. Both bounds are what rounding makes of the longest sum, over a minute of samples: its terms are
added in another order where the record is padded, and n roundings in random directions add up to sqrt(n) of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from ecglfm.config import LEADS, ConformerConfig, ModelConfig, PreprocessConfig, PretrainConfig
from ecglfm.data.samples.dataset import Signals
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.layers.normalization import MaskedBatchNorm
from ecglfm.models.pretraining.masked_codes import MaskedCodes, Noise
from ecglfm.models.pretraining.quantizer import perplexity
from ecglfm.training.inference import predict
from tests.unit.architectures import architecture

SIZES = {"layers": 2, "dim": 16, "ffn_dim": 16, "heads": 2, "conv_channels": 8, "dropout": 0.0}
WAV2VEC2 = {"kind": "wav2vec2", "positional_kernel": 8, "positional_groups": 4}
KINDS = {
    f"conformer-{norm}": {"norm": norm, "kernel": 7}
    for norm in get_args(ConformerConfig.model_fields["norm"].annotation)
}
KINDS |= {
    "wav2vec2": WAV2VEC2,
    "wav2vec2-standardize": WAV2VEC2 | {"standardize": True},
    "wav2vec2-norm_first": WAV2VEC2 | {"norm_first": True},
    "overlapping-convolutions": {"kernel": 7, "conv_layers": [(10, 5), (3, 2), (3, 2)]},
}
OF_ATTENTION = ("ffn_dim", "heads", "conv_channels")
S4 = {"kind": "s4", "state": 4, "kernel_frames": 99, "conv_layers": [(5, 4), (3, 4)]}
KINDS |= {"s4": S4, "s4-bidirectional": S4 | {"bidirectional": True}}
# 100 Hz instead of 500: a minute is 375 frames, every second costs milliseconds, and 100 samples are no whole frames.
RATE, LONGEST = 100, 6000
SECONDS = range(1, 61)
DTYPES = [torch.float64, torch.float32]


def bound(dtype: torch.dtype) -> float:
    """Of the largest value: 1.7e-14 in float64, 9.2e-6 in float32."""
    return torch.finfo(dtype).eps * LONGEST**0.5


def shape(name: str) -> ModelConfig:
    keys = SIZES | KINDS[name]
    return architecture(
        **{key: value for key, value in keys.items() if keys.get("kind") != "s4" or key not in OF_ATTENTION}
    )


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> ModelConfig:
    return shape(request.param)


def build(
    model: ModelConfig, rate: int = RATE, crop_seconds: float = 60.0, *, dtype: torch.dtype = torch.float32
) -> ECGEncoder:
    torch.manual_seed(0)
    encoder = ECGEncoder(model, LEADS, rate, PreprocessConfig(), crop_seconds)
    for module in encoder.modules():  # running statistics that are not the identity
        if isinstance(module, MaskedBatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    return encoder.eval().to(dtype)


def pad(lengths: list[int], longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Recordings, with large values where they are over, and the mask of their samples."""
    x = torch.randn(len(lengths), len(LEADS), longest, generator=torch.Generator().manual_seed(len(lengths)))
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return torch.where(mask[:, None], x, 1e4 * x), mask


def assert_same(found: torch.Tensor, alone: torch.Tensor) -> None:
    assert found.shape == alone.shape
    assert float((found - alone).abs().max()) <= bound(alone.dtype) * float(alone.abs().max())


def assert_padding_is_exact(encoder: ECGEncoder, lengths: list[int]) -> None:
    """Frames and pooled vector."""
    x, mask = pad(lengths, max(lengths))
    x = x.to(next(encoder.parameters()).dtype)
    with torch.inference_mode():
        frames_btd, pooled_bd = encoder(x, mask), encoder.embed(x, mask)
        for row, length in enumerate(lengths):
            alone = x[row : row + 1, :, :length]
            frames = encoder.frontend.frames(length)
            assert_same(frames_btd[row, :frames], encoder(alone)[0])
            assert not frames_btd[row, frames:].any()
            assert_same(pooled_bd[row], encoder.embed(alone)[0])


@pytest.mark.slow
def test_every_length_from_a_second_to_a_minute(model: ModelConfig) -> None:
    assert_padding_is_exact(build(model, dtype=torch.float64), [second * RATE for second in SECONDS])


@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths_between_frames_at_500_hz(model: ModelConfig, dtype: torch.dtype) -> None:
    encoder = build(model, rate=500, dtype=dtype)
    one_frame = 16 if encoder.frontend.frames(16) else 50
    assert_padding_is_exact(encoder, [one_frame, 501, 513, 777, 2499, 2500])  # 501: 1.001 s


@pytest.mark.parametrize("mode", ["full", "frozen"])  # mean over frames, attention pooling
def test_logits(model: ModelConfig, mode: str) -> None:
    classifier = ECGModel(build(model), ["a", "b", "c"], mode).eval().double()
    if classifier.pooling is not None:
        torch.nn.init.normal_(classifier.pooling.query)
    lengths = [100, 777, 1501]
    x, mask = pad(lengths, 1501)
    x = x.double()
    with torch.inference_mode():
        found = classifier(x, mask)
        for row, length in enumerate(lengths):
            assert_same(found[row], classifier(x[row : row + 1, :, :length])[0])


def test_what_the_padding_holds_does_not_matter(model: ModelConfig) -> None:
    encoder = build(model)
    x, mask = pad([100, 501, 600], 600)
    with torch.inference_mode():
        found = encoder(x, mask)
        for junk in (0.0, -3e30, torch.nan):
            assert torch.equal(encoder(torch.where(mask[:, None], x, junk), mask), found)


def objective_of(model: ModelConfig, dtype: torch.dtype = torch.float64) -> MaskedCodes:
    encoder = build(model)
    config = PretrainConfig(
        steps=1,
        quantizer={"codes": 8, "code_dim": 12, "final_dim": 10},
        objective={"cmsc": {"weight": 0.0}, "contrastive": {"negatives": 10}},
    )
    return MaskedCodes(encoder, config).to(dtype)


def draw(objective: MaskedCodes, lengths: list[int], *, training: bool) -> Noise:
    """Half the frames of the shortest record hidden in each, anywhere; negatives; Gumbel noise in training."""
    generator = torch.Generator().manual_seed(sum(lengths))
    frames = torch.tensor([objective.encoder.frontend.frames(length) for length in lengths])
    batch, masked = len(lengths), int(frames.min()) // 2
    order_bt = torch.rand(batch, int(frames.max()), generator=generator)
    order_bt[torch.arange(order_bt.shape[1]) >= frames[:, None]] = 2.0
    mask_bt = order_bt.argsort(dim=1).argsort(dim=1) < masked
    others_bmk = torch.randint(masked - 1, (batch, masked, 10), generator=generator)
    negatives_bmk = others_bmk + (others_bmk >= torch.arange(masked)[:, None])
    uniform_sv = torch.rand(batch * masked, 8, generator=generator)
    return Noise(mask_bt, negatives_bmk, -(-uniform_sv.log()).log() if training else None)


def longer(noise: Noise, frames: int) -> Noise:
    """The same noise for a batch of more frames."""
    return noise._replace(mask_bt=torch.nn.functional.pad(noise.mask_bt, (0, frames - noise.mask_bt.shape[1])))


def run(objective: MaskedCodes, x: torch.Tensor, noise: Noise, mask: torch.Tensor | None = None) -> dict:
    """Terms, and what the quantizer chose by: `scores`, the noise included."""
    seen: list[torch.Tensor] = []
    hook = objective.quantizer.weight_proj.register_forward_hook(lambda *call: seen.append(call[-1].detach()))
    output = objective(x.to(objective.mask_emb.dtype), step=0, generator_seed=0, noise=noise, mask=mask)
    hook.remove()
    return output | {"scores": seen[0], "choice": seen[0] if noise.gumbel_sv is None else seen[0] + noise.gumbel_sv}


def chose_alike(found: dict, alone: dict) -> bool:
    """Whether every frame has the same code, best and chosen; where one has not, its two best must be a tie.

    A code is the largest of scores, and two that agree to rounding may come in either order: the loss jumps there, on
    one processor and not on another.
    """
    alike = True
    for name in ("scores", "choice"):
        ours, theirs = found[name], alone[name]
        assert_same(ours, theirs)
        best = theirs.argmax(dim=1)
        differs = ours.argmax(dim=1) != best
        top = theirs[differs].topk(2, dim=1).values
        assert ((top[:, 0] - top[:, 1]) <= 2 * bound(theirs.dtype) * theirs.abs().max()).all(), name
        alike &= not bool(differs.any())
    return alike


def assert_same_terms(found: dict, alone: dict) -> None:
    """The loss and every term and measure but CMSC's, which is off; those without codes where these may differ."""
    dtype = alone["scores"].dtype
    names = ["diversity", "feature_penalty", "prob_perplexity"]
    if chose_alike(found, alone):
        names += ["loss", "contrastive", "mlm", "code_perplexity", "contrastive_accuracy", "mlm_accuracy"]
    for name in names:  # diversity is 1 - perplexity/codes: it has the rounding of the 1
        smallest = bound(dtype) if name == "diversity" else 0.0
        assert float(found[name]) == pytest.approx(float(alone[name]), rel=bound(dtype), abs=smallest), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "seconds", "dtype"),
    [(False, SECONDS, torch.float64), (True, SECONDS[::6], torch.float64), (False, SECONDS[::6], torch.float32)],
)
def test_loss_of_every_length_from_a_second_to_a_minute(
    model: ModelConfig, training: bool, seconds: range, dtype: torch.dtype
) -> None:
    # In training BatchNorm takes the statistics of both records, padded or not.
    objective = objective_of(model, dtype).train(training)
    frames = objective.encoder.frontend.frames(LONGEST)
    with torch.no_grad():
        for second in seconds:
            lengths = [second * RATE] * 2
            x, mask = pad(lengths, LONGEST)
            noise = draw(objective, lengths, training=training)
            padded = run(objective, x, longer(noise, frames), mask)
            assert_same_terms(padded, run(objective, x[..., : lengths[0]], noise))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("second", [1, 7, 23])
def test_gradients_and_running_statistics(model: ModelConfig, second: int, dtype: torch.dtype) -> None:
    gradients, buffers, outputs = [], [], []
    lengths = [second * RATE + 1] * 2
    x, mask = pad(lengths, 3000)
    for padded in (True, False):
        objective = objective_of(model, dtype).train()
        noise = draw(objective, lengths, training=True)
        if padded:
            junk = torch.where(mask[:, None], x, torch.nan)  # times a gradient of zero it would still be NaN
            output = run(objective, junk, longer(noise, objective.encoder.frontend.frames(3000)), mask)
        else:
            output = run(objective, x[..., : lengths[0]], noise)
        output["loss"].backward()
        gradients.append({name: parameter.grad for name, parameter in objective.named_parameters()})
        buffers.append(dict(objective.named_buffers()))
        outputs.append(output)
    for name, alone in buffers[1].items():
        assert_same(buffers[0][name].to(dtype), alone.to(dtype))
    if not chose_alike(*outputs):
        return
    largest = max(float(gradient.norm()) for gradient in gradients[1].values())
    for name, alone in gradients[1].items():  # some are zero in exact arithmetic, hence the floor
        error = float((gradients[0][name] - alone).norm())
        assert error <= bound(dtype) * max(float(alone.norm()), largest), name


def test_loss_of_records_of_several_lengths(model: ModelConfig) -> None:
    """Means over a record's masked or real frames, and those over records; perplexity of the mean choice of all."""
    objective = objective_of(model).eval()
    lengths = [6000, 100, 777, 3001]
    x, mask = pad(lengths, LONGEST)
    x = x.double()
    noise = draw(objective, lengths, training=False)
    frames = [objective.encoder.frontend.frames(length) for length in lengths]
    alone, usage = [], []
    with torch.no_grad():
        found = run(objective, x, noise, mask)
        for row, length in enumerate(lengths):
            mask_bt = noise.mask_bt[[row, row], : frames[row]]
            twice = x[[row, row], :, :length]  # recordings come in pairs
            alone.append(run(objective, twice, Noise(mask_bt, noise.negatives_bmk[[row, row]], None)))
            hidden_sc = objective.encoder.features(twice).normed_btc[mask_bt]
            usage.append(objective.quantizer.weight_proj(hidden_sc).softmax(dim=1).mean(dim=0))

    def mean(name: str) -> float:
        return float(np.mean([float(terms[name]) for terms in alone]))

    for name in ("contrastive", "mlm", "contrastive_accuracy", "mlm_accuracy", "feature_penalty"):
        assert float(found[name]) == pytest.approx(mean(name), rel=bound(torch.float64)), name
    diversity = (8 - float(perplexity(torch.stack(usage).mean(dim=0)))) / 8
    assert float(found["diversity"]) == pytest.approx(diversity, rel=bound(torch.float64))
    expected = mean("contrastive") + mean("mlm") + 0.1 * diversity + 10 * mean("feature_penalty")
    assert float(found["loss"]) == pytest.approx(expected, rel=bound(torch.float64))


@pytest.mark.parametrize(("kind", "crop_seconds"), [("conformer-batch", 60.0), ("wav2vec2-standardize", 5.0)])
def test_prediction_of_records_of_every_length(kind: str, crop_seconds: float, tmp_path: Path) -> None:
    # 60 s: every record is one window, padded; 5 s: the first four are, the others have several windows.
    encoder = build(shape(kind), crop_seconds=crop_seconds)
    classifier = ECGModel(encoder, ["a", "b"], "full").eval()
    n_samples = np.array([second * RATE + second % 3 for second in SECONDS])
    samples = np.random.default_rng(0).integers(-2000, 2000, (n_samples.sum(), len(LEADS)), dtype=np.int16)
    (tmp_path / "s").mkdir()
    np.save(tmp_path / "s" / "000.npy", samples)
    offset = np.cumsum(n_samples) - n_samples
    records = pd.DataFrame({"source": "s", "shard": 0, "n_samples": n_samples, "offset": offset})
    found = predict(classifier, Signals(records, tmp_path), batch_size=13)

    crop = classifier.encoder.crop_samples
    for row, (first, length) in enumerate(zip(offset, n_samples, strict=True)):
        signal = torch.from_numpy(samples[first : first + length].T / np.float32(1000))
        windows = [signal[:, :crop]] if length < crop else list(signal[:, : length // crop * crop].split(crop, dim=1))
        with torch.inference_mode():
            alone = classifier(torch.stack(windows)).sigmoid().mean(dim=0)
        np.testing.assert_allclose(found[row], alone.numpy(), rtol=bound(torch.float32))
