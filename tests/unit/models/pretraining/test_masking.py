"""Which frames are hidden and compared: the published shares, spans, and every record's own."""

import pytest
import torch

from ecglfm.config import MaskConfig
from ecglfm.models.pretraining.masking import (
    draw_negatives,
    draw_spans,
    masked_positions,
    most_hidden,
    rounding_of,
    trim_spans,
)
from ecglfm.models.pretraining.random import record_keys


def span_mask(batch, frames, config, seed, lengths=None):
    """Mask of a batch that is an update by itself."""
    keys = record_keys(seed, 0, batch)
    lengths = torch.full((batch,), frames) if lengths is None else torch.tensor(lengths)
    spans = draw_spans(keys, lengths, frames, config, rounding=rounding_of(seed))
    return trim_spans(keys, spans, most_hidden(spans, lengths))


def test_span_masks_hide_the_published_share():
    # 38.6 % on average at 32 records of 156 frames, by running the original.
    shares = []
    for seed in range(400):
        mask = span_mask(32, 156, MaskConfig(), seed)
        counts = mask.sum(dim=1)
        assert (counts == counts[0]).all()
        shares.append(counts[0].item() / 156)
    assert sum(shares) / len(shares) == pytest.approx(0.386, abs=0.005)  # 3 standard errors


def test_span_masks_are_spans():
    # One record is not trimmed: every run is at least a span long, and a union of 10 or 11 spans.
    for seed in range(20):
        mask = span_mask(1, 156, MaskConfig(), seed)[0].tolist()
        runs = [len(run) for run in "".join("x" if hidden else " " for hidden in mask).split()]
        assert min(runs) >= 10
        assert sum(runs) <= 110


def test_a_short_record_gets_the_least_number_of_spans():
    # 0.65 x 25 / 10 = 1.6 spans, but two at least: two different starts hide at least 11 frames.
    counts = [int(span_mask(1, 25, MaskConfig(min_spans=2), seed).sum()) for seed in range(50)]
    assert 11 <= min(counts) <= max(counts) <= 20
    assert 10 in [int(span_mask(1, 25, MaskConfig(min_spans=1), seed).sum()) for seed in range(50)]


def test_every_frame_can_be_hidden():
    hidden = sum(span_mask(32, 40, MaskConfig(), seed).sum(dim=0) for seed in range(20))
    assert (hidden > 0).all()


def test_only_real_frames_are_hidden():
    real = torch.arange(156) < torch.tensor([156, 40, 7, 3])[:, None]
    for seed in range(20):
        mask = span_mask(4, 156, MaskConfig(), seed, [156, 40, 7, 3])
        assert not (mask & ~real).any()
        assert (mask.sum(dim=1) == mask[0].sum()).all()
        assert 2 <= mask[0].sum() < 3  # the shortest record keeps a frame to see
    with pytest.raises(ValueError, match="2 real frames"):
        span_mask(2, 156, MaskConfig(), 0, [156, 2])


def test_a_records_spans_are_its_own():
    # Whatever records share the batch, and however wide it is.
    everyone = record_keys(5, 0, 8)
    whole = draw_spans(everyone, torch.tensor([156, 40] * 4), 156, MaskConfig(), rounding=0.3)
    some = draw_spans(record_keys(5, 3, 2), torch.tensor([40, 156]), 200, MaskConfig(), rounding=0.3)
    assert torch.equal(some[:, :156], whole[3:5])
    assert not some[:, 156:].any()
    trimmed = trim_spans(everyone, whole, 5)
    assert torch.equal(trim_spans(everyone[3:5], whole[3:5], 5), trimmed[3:5])
    assert (trimmed & ~whole).sum() == 0
    assert trimmed.sum(dim=1).tolist() == [5] * 8


def test_places_of_a_mask():
    mask = torch.tensor([[False, True, True, False], [True, False, False, True]])
    assert masked_positions(mask, 2).tolist() == [1, 2, 4, 7]


def test_negatives_are_other_frames():
    negatives = draw_negatives(record_keys(0, 0, 3), 5, 4000)
    own = torch.arange(5)[None, :, None]
    assert (negatives != own).all()
    share = torch.stack([(negatives == place).float().mean(dim=(0, 2)) for place in range(5)])
    assert torch.allclose(share + torch.eye(5) / 4, torch.full((5, 5), 0.25), atol=0.02)
    with pytest.raises(ValueError, match="1 frames of each record are hidden; comparing needs 2"):
        draw_negatives(record_keys(0, 0, 3), 1, 10)
