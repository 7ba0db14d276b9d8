"""What objectives that hide patches have in common: places, a transformer that predicts, and what is watched.

A record hides a fixed share of its patches; what is said of the hidden ones is the mean over those of each record, and
then over records: each counts as one, however long it is.

Shapes: b batch, t frames, v seen patches, h hidden ones, d encoder width, w predictor's width, o width of a prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ecglfm import distributed
from ecglfm.config import HiddenConfig, PredictorConfig, PretrainConfig, UserError, VitConfig
from ecglfm.models.encoders import PatchEncoder, TransformerLayer, attention_bias, grid_positions
from ecglfm.models.layers import at_least_float32, mean_over_ranks
from ecglfm.models.pretraining.blocks import Places, draw_places
from ecglfm.models.pretraining.objective import Objective
from ecglfm.models.pretraining.random import record_keys


class Predictor(nn.Module):
    """A transformer on the frames that are seen, and on one learnt token for each that is hidden, told its place.

    Parameters
    ----------
    encoder : PatchEncoder
        Whose frames it gets.
    sizes : PredictorConfig
    out : int
        Width of what is predicted.
    """

    def __init__(self, encoder: PatchEncoder, sizes: PredictorConfig, out: int) -> None:
        super().__init__()
        self.dim = sizes.dim or encoder.dim // 2
        config = VitConfig(kind="vit", dim=self.dim, layers=sizes.layers, heads=sizes.heads, ffn_dim=4 * self.dim,
                           dropout=0.0)  # fmt: skip
        self.enter = nn.Linear(encoder.dim, self.dim)
        self.token = nn.Parameter(0.02 * torch.randn(self.dim))
        layers = [TransformerLayer(config) for _ in range(sizes.layers)]
        leave = nn.Linear(self.dim, out)
        for module in (part for whole in (self.enter, *layers, leave) for part in whole.modules()):
            if isinstance(module, nn.Linear):  # as MAE's: with less, so narrow a one attends to all alike for long
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        self.layers = nn.ModuleList(layers)  # drawn for good: here they leave for the device
        self.norm = nn.LayerNorm(self.dim)
        self.leave = leave

    def forward(self, x_bvd: Tensor, places: Places, grid: tuple[int, int]) -> Tensor:
        """What the patches at `places.hidden_bh` are, (batch, hidden, out); finite where they are not real."""
        x_bvw = self.enter(x_bvd)
        positions_tw = grid_positions(*grid, self.dim, joined=grid[0] == 1, like=x_bvw).flatten(0, 1)
        hidden_bhw = (self.token + positions_tw[places.hidden_bh]).to(x_bvw.dtype)
        x = torch.cat([x_bvw + positions_tw[places.seen_bv], hidden_bhw], dim=1)
        bias = None
        if places.real_seen_bv is not None and places.real_hidden_bh is not None:
            real_bt = torch.cat([places.real_seen_bv, places.real_hidden_bh], dim=1)
            bias = attention_bias(real_bt, x)[:, None, None]
        for layer in self.layers:
            x = layer(x, bias)
        return self.leave(self.norm(x[:, -places.hidden_bh.shape[1] :]))


class PatchObjective(Objective[PatchEncoder]):
    """An objective whose noise is `Places`.

    Parameters
    ----------
    encoder : PatchEncoder
        Wrapped, not copied.
    config : PretrainConfig
    hidden : HiddenConfig

    Raises
    ------
    UserError
        The encoder has no such patches, or crops have too few of them.
    """

    def __init__(self, encoder: PatchEncoder, config: PretrainConfig, hidden: HiddenConfig) -> None:
        super().__init__(encoder, config)
        self.hidden = hidden
        shortest = config.crop_seconds if config.min_seconds is None else config.min_seconds
        lines, patches = encoder.grid(round(shortest * encoder.sampling_rate))
        if patches * (1 if hidden.leads is None else lines) < 2:
            raise UserError(
                f"pretrain.min_seconds (or crop_seconds): {shortest:g} s have {patches} patches; hiding needs 2:"
                " raise it, or give a shorter model.patch"
            )

    def prepare(self, batches: Sequence[Mapping[str, Tensor]], seed: int) -> list[Places]:
        """Patches of each forward's records, each record's own, by its place in the update."""
        prepared = []
        for forward, batch in enumerate(batches):
            records, samples = batch["signal"].shape[:2]
            keys_b = record_keys(seed, (forward * distributed.world_size() + distributed.rank()) * records, records)
            grid = self.encoder.grid(samples)
            real_b = torch.full((records,), grid[1])
            if "valid" in batch:
                real_b = torch.tensor([self.encoder.grid(valid)[1] for valid in batch["valid"].tolist()])
            places = draw_places(keys_b, real_b, grid, self.hidden)
            prepared.append(places.each(Tensor.pin_memory) if self._device.type == "cuda" else places)
        return prepared

    def draw(self, batches: Sequence[Mapping[str, Tensor]], seed: int, prepared: list[Places]) -> Iterator[Places]:
        """The same where the model lies; see `Objective.draw`."""
        for places in prepared:
            yield places.each(lambda part: part.to(self._device, non_blocking=True))

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device


def at(x_bto: Tensor, places_bh: Tensor) -> Tensor:
    """Rows at the places of each record, (batch, hidden, out)."""
    return x_bto.gather(1, places_bh[..., None].expand(-1, -1, x_bto.shape[2]))


def mean_of_places(x_bh: Tensor, real_bh: Tensor | None) -> Tensor:
    """Mean over the hidden patches of each record, and that over records."""
    if real_bh is None:
        return x_bh.mean()
    return ((x_bh * real_bh).sum(dim=1) / real_bh.sum(dim=1)).mean()


@torch.no_grad()
def explained(predicted_bho: Tensor, target_bho: Tensor, real_bh: Tensor | None) -> Tensor:
    """Share of the targets' variance about their mean that is predicted, in all ranks' batches: 1 all, 0 none of it.

    Less than 0: the mean itself, (out,), would be a better prediction.
    """
    predicted, target = at_least_float32(predicted_bho), at_least_float32(target_bho)
    weight_bh1 = torch.ones_like(target[..., :1]) if real_bh is None else real_bh[..., None].to(target)
    sums = [(x * weight_bh1).sum((0, 1)) for x in (target, target.square(), (predicted - target).square())]
    count, first_o, second_o, error_o = mean_over_ranks(torch.stack([weight_bh1.sum().expand(target.shape[2]), *sums]))
    variance = (second_o - first_o.square() / count).sum()
    return 1 - error_o.sum() / variance.clamp(min=1e-30)


@torch.no_grad()
def embedding_spread(vectors_bd: Tensor) -> Tensor:
    """Share of the embeddings' mean square that differs from record to record, in all ranks' batches: 0 to 1."""
    x_bd = vectors_bd.double()  # what differs may be a millionth of what does not
    moments = mean_over_ranks(torch.stack([x_bd.mean(0), x_bd.square().mean(0)]))
    return (1 - moments[0].square().sum() / moments[1].sum().clamp(min=1e-30)).clamp(min=0).to(torch.float32)
