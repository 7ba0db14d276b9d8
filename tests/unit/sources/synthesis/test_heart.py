"""The generator's physiology, measured from the signals that it makes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks

from ecglfm.config import LEADS
from ecglfm.sources.synthesis.heart import (
    INDEPENDENT_LEADS,
    RATE,
    clean_leads,
    dipole,
    quantize,
    record_leads,
)
from ecglfm.sources.synthesis.look import TEXTBOOK
from ecglfm.sources.synthesis.patient import (
    PREVALENCE,
    Patient,
    draw_patient,
    generator,
    make_patient,
)
from ecglfm.sources.synthesis.rhythm import SECONDS, beat_times

R = 2 * RATE  # sample of an R peak in `clean_beat`


def mean_patient(condition: str = "NORM", *, age: float = 50.0, sex: str = "male", ectopy: bool = False) -> Patient:
    return make_patient(0, condition, ectopy=ectopy, age=age, sex=sex, rng=None)  # type: ignore[arg-type]


def clean_beat(patient: Patient, ectopic: bool = False) -> dict[str, np.ndarray]:
    """All leads (mV) without noise, one beat a second, R peaks at 0, 1, 2 … s."""
    times = np.arange(-2.0, 7.0)
    flags = times == 2.0 if ectopic else np.zeros(len(times), bool)
    leads = clean_leads(dipole(patient, times, flags, 5 * RATE))
    digital = quantize(leads, 1000.0)
    return {lead: digital[:, k] / 1000.0 for k, lead in enumerate(LEADS)}


def level(lead: np.ndarray, milliseconds: float) -> float:
    """Value that long after the R peak, against the isoelectric line before the P wave."""
    return float(lead[R + round(milliseconds * RATE / 1000)] - lead[R - round(0.3 * RATE)])


def patients_with(condition: str, count: int, *, ectopy: bool = False) -> list[Patient]:
    found = (draw_patient((0, 5), k) for k in range(2000))
    return list(itertools.islice((p for p in found if (p.condition, p.ectopy) == (condition, ectopy)), count))


def test_each_wave_has_a_direction_of_its_own() -> None:
    """One turn for all waves would leave the angles between them as they are in the mean heart."""
    waves = np.stack([patient.waves[:, 2:] for patient in patients_with("NORM", 300)])
    ways = waves / np.linalg.norm(waves, axis=2, keepdims=True)
    angles = np.degrees(np.arccos((ways[:, 2] * ways[:, 3]).sum(axis=1)))
    # Septum and free wall are 135 degrees apart; each strays by N(0, 0.2) of its length in their plane.
    assert np.std(angles) == pytest.approx(np.degrees(0.2 * np.sqrt(2)), rel=0.15)


# --- leads ----------------------------------------------------------------------------------------------------------


def test_laws_of_the_limb_leads_hold_under_noise():
    for condition in PREVALENCE:
        patient = patients_with(condition, 1)[0]
        leads, _ = record_leads(patient, generator(9), mains=50.0)
        for gain in (1000.0, 200.0):
            d = dict(zip(LEADS, quantize(leads, gain).astype(int).T, strict=True))
            assert (d["I"] + d["III"] == d["II"]).all()
            assert np.abs(2 * d["aVR"] + d["I"] + d["II"]).max() <= 1  # half a step
            assert np.abs(2 * d["aVL"] - 2 * d["I"] + d["II"]).max() <= 1
            assert np.abs(2 * d["aVF"] - 2 * d["II"] + d["I"]).max() <= 1


def test_quantized_leads_are_the_computed_ones():
    leads, _ = record_leads(draw_patient((0, 5), 3), generator(9), mains=50.0)
    digital = quantize(leads, 200.0)
    for k, lead in enumerate(INDEPENDENT_LEADS):
        np.testing.assert_allclose(digital[:, LEADS.index(lead)] / 200.0, leads[k], atol=0.5001 / 200)


def test_normal_beat_looks_normal():
    beat = clean_beat(mean_patient())
    at_r = {lead: level(signal, 0) for lead, signal in beat.items()}
    assert 0.5 < at_r["II"] < 2.0
    assert at_r["aVR"] < -0.3
    assert at_r["V1"] < -0.3  # rS
    assert at_r["V5"] > 0.8
    assert at_r["V6"] > 0.5
    p = beat["II"][R - 100 : R - 40].max() - level(beat["II"], -300)
    assert 0.05 < p < 0.25
    assert all(beat[lead][R + 100 : R + 160].max() > 0.15 for lead in ("I", "II", "V3", "V4", "V5"))  # upright T


# --- planted conditions ---------------------------------------------------------------------------------------------


def test_anterior_infarction_raises_st_in_v1_to_v4_and_takes_the_r():
    beat, normal = clean_beat(mean_patient("AMI")), clean_beat(mean_patient("NORM"))
    for lead in ("V1", "V2", "V3", "V4"):
        assert level(beat[lead], 100) - level(normal[lead], 100) > 0.1, lead
    assert all(abs(level(beat[lead], 100) - level(normal[lead], 100)) < 0.06 for lead in ("II", "V6"))
    for lead in ("V2", "V3"):  # Q: the first deflection is down, where a normal heart's is up
        assert level(beat[lead], -26) < -0.2
        assert level(normal[lead], -26) > 0.1


def test_inferior_infarction_raises_st_below_and_lowers_it_above():
    beat, normal = clean_beat(mean_patient("IMI")), clean_beat(mean_patient("NORM"))
    shift = {lead: level(beat[lead], 100) - level(normal[lead], 100) for lead in LEADS}
    assert min(shift["II"], shift["III"], shift["aVF"]) > 0.15
    assert shift["aVL"] < -0.1  # reciprocal
    assert shift["I"] < -0.03
    assert max(abs(shift[lead]) for lead in ("V2", "V4", "V6")) < 0.1
    assert all(level(beat[lead], -24) < -0.2 for lead in ("III", "aVF"))


def qrs_width(beat: dict[str, np.ndarray]) -> float:
    """Time (ms) during which the leads together move fast."""
    speed = sum(np.abs(np.gradient(beat[lead])) for lead in ("I", "II", "V1", "V5"))
    fast = np.flatnonzero(speed[R - 60 : R + 60] > 0.05 * speed.max())
    return float(fast[-1] - fast[0]) * 1000.0 / RATE


def test_left_bundle_branch_block_is_wide_with_discordant_t():
    beat = clean_beat(mean_patient("CLBBB"))
    assert qrs_width(clean_beat(mean_patient())) < 110.0
    assert qrs_width(beat) > 120.0
    for lead, sign in (("I", 1), ("V6", 1), ("V1", -1), ("V2", -1)):
        qrs = beat[lead][R - 40 : R + 40]
        assert sign * qrs[np.abs(qrs).argmax()] > 0.3, lead
        assert sign * level(beat[lead], 270) < -0.05, lead
    assert beat["V6"][R - 60 : R - 20].min() > -0.02  # no septal q


def test_premature_ventricular_beats_are_wide_early_and_followed_by_a_pause():
    patient = mean_patient(ectopy=True)
    assert qrs_width(clean_beat(patient, ectopic=True)) > 120.0
    for patient in patients_with("NORM", 5, ectopy=True):
        times, ectopic = beat_times(patient, generator(1, patient.number))
        assert 2 <= ectopic.sum() <= len(times) / 2
        assert not (ectopic[1:] & ectopic[:-1]).any()
        intervals = np.diff(times)
        normal = np.median(np.diff(times[~ectopic])[np.diff(np.flatnonzero(~ectopic)) == 1]) if (~ectopic).any() else 0
        for k in np.flatnonzero(ectopic[:-1]):
            assert intervals[k - 1] < 0.8 * intervals[k]  # early, then a pause
            assert intervals[k - 1] + intervals[k] == pytest.approx(2 * normal, rel=0.15)  # fully compensatory


def test_no_p_wave_in_atrial_fibrillation():
    for condition, low, high in (("NORM", 0.04, 0.3), ("AFIB", -0.02, 0.02)):
        sizes = []
        for patient in patients_with(condition, 6):
            leads, times = record_leads(patient, generator(2, patient.number), mains=50.0)
            peaks = np.round(times[(times > 0.5) & (times < 9.5)] * RATE).astype(int)
            mean_beat = np.mean([leads[1, k - 150 : k] for k in peaks], axis=0)
            p_wave = mean_beat[75 - round((patient.pr - 0.155) * RATE) + np.arange(-8, 8)]
            sizes.append(p_wave.mean() - mean_beat[115:125].mean())
        assert low < np.median(sizes) < high, condition


def detected_rate(leads: np.ndarray) -> tuple[float, float]:
    """Heart rate (per minute) and variation of RR, found in the signal alone."""
    speed = np.sum(np.gradient(leads, axis=1) ** 2, axis=0)
    energy = np.convolve(speed, np.ones(40), "same")
    peaks, _ = find_peaks(energy, height=0.25 * np.quantile(energy, 0.995), distance=int(0.25 * RATE))
    intervals = np.diff(peaks) / RATE
    return 60.0 / intervals.mean(), intervals.std() / intervals.mean()


@pytest.mark.parametrize(
    ("condition", "slowest", "fastest", "least", "most"),
    [
        ("NORM", 60, 100, 0.0, 0.09),
        ("SBRAD", 38, 60, 0.0, 0.09),
        ("SVTAC", 150, 210, 0.0, 0.03),
        ("AFIB", 55, 145, 0.12, 0.5),
    ],
)
def test_rate_and_regularity_in_the_signal(condition: str, slowest: float, fastest: float, least: float, most: float):
    for patient in patients_with(condition, 8):
        leads, _ = record_leads(patient, generator(3, patient.number), mains=50.0)
        rate, variation = detected_rate(leads)
        assert slowest <= rate <= fastest
        assert least <= variation <= most


def test_respiration_moves_the_heart_rate_of_the_young():
    def arrhythmia(age: float) -> float:
        times, _ = beat_times(mean_patient(age=age), generator(4), seconds=300.0)
        return float(np.diff(times).std() / np.diff(times).mean())

    # 0.07 - 0.0007 age, over sqrt 2, with 1.5 % / sqrt 2 and 0.8 % besides
    assert arrhythmia(20) == pytest.approx(np.hypot(np.hypot(0.056, 0.015) / np.sqrt(2), 0.008), rel=0.15)
    assert arrhythmia(80) == pytest.approx(np.hypot(np.hypot(0.014, 0.015) / np.sqrt(2), 0.008), rel=0.15)


# --- the law of age and sex -----------------------------------------------------------------------------------------


def measured(age: float, sex: str) -> tuple[float, float, float]:
    """P peak to R peak (ms), R peak to T peak (ms), R of lead II (mV), read off a clean signal at 60 per minute."""
    lead = clean_beat(mean_patient(age=age, sex=sex))["II"]
    p, t = lead[R - 110 : R - 30], lead[R + 80 : R + 190]

    def peak(part: np.ndarray) -> float:  # a parabola through the top, to beat the 2 ms of a sample
        k = int(part.argmax())
        a, b, _ = np.polyfit([-12, -8, -4, 0, 4, 8, 12], part[[k - 6, k - 4, k - 2, k, k + 2, k + 4, k + 6]], 2)
        return 2.0 * k - b / (2 * a)

    return 220.0 - peak(p), 160.0 + peak(t), float(lead[R])


def test_age_and_sex_shift_intervals_and_voltage_by_the_law():
    man = measured(50, "male")
    for age, sex in ((80, "male"), (50, "female"), (20, "female")):
        years, female = age - 50, sex == "female"
        pr, t, r = measured(age, sex)
        assert pr - man[0] == pytest.approx(0.30 * years - 5.0 * female, abs=1.0)
        # the whole of ST and T scales with QT: 400 ms for the man
        assert t / man[1] == pytest.approx((400 + 0.20 * years + 14.0 * female) / 400, abs=0.006)
        assert r / man[2] == pytest.approx((1 - 0.004 * years) * (0.85 if female else 1.0), rel=0.01)


def test_qt_follows_the_heart_rate():
    patient = mean_patient()
    peaks = []
    for interval in (1.0, 0.7):
        times = np.arange(-3, 12) * interval
        lead = clean_leads(dipole(patient, times, np.zeros(len(times), bool), 2 * RATE))[1]
        peaks.append(lead[75:180].argmax() + 75)
    assert peaks[1] / peaks[0] == pytest.approx(1 - 0.154 * 0.3 / 0.4, abs=0.02)  # Framingham


# --- population -----------------------------------------------------------------------------------------------------


def test_recordings_of_one_patient_resemble_each_other():
    def beat(patient: Patient, record: int) -> np.ndarray:
        leads, times = record_leads(patient, generator(6, patient.number, record), mains=50.0)
        peaks = np.round(times[(times > 0.5) & (times < 9.0)] * RATE).astype(int)
        beats = np.mean([leads[:, k - 30 : k + 200] for k in peaks], axis=0)
        return (beats - beats.mean(axis=1, keepdims=True)).ravel()

    patients = patients_with("NORM", 12)
    first, second = ([beat(patient, record) for patient in patients] for record in (0, 1))
    correlation = np.corrcoef(first, second)[:12, 12:]
    own = np.diag(correlation)
    others = correlation[~np.eye(12, dtype=bool)]
    assert own.min() > 0.85
    assert own.mean() > others.mean() + 0.03
    assert (correlation.argmax(axis=1) == np.arange(12)).mean() >= 0.75


def test_two_records_of_a_patient_are_not_the_same():
    patient = draw_patient((0, 5), 1)
    a, _ = record_leads(patient, generator(0, 5, 1, 0), mains=50.0)
    b, _ = record_leads(patient, generator(0, 5, 1, 1), mains=50.0)
    assert abs(np.corrcoef(a[1], b[1])[0, 1]) < 0.9
    assert a.shape == (8, RATE * SECONDS)


def test_fibrillatory_waves_are_there_while_the_atria_fibrillate():
    """Recordings add up, so two that differ in their size alone differ by these waves alone."""
    with_waves, without = (
        replace(mean_patient("AFIB"), look=replace(TEXTBOOK, episode=(3.0, 7.0), f_waves=size)) for size in (1.0, 0.0)
    )
    first, second = (record_leads(one, generator(8), mains=50.0)[0] for one in (with_waves, without))
    size = np.abs(first - second)[INDEPENDENT_LEADS.index("V1")].reshape(SECONDS, RATE).max(axis=1)  # of each second
    assert (size[3:7] > 0.03).all()
    assert (np.delete(size, range(2, 8)) < 1e-6).all()
