"""Copies that noise, wander, filters or misplaced electrodes separate from their originals are found among genuine ones."""

import io
import sys
from functools import cache

import numpy as np
import pytest
import wfdb

from ecglfm.benchmark.data.copies import WAYS
from ecglfm.data.manifest.duplicates.rearranged import Glimpse, arrangement, quick_look
from ecglfm.data.manifest.duplicates.search import duplicate_pairs
from ecglfm.data.manifest.duplicates.similarity import similarity
from tests.unit.data.recordings_in_memory import Given, beating, frame, pieces_of

#: Of 16 copies of each kind, how many are found at least.
FOUND = {
    "white noise, 12 dB": 16,
    "white noise, 10 dB": 15,
    "wander of 0.5 mV": 16,
    "wander of 1 mV": 15,
    "band 1-30 Hz": 16,
    "inverted": 16,
    "arm electrodes swapped": 16,
    "V1 and V2 swapped": 16,
    "V1-V6 reversed": 16,
    "arms swapped, 12 dB, begins later": 15,
    "middle 3 s": 14,
    "band 0.5-40 Hz": 16,
    "white noise, 15 dB": 15,
    "steps of 50 uV": 16,
}


def int16(signal):
    return np.clip(np.rint(signal), -32767, 32767).astype(np.int16)


@cache
def genuine(folder):
    paths = sorted(path.with_suffix("") for path in (folder / "ptb-xl/records500").rglob("*.hea"))[:16]
    return [int16(1000 * wfdb.rdsamp(str(path))[0]) for path in paths]


def found(signals, workers=1):
    pairs = duplicate_pairs(pieces_of(frame(signals)), Given(signals), duplicate_correlation=0.98, workers=workers)
    return {(pair["a"], pair["b"]): pair["correlation"] for pair in pairs}


@pytest.mark.parametrize(("way", "least"), FOUND.items(), ids=FOUND)
def test_copies_of_a_kind_are_found_among_genuine_recordings_and_nothing_else(real_data, way, least):
    originals, rng = genuine(real_data), np.random.default_rng(0)
    copies = [int16(WAYS[way](signal.astype(float), rng)) for signal in originals]
    pairs = set(found([*originals, *copies]))
    planted = {(f"s/{row:05d}", f"s/{row + 16:05d}") for row in range(16)}
    assert pairs <= planted
    assert len(pairs) >= least


def test_misplaced_leads_are_found_whatever_the_number_of_workers():
    signals = [beating(seed) for seed in range(12)]
    rng = np.random.default_rng(0)
    swapped = ("arm electrodes swapped", "V1 and V2 swapped", "V1-V6 reversed", "inverted")
    signals += [int16(WAYS[way](signals[row].astype(float), rng)) for row, way in enumerate(swapped)]
    pairs = found(signals)
    assert set(pairs) == {(f"s/{row:05d}", f"s/{row + 12:05d}") for row in range(4)}
    assert pairs == found(signals, workers=2)


@pytest.mark.parametrize("shape", ["leads of their own", "leads that differ in amplitude alone"])
def test_leads_are_assigned_as_they_were_planted(shape):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 12)) if shape == "leads of their own" else rng.standard_normal((500, 1))
    x = (x * np.arange(1, 13)).astype(np.float32)
    order, signs = rng.permutation(12), rng.choice([-1.0, 1.0], 12)
    leads, turned = arrangement(x, (x * signs)[:, order].astype(np.float32))
    assert np.array_equal(order[leads], np.arange(12))
    assert np.array_equal(turned, signs)


def regular(variety):
    """A clock of 120 beats a minute; 1.5 mV in leads of one shape, and `variety` times that in another shape."""
    rng = np.random.default_rng(int(1000 * variety))
    time = np.arange(5000)[:, None] / 500 + rng.uniform(0, 0.5)
    beat = np.exp(20 * np.cos(4 * np.pi * time) - 20) * np.linspace(-1500, 1500, 12)
    return int16(beat + variety * np.roll(beat, 40, axis=0)[:, ::-1] + rng.normal(0, 5, (5000, 12)))


def test_regular_rhythms_that_are_less_alike_than_their_own_beats_are_no_copies():
    signals = [regular(0.0), regular(0.17)]
    assert similarity(*signals, 500, at_least=0.98) > 0.98
    look = quick_look(*(Glimpse.of(signal, 500) for signal in signals), at_least=0.9)
    assert look.correlation < look.own - 0.005
    rng = np.random.default_rng(0)
    noisy = int16(WAYS["white noise, 15 dB"](signals[0].astype(float), rng))
    assert set(found([*signals, noisy])) == {("s/00000", "s/00002")}  # no less alike: the noise is in its beats, too


def test_excerpts_not_much_longer_than_a_beat_are_compared():
    """Of 2.5 s, less is left without the ends than the longest time from beat to beat."""
    signals = [beating(seed) for seed in range(8)]
    assert set(found([*signals, signals[3][1000:2250]])) == {("s/00003", "s/00008")}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("shown", [True, False], ids=["terminal", "none"])
def test_progress_and_time_left_of_every_step_are_shown_on_a_terminal_alone(monkeypatch, shown):
    written = Terminal() if shown else io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    signals = [beating(seed) for seed in range(3)]
    found([*signals, signals[0][100:]])
    for step in ("fingerprints:", "fingerprints, leads in any order:", "likely pairs:", "comparisons:"):
        assert (f"{step} 100%" in written.getvalue()) == shown
    assert ("<00:00" in written.getvalue()) == shown
