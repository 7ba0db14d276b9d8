"""Copies that lack leads are found in the leads that are left."""

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecglfm.data.manifest.duplicates.leads import linking_leads, record_kinds
from ecglfm.data.manifest.duplicates.search import duplicate_pairs
from tests.unit.data.recordings_in_memory import Given, beating, frame, pieces_of

MASKS = {"I": 0b1, "I and II": 0b11, "limb leads": 0b111111, "V2 and V5": 0b010010000000, "without V6": 0x7FF}


def only(signal, mask):
    """As `preprocess` writes a record without the other leads: they are zeros."""
    return signal * np.array([mask >> lead & 1 for lead in range(12)], np.int16)


def pairs_of(signals, masks):
    records = frame(signals, ["train", *["test"] * (len(signals) - 1)]).assign(lead_mask=masks)
    return {
        (pair["a"], pair["b"])
        for pair in duplicate_pairs(pieces_of(records), Given(signals), duplicate_correlation=0.98)
    }


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_shifted_copy_with_fewer_leads_is_found_and_no_other_pair(mask):
    signals = [beating(seed, rr=0.6 + 0.02 * seed) for seed in range(30)]
    copies = [only(signals[7][700:], mask), only(beating(40), mask)]
    assert pairs_of(signals + copies, [0xFFF] * 30 + [mask] * 2) == {("s/00007", "s/00030")}


def test_copies_with_different_leads_link_where_they_share_some():
    signal, masks = beating(1), [0b1, 0b110, 0b100001, 0b1000]
    signals = [only(signal[100 * k :], mask) for k, mask in enumerate(masks)]
    assert pairs_of(signals, masks) == {("s/00000", "s/00002")}  # the last has no lead of the others


def test_leads_that_link_records():
    def columns(*masks):
        return np.array([[mask >> lead & 1 for lead in range(12)] for mask in masks], bool)

    assert linking_leads(columns(0xFFF, 0xFFF)) == []
    assert linking_leads(columns(0xFFF, 0b1, 0b111111)) == [0]
    assert sorted(linking_leads(columns(0xFFF, 0b1, 0b10))) == [0, 1]
    assert linking_leads(columns(0b1, 0b10)) == []


def columns_of(signals, masks):
    kinds = record_kinds([pd.Series(masks[:2]), pd.Series(masks[2:])], Given(signals))
    return kinds.columns[kinds.of].tolist()


def test_columns_of_a_record_are_those_of_its_mask_whatever_the_order_of_leads():
    signals = [beating(0)[:, [1, 6]], beating(1)[:, [1, 6]], only(beating(2), 0b10)[:, [1, 6]]]  # leads: [II, V1]
    signals[0][:, 0] = 0  # flat, not missing
    assert columns_of(signals, [0xFFF, 0xFFF, 0b10]) == [[True, True], [True, True], [True, False]]


def test_a_lead_that_is_flat_in_many_records_is_not_missing():
    signals = [only(beating(0), 0b11)] * 30 + [beating(1), only(beating(2), 0b11)]
    found = columns_of(signals, [0xFFF] * 31 + [0b11])
    assert found == [[True] * 12] * 31 + [[True, True] + [False] * 10]
    assert columns_of([*signals[:30], signals[31]], [0xFFF] * 30 + [0b11]) == [[True, True] + [False] * 10] * 31


def test_genuine_recordings_and_their_lead_i_alone(real_data):
    paths = sorted(path.with_suffix("") for path in (real_data / "ptb-xl/records500").rglob("*.hea"))
    paths = [path for path in paths if not 137 <= int(path.name[:5]) <= 144][:100]
    signals = [np.rint(wfdb.rdsamp(str(path))[0] * 1000).astype(np.int16) for path in paths]
    signals += [only(signal[333:], 0b1) for signal in signals[:50]]
    assert pairs_of(signals, [0xFFF] * 100 + [0b1] * 50) == {(f"s/{k:05d}", f"s/{k + 100:05d}") for k in range(50)}
