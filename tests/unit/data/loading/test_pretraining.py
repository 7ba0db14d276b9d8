"""Pairs and batches against what they must be by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecglfm.config import UserError
from ecglfm.data.loading.pairs import PairSampler
from ecglfm.data.loading.pretraining import PretrainBatches, on_device, recorded_leads, uniform
from ecglfm.data.samples.dataset import Signals, to_millivolts
from tests.unit.data.loading.batches_of import LENGTH, names


def batches(cohort, **options):
    records, signals = cohort
    sampler = PairSampler(records, split="train", length=LENGTH)
    return PretrainBatches(signals, sampler, **({"batch_size": 4, "seed": 7} | options))


def test_every_patient_once_an_epoch_in_another_order(cohort):
    data = batches(cohort)  # 12 pairs, 4 a batch
    assert data.updates_per_epoch == 3
    epochs = []
    for epoch in range(2):
        rows = np.concatenate([data.crops(3 * epoch + k).rows[::2] for k in range(3)])
        epochs.append(cohort[0]["patient_id"].to_numpy()[rows].tolist())
    assert sorted(epochs[0]) == sorted(epochs[1]) == names(cohort, data.sampler)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("block", [None, 3])
def test_the_ranks_share_the_batch_of_a_single_process(cohort, block):
    options = {"lead_mask_probability": 0.5, "shuffle_block": block}
    whole = batches(cohort, batch_size=12, **options)
    ranks = [batches(cohort, batch_size=3, accumulate=2, rank=r, world_size=2, **options) for r in range(2)]
    for step in (0, 1, 5):
        for name in ("signal", "lead_mask"):
            parts = [ranks[r][2 * step + micro][name] for micro in range(2) for r in range(2)]
            assert torch.equal(torch.cat(parts), whole[step][name])
        assert len(set(whole.crops(step).rows[::2])) == 12  # disjoint, then


def test_a_batch_holds_the_named_crops(cohort):
    data = batches(cohort)
    crops, signal = data.crops(4), data[4]["signal"].numpy()
    assert signal.shape == (8, LENGTH, 2)
    for segment in range(8):
        one = cohort[1].crops(crops.rows[[segment]], crops.starts[[segment]], LENGTH)[0]
        np.testing.assert_array_equal(signal[segment], one)


def test_leads_are_masked_at_the_given_rate_in_training_only(cohort):
    data = batches(cohort, lead_mask_probability=0.3)
    masked = 1 - torch.cat([data[step]["lead_mask"] for step in range(200)]).double()
    # Where both leads would go (0.3^2 of the segments) one stays: 0.3 - 0.09 / 2. 3200 draws: 3.7 standard errors.
    assert masked.mean().item() == pytest.approx(0.255, abs=0.03)
    data = batches(cohort, lead_mask_probability=0.3, training=False)
    assert data[0]["lead_mask"].all()


def test_a_recorded_lead_is_always_left(cohort):
    recorded = recorded_leads(np.array([0b10, 0b1000001] * 12), ["aVF", "II"])
    assert recorded[:2].tolist() == [[False, True], [False, False]]  # bits of LEADS, in the order that is asked for
    recorded[1::2, 0] = True  # only II in every second record, only aVF in the others
    data = batches(cohort, lead_mask_probability=0.9, recorded=recorded)
    crops = [data.crops(step) for step in range(50)]
    left = np.concatenate([(part.lead_mask & recorded[part.rows]).any(axis=1) for part in crops])
    assert left.all()
    both = batches(cohort, lead_mask_probability=0.9)
    seen = np.concatenate([both.crops(step).lead_mask for step in range(200)])
    assert seen.any(axis=1).all()
    # Of two leads the one with the larger draw stays, each as often: 1600 draws, 3.2 standard errors.
    assert seen[seen.sum(axis=1) == 1].mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.04)


def test_validation_is_the_same_every_time_and_drops_little(cohort):
    data = batches(cohort, batch_size=5, training=False)  # 12 pairs: 3 batches of 4, not 2 of 5
    assert (data.updates_per_epoch, data.batch_size) == (3, 4)
    again = batches(cohort, batch_size=5, training=False)
    assert all(torch.equal(data[k]["signal"], again[k]["signal"]) for k in range(3))


def test_small_data_make_a_smaller_batch_or_a_clear_error(cohort, caplog):
    assert batches(cohort, batch_size=64).batch_size == 12
    assert "only 12 pairs: batches of 12 instead of 64" in caplog.text
    with pytest.raises(UserError, match="12 patients make pairs, too few for 13 processes"):
        batches(cohort, world_size=13)


def test_a_short_recording_is_padded_and_masked(tmp_path, write_records):
    # Crops of 50: a's two recordings of 30 and 80, b's halves of 41 // 2 = 20 and 21; c's 39 is too short for halves.
    records = write_records(tmp_path, {"a": [30, 80], "b": [41], "c": [39], "d": [19, 38]})
    signals = Signals(records, tmp_path)
    sampler = PairSampler(records, split="train", length=LENGTH, min_length=20)
    data = PretrainBatches(signals, sampler, batch_size=2, seed=1)
    assert len(sampler) == 2
    for step in range(5):
        crops, batch = data.crops(step), data[step]
        expected = {0: 30, 1: 50}
        for segment, (row, start) in enumerate(zip(crops.rows.tolist(), crops.starts.tolist(), strict=True)):
            valid = expected.get(row, 20 if start == 0 else 21)
            assert batch["valid"][segment] == crops.valid[segment] == valid
            record = signals.crops(np.array([row]), np.array([0]), 80)[0]
            signal = batch["signal"][segment].numpy()
            np.testing.assert_array_equal(signal[:valid], record[start : start + valid])
            assert (signal[valid:] == 0).all()
            if row == 2:
                assert start in (0, 20)
        x, mask = on_device(batch, torch.device("cpu"))
        assert mask.sum(dim=1).tolist() == crops.valid.tolist()
        assert (x.transpose(1, 2)[~mask] == 0).all()
    whole = PretrainBatches(signals, PairSampler(records, split="train", length=20), batch_size=2)
    assert "valid" not in whole[0]
    assert on_device(whole[0], torch.device("cpu"))[1] is None


def test_every_batch_has_the_same_form(tmp_path, write_records):
    # Where only some batches had `valid`, ranks would run different code, and ZeRO 2 mix up their gradients.
    records = write_records(tmp_path, {"a": [30, 80], "b": [90, 95], "c": [100, 100], "d": [60, 70]})
    sampler = PairSampler(records, split="train", length=LENGTH, min_length=20)
    data = PretrainBatches(Signals(records, tmp_path), sampler, batch_size=1, seed=1)
    short = [bool((data[step]["valid"] < LENGTH).any()) for step in range(8)]
    assert True in short
    assert False in short


@pytest.mark.parametrize("kept", [[True, True], [True, False]])
def test_every_microvolt_is_the_same_millivolt_on_the_device(kept):
    signal = np.arange(-32768, 32768).astype(np.int16)[None, :, None].repeat(2, axis=2)
    lead_mask = np.array([kept])
    batch = {"signal": torch.from_numpy(signal), "lead_mask": torch.from_numpy(lead_mask)}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = on_device(batch, device)[0].cpu().numpy()
    np.testing.assert_array_equal(x.view(np.int32), to_millivolts(signal, lead_mask).view(np.int32))
    nearest = (np.arange(-32768, 32768) / 1000).astype(np.float32)
    for k in range(2):
        np.testing.assert_array_equal(
            x[0, k].view(np.int32), (nearest if kept[k] else 0 * np.abs(nearest)).view(np.int32)
        )


def test_segments_are_changed_before_leads_are_masked():
    signal = torch.full((1, 4, 2), 500, dtype=torch.int16)
    batch = {"signal": signal, "lead_mask": torch.tensor([[True, False]]), "valid": torch.tensor([3])}
    seen = []

    def change(x, mask):
        seen.append((x.tolist(), mask.tolist()))
        return x.flip(1) + torch.tensor([1.0, 2.0])[:, None]

    x, mask = on_device(batch, torch.device("cpu"), change)
    assert seen == [([[[0.5] * 4] * 2], [[True, True, True, False]])]
    assert x.tolist() == [[[1.5] * 4, [0.0] * 4]]
    assert mask.tolist() == [[True, True, True, False]]


def test_a_batch_on_the_device_is_the_float_batch_bit_for_bit(cohort):
    data = batches(cohort, lead_mask_probability=0.5)
    for forward in range(4):
        crops = data.crops(forward)
        pieces = data.signals.views(crops.rows, crops.starts, LENGTH, crops.valid)
        x, _ = on_device(data[forward], torch.device("cpu"))
        expected = to_millivolts(pieces, crops.lead_mask, length=LENGTH)
        np.testing.assert_array_equal(x.numpy().view(np.int32), expected.view(np.int32))


def test_a_part_of_the_random_numbers_is_a_part_of_the_whole():
    whole = np.random.default_rng([7, 2, 9]).random((100, 4))
    np.testing.assert_array_equal(uniform([7, 2, 9], slice(0, 100), 4), whole)
    np.testing.assert_array_equal(uniform([7, 2, 9], slice(37, 50), 4), whole[37:50])


@pytest.mark.parametrize("block", [None, 3])
def test_the_same_samples_whatever_the_workers_and_wherever_it_starts(cohort, block):
    options = {"lead_mask_probability": 0.5, "accumulate": 2, "batch_size": 2, "shuffle_block": block}
    everything = [batches(cohort, **options)[forward] for forward in range(20)]  # an epoch is 3 updates of 2 forwards
    for num_workers, start in [(0, 0), (1, 3), (2, 4)]:
        loaded = list(batches(cohort, **options).load(start, 10, num_workers=num_workers))
        assert len(loaded) == 20 - 2 * start
        for batch, expected in zip(loaded, everything[2 * start :], strict=True):
            assert batch.keys() == expected.keys() == {"signal", "lead_mask"}
            assert all(torch.equal(batch[name], expected[name]) for name in batch)


def test_blocks_are_read_before_they_are_used(cohort, monkeypatch):
    signals = cohort[1]
    data = batches(cohort, shuffle_block=4, batch_size=2)
    ready = set()
    monkeypatch.setattr(signals, "read_ahead", lambda rows: ready.update(rows.tolist()))
    for forward in range(data.updates_per_epoch):
        data[forward]
        assert set(data.crops(forward).rows.tolist()) <= ready
    assert len(ready) == 8 * 2 + 4  # all recordings of every patient
