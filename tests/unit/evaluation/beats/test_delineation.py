"""Waves begin and end where they were planted, and where cardiologists marked them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm import read_record
from ecglfm.evaluation.beats import PHASES, average_beat, delineate, phases_of
from ecglfm.sources.synthesis.heart import RATE, quantize, record_leads
from ecglfm.sources.synthesis.patient import generator, make_patient
from ecglfm.sources.synthesis.setting import QUIET
from tests.unit.evaluation.beats.hearts import heart


def test_waves_are_where_they_were_planted():
    beat = average_beat(heart(), 500)
    assert beat is not None
    waves = delineate(beat)
    # a Gaussian's tangent meets zero 2 sigma from its middle; QRS is from Q to S, about 2.5 sigma beyond each
    expected = {"p_onset": -0.196, "p_offset": -0.124, "qrs_onset": -0.045, "qrs_offset": 0.045,
                "t_onset": 0.20, "t_offset": 0.37}  # fmt: skip
    middle = np.median(beat.beats - np.round((0.4 + 0.8 * np.round((beat.beats / 500 - 0.4) / 0.8)) * 500)) / 500
    for name, seconds in expected.items():
        assert getattr(waves, name) + middle == pytest.approx(seconds, abs=0.014), name


def test_without_p_there_is_none_and_noise_has_no_waves():
    beat = average_beat(heart(p=False), 500)
    assert beat is not None
    waves = delineate(beat)
    assert np.isnan([waves.p_onset, waves.p_offset]).all()
    assert np.isfinite([waves.qrs_onset, waves.t_offset]).all()
    phase, beats = phases_of(np.zeros((100, 12)), 500)
    assert (beats, set(phase.tolist())) == (0, {PHASES.index("rest")})


def test_samples_are_in_the_part_of_the_beat_that_was_planted():
    phase, beats = phases_of(heart(), 500)
    assert beats == 13  # the last one is cut by the end
    for beat in np.arange(0.4, 9, 0.8):
        for seconds, name in ((-0.16, "P"), (-0.085, "PR"), (0.0, "QRS"), (0.12, "ST"), (0.28, "T"), (0.42, "rest")):
            at = round((beat + seconds) * 500)
            if at >= 0:
                assert PHASES[phase[at]] == name, (beat, name)


@pytest.mark.parametrize("record", ["1", "2", "3"])
def test_ludb_is_met(real_data: Path, record: str):
    path = real_data / "ludb/data" / record
    recording = read_record(path).standard()
    beat = average_beat(recording.signal, recording.sampling_rate)
    assert beat is not None
    marked: dict[str, list[float]] = {name: [] for name in delineate(beat)._fields}
    for lead in ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6"):
        annotation = wfdb.rdann(str(path), lead)
        symbols, samples = np.array(annotation.symbol), annotation.sample
        for k in np.flatnonzero(np.isin(symbols, ["p", "N", "t"])):
            if 0 < k < len(symbols) - 1 and symbols[k - 1] == "(" and symbols[k + 1] == ")":
                wave = {"p": "p", "N": "qrs", "t": "t"}[symbols[k]]
                for end, sample in (("onset", samples[k - 1]), ("offset", samples[k + 1])):
                    near = beat.beats[np.argmin(np.abs(beat.beats - sample))]
                    marked[f"{wave}_{end}"].append((sample - near) / recording.sampling_rate)
    for name, seconds in delineate(beat)._asdict().items():  # between the usual lead and the one that sees most of it
        most = max(marked[name]) if name.endswith("offset") else min(marked[name])
        low, high = sorted((float(np.median(marked[name])), most))
        within = 0.03 if name == "t_onset" else 0.016
        assert low - within <= seconds <= high + within, name


@pytest.mark.parametrize("number", [11, 33, 92, 94])
def test_noise_is_not_qrs(number: int):
    made = make_patient(
        number,
        "NORM",
        ectopy=False,
        age=25.0 + number % 60,
        sex="female" if number % 2 else "male",
        rng=generator(9, number),
    )
    leads, _ = record_leads(made, generator(8, number), mains=50.0, setting=QUIET)
    beat = average_beat(quantize(leads, 1000.0) / 1000.0, RATE)
    assert beat is not None
    waves, qrs = delineate(beat), made.waves[2:5]  # from 2.5 sigma before the first to 2.5 after the last
    planted = (qrs[:, 0] + 2.5 * qrs[:, 1]).max() - (qrs[:, 0] - 2.5 * qrs[:, 1]).min()
    assert waves.qrs_offset - waves.qrs_onset == pytest.approx(planted, abs=0.03)
