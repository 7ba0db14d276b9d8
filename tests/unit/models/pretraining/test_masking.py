"""Which frames are hidden and compared: the published shares, spans, and every record's own."""

import pytest
import torch

from ecglfm.config import MaskConfig
from ecglfm.models.pretraining.masking import (
    _rank,
    draw_negatives,
    draw_spans,
    hidden_frames,
    hidden_of,
    masked_positions,
    rounding_of,
    trim_spans,
)
from ecglfm.models.pretraining.random import integers, record_keys, splitmix64, substream, uniform


def spans_of(batch, frames, config, seed, lengths=None):
    """Spans of a batch, before records are brought to their number of frames."""
    lengths = torch.full((batch,), frames) if lengths is None else torch.tensor(lengths)
    return draw_spans(record_keys(seed, 0, batch), lengths, frames, config, rounding=rounding_of(seed))


def span_mask(batch, frames, config, seed, lengths=None):
    """Mask of a batch that is an update by itself."""
    spans = spans_of(batch, frames, config, seed, lengths)
    lengths = torch.full((batch,), frames) if lengths is None else torch.tensor(lengths)
    return trim_spans(record_keys(seed, 0, batch), spans, lengths, hidden_of(lengths, frames, config))


def test_spans_hide_the_published_share():
    # 38.6 % on average at 32 records of 156 frames, by running the original, which hides what the poorest has.
    shares = [int(spans_of(32, 156, MaskConfig(), seed).sum(dim=1).min()) / 156 for seed in range(400)]
    assert sum(shares) / len(shares) == pytest.approx(0.386, abs=0.005)  # 3 standard errors


def test_each_record_hides_as_many_frames_as_the_poorest_of_the_originals_batch():
    # 56 of 156 is the median of the original's batches of 64 pairs
    poorest = sorted(int(spans_of(128, 156, MaskConfig(), seed).sum(dim=1).min()) for seed in range(1000, 1101))
    assert hidden_frames(156, MaskConfig()) == poorest[50] == 56
    assert hidden_frames(156, MaskConfig(probability=0.3)) < 40  # fewer spans
    assert hidden_frames(3, MaskConfig()) == 2  # one is left to see
    assert hidden_frames(9, MaskConfig(probability=0.01, length=2, min_spans=1)) == 2  # one span
    assert hidden_frames(9, MaskConfig(probability=0.01, length=1, min_spans=1)) == 2  # what is compared needs another
    for batch, seed in [(1, 0), (2, 1), (32, 2), (300, 3)]:  # whoever is beside it
        assert span_mask(batch, 156, MaskConfig(), seed).sum(dim=1).tolist() == [56] * batch


def test_a_shorter_record_hides_its_share():
    lengths = torch.tensor([156, 100, 40, 7, 3])
    assert hidden_of(lengths, 156, MaskConfig()).tolist() == [56, 35, 14, 2, 2]  # 56 / 156 of it, and one is left


def test_span_masks_are_spans():
    # Every run is at least a span long, and a union of 10 or 11 spans.
    for seed in range(20):
        mask = spans_of(1, 156, MaskConfig(), seed)[0].tolist()
        runs = [len(run) for run in "".join("x" if hidden else " " for hidden in mask).split()]
        assert min(runs) >= 10
        assert sum(runs) <= 110


def test_a_short_record_gets_the_least_number_of_spans():
    # 0.65 x 25 / 10 = 1.6 spans, but two at least: two different starts hide at least 11 frames.
    counts = [int(spans_of(1, 25, MaskConfig(min_spans=2), seed).sum()) for seed in range(50)]
    assert 11 <= min(counts) <= max(counts) <= 20
    assert 10 in [int(spans_of(1, 25, MaskConfig(min_spans=1), seed).sum()) for seed in range(50)]


def test_every_frame_can_be_hidden():
    hidden = sum(span_mask(32, 40, MaskConfig(), seed).sum(dim=0) for seed in range(20))
    assert (hidden > 0).all()


def test_only_real_frames_are_hidden():
    real = torch.arange(156) < torch.tensor([156, 40, 7, 3])[:, None]
    for seed in range(20):
        mask = span_mask(4, 156, MaskConfig(), seed, [156, 40, 7, 3])
        assert not (mask & ~real).any()
        assert mask.sum(dim=1).tolist() == [56, 14, 2, 2]
    with pytest.raises(ValueError, match="2 real frames"):
        span_mask(2, 156, MaskConfig(), 0, [156, 2])


def test_a_records_spans_are_its_own():
    # Whatever records share the batch, and however wide it is.
    everyone = record_keys(5, 0, 8)
    whole = draw_spans(everyone, torch.tensor([156, 40] * 4), 156, MaskConfig(), rounding=0.3)
    some = draw_spans(record_keys(5, 3, 2), torch.tensor([40, 156]), 200, MaskConfig(), rounding=0.3)
    assert torch.equal(some[:, :156], whole[3:5])
    assert not some[:, 156:].any()
    lengths, hidden = torch.tensor([156, 40] * 4), torch.full((8,), 5)
    trimmed = trim_spans(everyone, whole, lengths, hidden)
    assert torch.equal(trim_spans(everyone[3:5], whole[3:5], lengths[3:5], hidden[3:5]), trimmed[3:5])
    assert (trimmed & ~whole).sum() == 0
    assert trimmed.sum(dim=1).tolist() == [5] * 8


def test_places_of_a_mask():
    mask = torch.tensor([[False, True, True, False], [True, False, False, True]])
    assert masked_positions(mask, 2).tolist() == [1, 2, 4, 7]
    assert masked_positions(mask, 3).tolist() == [1, 2, 0, 4, 7, 5]  # one place more than a row has


