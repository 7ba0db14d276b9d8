"""What was planted in synthetic hearts is read off their ECGs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ecglfm.config import LEADS
from ecglfm.discovery.biomarkers.measure import NAMES, measure_biomarkers, without_hum
from ecglfm.evaluation.beats import average_beat, find_beats
from ecglfm.sources.synthesis.heart import RATE, quantize, record_leads
from ecglfm.sources.synthesis.patient import QT_PER_RR, Patient, generator, make_patient
from ecglfm.sources.synthesis.setting import QUIET

QRS = slice(2, 5)  # of a normal heart's waves


def patient(number: int) -> Patient:
    return make_patient(
        number, "NORM", ectopy=False, age=25.0 + number, sex="female" if number % 2 else "male",
        rng=generator(9, number),
    )  # fmt: skip


def recorded(heart: Patient) -> tuple[np.ndarray, np.ndarray]:
    """mV (n, 12), and times of R, s."""
    leads, times = record_leads(heart, generator(8, heart.number), mains=50.0, setting=QUIET)
    return quantize(leads, 1000.0) / 1000.0, times


def planted(heart: Patient, times: np.ndarray) -> dict[str, float]:
    """Intervals of the planted waves, ms: where tangents of the first P and of the last T meet zero (2 sigma of a
    Gaussian, and 0.3 for T's tail), QRS 2.5 sigma around its first and last wave."""
    p, qrs, t = heart.waves[:2], heart.waves[QRS], heart.waves[-2:]
    onset, offset = (qrs[:, 0] - 2.5 * qrs[:, 1]).min(), (qrs[:, 0] + 2.5 * qrs[:, 1]).max()
    rr = float(np.median(np.diff(times)))
    stretch = (heart.qtc + QT_PER_RR * (rr - 1.0)) / 0.4
    p_onset = (p[:, 0] - (heart.pr - 0.155) - 2.0 * p[:, 1]).min()
    t_end = ((t[:, 0] + 2.3 * t[:, 1]) * stretch).max()
    seconds = {"pr_ms": onset - p_onset, "qrs_ms": offset - onset, "qt_ms": t_end - onset}
    return {name: 1000.0 * value for name, value in seconds.items()}


@pytest.fixture(scope="module")
def measured() -> tuple[list[dict[str, float]], list[dict[str, float]], list[Patient], list[float]]:
    hearts = [patient(number) for number in range(32)]
    made = [recorded(heart) for heart in hearts]
    found = [measure_biomarkers(signal, RATE, list(LEADS), mains=50.0) for signal, _ in made]
    truth = [planted(heart, times) for heart, (_, times) in zip(hearts, made, strict=True)]
    return found, truth, hearts, [float(np.median(np.diff(times))) for _, times in made]


@pytest.mark.parametrize("name", ["pr_ms", "qt_ms", "qrs_ms"])
def test_intervals_are_the_planted_ones(measured, name: str):
    found, truth, _, _ = measured
    error = np.array([a[name] - b[name] for a, b in zip(found, truth, strict=True)])
    assert np.isfinite(error).mean() >= 0.95
    assert abs(np.nanmean(error)) <= 20
    assert np.nanstd(error, ddof=1) <= 10


def test_a_person_with_a_longer_interval_has_a_longer_one(measured):
    """The generator's own numbers are of waves that fade, so that a constant lies between, of a few ms, and no more."""
    found, _, hearts, rr = measured
    pr = np.array([a["pr_ms"] - 1000 * heart.pr for a, heart in zip(found, hearts, strict=True)])
    qt = np.array([
        a["qt_ms"] - 1000 * (heart.qtc + QT_PER_RR * (own - 1.0))
        for a, heart, own in zip(found, hearts, rr, strict=True)
    ])  # fmt: skip
    assert np.nanstd(pr, ddof=1) <= 10
    assert np.nanstd(qt, ddof=1) <= 10
    assert abs(np.nanmean(pr)) <= 10
    assert abs(np.nanmean(qt)) <= 20


def test_qrs_follows_a_planted_width():
    widths, found = np.linspace(0.8, 1.5, 12), []
    for number, width in enumerate(widths):
        heart = patient(number)
        waves = heart.waves.copy()
        waves[QRS, :2] *= width
        signal, _ = recorded(replace(heart, waves=waves))
        found.append(measure_biomarkers(signal, RATE, list(LEADS), mains=50.0)["qrs_ms"])
    assert np.corrcoef(widths, found)[0, 1] >= 0.95


def test_rr_is_exact_to_a_sample():
    for number in range(4):
        signal, times = recorded(patient(number))
        beat = average_beat(signal, RATE, find_beats(signal, RATE))
        assert beat is not None
        of_beats = times[np.abs(times[:, None] - beat.beats / RATE).argmin(axis=0)]
        assert np.abs(np.diff(beat.beats) - np.diff(of_beats) * RATE).max() <= 1.0
        found = measure_biomarkers(signal, RATE, list(LEADS))
        assert found["rr_ms"] == pytest.approx(1000 * np.median(np.diff(of_beats)), abs=1000 / RATE)
        assert found["heart_rate"] == pytest.approx(60_000 / found["rr_ms"])


def test_corrected_qt_by_hand(measured):
    one = measured[0][0]
    rr = one["rr_ms"] / 1000
    assert one["qtc_bazett_ms"] == pytest.approx(one["qt_ms"] / rr**0.5)
    assert one["qtc_fridericia_ms"] == pytest.approx(one["qt_ms"] / rr ** (1 / 3))


def lines(**of_leads: tuple[float, ...]) -> np.ndarray:
    """Ten beats of 0.9 s: in each lead a Q, R, S, ST and T of the given heights, mV (P in lead II of 0.1)."""
    t = np.arange(5000) / 500
    signal = np.zeros((5000, 12))
    for start in np.arange(0.5, 9.5, 0.9):
        for lead, (q, r, s, st, wave) in of_leads.items():
            column = signal[:, LEADS.index(lead)]
            for middle, width, height in ((-0.03, 0.007, q), (0.0, 0.009, r), (0.03, 0.007, s), (0.3, 0.04, wave)):
                column += height * np.exp(-0.5 * ((t - start - middle) / width) ** 2)
            column += st * ((t - start > 0.055) & (t - start < 0.2))
    return signal


def test_voltages_st_and_indices_by_hand():
    shape = dict.fromkeys(LEADS, (0.0, 0.8, 0.0, 0.0, 0.3))
    shape |= {"V1": (0.0, 0.25, -1.4, 0.0, 0.2), "V3": (0.0, 0.5, -0.9, 0.15, 0.4), "V5": (-0.1, 1.9, -0.2, 0.0, 0.3)}
    shape |= {"aVL": (0.0, 0.7, 0.0, -0.1, 0.1), "V2": (-1.0, 0.0, -0.8, 0.0, 0.3)}
    found = measure_biomarkers(lines(**shape), 500, list(LEADS))
    assert found["r_mv.V1"] == pytest.approx(0.25, abs=0.03)
    assert found["s_mv.V1"] == pytest.approx(1.4, abs=0.03)
    assert found["sokolow_lyon_mv"] == pytest.approx(1.4 + 1.9, abs=0.05)
    assert found["cornell_mv"] == pytest.approx(0.7 + 0.9, abs=0.05)
    assert found["st_mv.V3"] == pytest.approx(0.15, abs=0.02)
    assert found["st_mv.aVL"] == pytest.approx(-0.1, abs=0.02)
    assert (found["r_mv.V2"], found["s_mv.V2"]) == (pytest.approx(0.0, abs=0.03), pytest.approx(1.0, abs=0.03))


def test_axes_of_qrs_and_t_are_their_own():
    shape = dict.fromkeys(LEADS, (0.0, 0.0, 0.0, 0.0, 0.0))
    shape |= {"I": (0.0, np.cos(np.radians(60)), 0.0, 0.0, 0.4), "V2": (0.0, 1.0, 0.0, 0.0, 0.4)}
    shape |= {"aVF": (0.0, np.sin(np.radians(60)) * np.sqrt(3) / 2, 0.0, 0.0, 0.0)}
    found = measure_biomarkers(lines(**shape), 500, list(LEADS))
    assert found["qrs_axis"] == pytest.approx(60, abs=2)
    assert found["t_axis"] == pytest.approx(0, abs=3)


def test_hum_is_taken_out_and_nothing_else():
    signal, _ = recorded(patient(0))
    t = np.arange(len(signal)) / RATE
    hum = 0.2 * np.sin(2 * np.pi * 50.05 * t + 0.3)[:, None] + 0.05 * np.cos(2 * np.pi * 150.15 * t)[:, None]
    clean = without_hum(signal, RATE, 50.0)
    assert np.abs(without_hum(signal + hum, RATE, 50.0) - clean).max() < 0.01
    assert np.sqrt(np.mean((clean - signal) ** 2)) < 0.02


def test_what_cannot_be_measured_is_nan():
    for signal in (np.zeros((5000, 12)), np.full((5000, 12), np.nan), np.empty((0, 12))):
        found = measure_biomarkers(signal, 500, list(LEADS), mains=50.0)
        assert tuple(found) == NAMES
        assert np.isnan(list(found.values())).all()
    without = recorded(patient(1))[0]
    without[:, LEADS.index("V1")] = 0.0  # not recorded
    found = measure_biomarkers(without, RATE, list(LEADS))
    assert np.isnan([found["r_mv.V1"], found["sokolow_lyon_mv"]]).all()
    assert np.isfinite([found["r_mv.V5"], found["cornell_mv"]]).all()