def test_negatives_are_other_frames():
    negatives = draw_negatives(record_keys(0, 0, 3), 5, 4000)
    own = torch.arange(5)[None, :, None]
    assert (negatives != own).all()
    share = torch.stack([(negatives == place).float().mean(dim=(0, 2)) for place in range(5)])
    assert torch.allclose(share + torch.eye(5) / 4, torch.full((5, 5), 0.25), atol=0.02)


def test_negatives_of_a_record_that_hides_less_are_among_those():
    keys = record_keys(0, 0, 3)
    some = draw_negatives(keys, 5, 4000, torch.tensor([5, 3, 2]))
    assert torch.equal(some[0], draw_negatives(keys, 5, 4000)[0])
    assert torch.equal(some[1, :3], draw_negatives(keys[1:2], 5, 4000, torch.tensor([3]))[0, :3])
    assert [sorted(set(places.tolist())) for places in some[1, :3]] == [[1, 2], [0, 2], [0, 1]]
    assert [sorted(set(places.tolist())) for places in some[2, :2]] == [[1], [0]]


def test_spans_of_a_record_number_by_number():
    # The k smallest of the numbers of possible starts begin a span each, counted here in plain Python.
    config, rounding, frames = MaskConfig(probability=0.5, length=4, min_spans=2), 0.7, 24
    keys, lengths = record_keys(11, 0, 6), [24, 20, 13, 9, 4, 3]
    numbers = uniform(substream(keys, 1), frames).tolist()
    expected = []
    for row, length in zip(numbers, lengths, strict=True):
        span = min(4, length - 1)
        starts = range(length - span + 1)
        count = max(2, int(0.5 * length / 4 + 0.7))  # 3, 3, 2, 2, 2, 2
        begun = sorted(starts, key=row.__getitem__)[:count]
        expected.append([any(start <= frame < start + span for start in begun) for frame in range(frames)])
    found = draw_spans(keys, torch.tensor(lengths), frames, config, rounding=rounding)
    assert found.tolist() == expected
    with pytest.raises(
        ValueError, match=r"^a segment has 2 real frames; masking needs 3: leave such short records out$"
    ):
        draw_spans(keys, torch.tensor([24, 20, 2, 9, 4, 3]), frames, config, rounding=rounding)


@pytest.mark.parametrize(("rounding", "frames"), [(0.49, 4), (0.51, 8)])
def test_the_number_of_spans_is_rounded_by_one_number(rounding: float, frames: int):
    # 0.4 x 15 / 4 = 1.5 spans of 4 frames, which no two starts of this key let overlap
    key = record_keys(2, 0, 1)
    config = MaskConfig(probability=0.4, length=4, min_spans=1)
    row = uniform(substream(key, 1), 15)[0, :12]
    first, second = row.argsort()[:2].tolist()
    assert abs(first - second) >= 4
    assert int(draw_spans(key, torch.tensor([15]), 15, config, rounding=rounding).sum()) == frames


def test_an_updates_rounding_is_of_the_place_before_its_first_record():
    # the place -1 has the key that SplitMix64 makes of its seed, not advanced
    for seed in (0, 7):
        assert rounding_of(seed) == float(uniform(splitmix64(torch.tensor([seed])), 1))


def test_frames_that_are_kept_have_the_smallest_numbers():
    keys = record_keys(4, 0, 3)
    spans = torch.tensor([[0, 1, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0]]).bool()
    numbers = uniform(substream(keys, 2), 6).tolist()
    kept = trim_spans(keys, spans, torch.tensor([6, 6, 6]), torch.tensor([2, 2, 1]))
    for row, span, left, count in zip(numbers, spans.tolist(), kept.tolist(), [2, 2, 1], strict=True):
        hidden = [frame for frame in range(6) if span[frame]]
        assert [frame for frame in range(6) if left[frame]] == sorted(sorted(hidden, key=row.__getitem__)[:count])


def test_a_record_whose_spans_hide_too_little_hides_those_with_the_smallest_numbers_beside_them():
    keys = record_keys(4, 0, 2)
    spans = torch.tensor([[0, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]]).bool()
    numbers = uniform(substream(keys, 2), 6).tolist()
    kept = trim_spans(keys, spans, torch.tensor([6, 4]), torch.tensor([4, 3]))  # two more of four, one more of two
    first = sorted([0, 3, 4, 5], key=numbers[0].__getitem__)[:2]
    second = min([2, 3], key=numbers[1].__getitem__)
    assert [kept[row].nonzero().flatten().tolist() for row in range(2)] == [sorted([1, 2, *first]), [0, 1, second]]


def test_negatives_number_by_number():
    # m - 1 others: those from the frame's own place upwards are one further
    keys = record_keys(9, 0, 2)
    expected = [
        [[n + (n >= own) for n in row[4 * own : 4 * own + 4]] for own in range(3)]
        for row in integers(substream(keys, 3), 12, 2).tolist()
    ]
    assert draw_negatives(keys, 3, 4).tolist() == expected
    assert draw_negatives(keys, 2, 1).tolist() == [[[1], [0]]] * 2  # two hidden frames: each has the other


def test_places_of_long_rows_are_in_order_whatever_sorts_them():
    mask = uniform(record_keys(5, 0, 3), 2000).argsort(dim=1) < 700
    assert torch.equal(masked_positions(mask, 700), mask.flatten().nonzero().flatten())


def test_of_equal_numbers_the_first_comes_first():
    assert torch.equal(_rank(torch.zeros(2, 2000)), torch.arange(2000).expand(2, -1))


def test_numbers_are_made_where_the_keys_are():
    assert draw_negatives(record_keys(0, 0, 2).to("meta"), 3, 4).device.type == "meta"
    assert masked_positions(torch.ones(2, 3, dtype=torch.bool, device="meta"), 3).device.type == "meta"
