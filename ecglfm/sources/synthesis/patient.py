"""Patients of the synthetic database: who they are, what they have, and the laws that link the two.

A patient's heart is a moving dipole (`waves.py`) that keeps direction, size and timing of its waves in all recordings,
so that two of them resemble each other more than those of other patients. What is planted here, and only that, is the
truth that a model can learn. `visit.py` says what of it shows in one recording.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Literal

import numpy as np

from ecglfm.sources.synthesis.look import TEXTBOOK, Look
from ecglfm.sources.synthesis.waves import N_P, N_QRS, N_T, Shares, ectopic_waves, mixed_waves, rotation

Sex = Literal["female", "male"]
Population = tuple[int, int]  # number of the layout, seed: two databases never share a patient

#: Share of patients with each condition; every label reaches 10 % of the records.
PREVALENCE = {"NORM": 0.33, "AFIB": 0.11, "SBRAD": 0.11, "SVTAC": 0.11, "CLBBB": 0.11, "AMI": 0.12, "IMI": 0.11}
_CONDITIONS = list(PREVALENCE)
#: At difficulty 1: years by which patients with a condition are older than others, and the share of women among them.
_OLDER = {"NORM": -8.0, "AFIB": 12.0, "SBRAD": -2.0, "SVTAC": -8.0, "CLBBB": 11.0, "AMI": 6.0, "IMI": 6.0}
_WOMEN = {"AMI": 0.33, "IMI": 0.33, "SVTAC": 0.6}
_BOUNDS = list(accumulate(PREVALENCE.values()))[:-1]
#: Share of patients in sinus rhythm who also have ventricular ectopy, in every recording.
PVC_PREVALENCE = 0.2

#: Law of age and sex, around a man of 50 years. Ageing slows conduction and repolarization and lowers
#: voltages; women have shorter PR, longer QTc and lower voltages (directions as in Macfarlane et al.,
#: Comprehensive Electrocardiology, 2010, ch. 13; the slopes are ours, and are what a test measures).
PR_MS, PR_PER_YEAR, PR_FEMALE = 155.0, 0.30, -5.0
QTC_MS, QTC_PER_YEAR, QTC_FEMALE = 400.0, 0.20, 14.0
VOLTAGE_PER_YEAR, VOLTAGE_FEMALE = -0.004, -0.15
#: QT = QTc + 0.154 (RR - 1 s): Sagie et al. 1992, doi:10.1016/0002-9149(92)90562-D (Framingham).
QT_PER_RR = 0.154

#: How people of one age and sex differ: PR and QTc in seconds, amplitude in its logarithm.
PR_SPREAD, QTC_SPREAD, VOLTAGE_SPREAD = 0.012, 0.010, 0.12

#: Heart rate at rest: mean, spread between patients, lowest, highest (per minute).
HEART_RATE = {
    "sinus": (74.0, 9.0, 62.0, 96.0),
    "SBRAD": (50.0, 5.0, 40.0, 56.0),
    "AFIB": (92.0, 16.0, 65.0, 130.0),
    "SVTAC": (175.0, 14.0, 152.0, 205.0),
}

#: How far the direction of each wave strays by itself, as a share of its dipole. Without it, hearts differ by one
#: turn and some sizes, and of 10,000 patients 29 pairs had recordings as alike as copies (audit, 0.98).
_WAVE_SPREAD = 0.2


@dataclass(frozen=True)
class Patient:
    """One synthetic patient.

    Attributes
    ----------
    number : int
        From 0.
    condition : str
        A key of `PREVALENCE`.
    ectopy : bool
        Has ventricular premature beats.
    age : float
        Years.
    sex : {"female", "male"}
    heart_rate : float
        Per minute at rest.
    breathing : float
        Breaths per second.
    waves : ndarray, shape (n_waves, 5)
        Normal beats: centre (s), sigma (s), dipole x, y, z (mV).
    n_p, n_t : int
        The first `n_p` waves are P, the last `n_t` ST and T, whose timing follows the RR interval.
    aberrant_waves : ndarray, shape (n_waves, 5)
        Beats that come before a bundle has recovered.
    ectopic_waves : ndarray, shape (4, 5)
        Premature beats, same columns; (0, 5) without ectopy.
    pr, qtc : float
        This patient's intervals (s).
    voltage : float
        Amplitude, relative to a man of 50.
    look : Look
        How much of all this shows.
    """

    number: int
    condition: str
    ectopy: bool
    age: float
    sex: Sex
    heart_rate: float
    breathing: float
    waves: np.ndarray
    n_p: int
    n_t: int
    aberrant_waves: np.ndarray
    ectopic_waves: np.ndarray
    pr: float
    qtc: float
    voltage: float
    look: Look = TEXTBOOK


def pr_law(age: float, sex: Sex) -> float:
    """Mean PR interval at that age, s."""
    return (PR_MS + PR_PER_YEAR * (age - 50.0) + PR_FEMALE * (sex == "female")) / 1000.0


def qtc_law(age: float, sex: Sex) -> float:
    """Mean QT interval at that age and 60 beats per minute, s."""
    return (QTC_MS + QTC_PER_YEAR * (age - 50.0) + QTC_FEMALE * (sex == "female")) / 1000.0


def voltage_law(age: float, sex: Sex) -> float:
    """Mean amplitude at that age, relative to a man of 50."""
    return (1.0 + VOLTAGE_PER_YEAR * (age - 50.0)) * (1.0 + VOLTAGE_FEMALE * (sex == "female"))


def generator(*key: int) -> np.random.Generator:
    """Random numbers of one thing, whoever draws them: the key says all.

    `SeedSequence` takes trailing zeros for absent, hence the shift by one.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([part + 1 for part in key])))


def condition_of(population: Population, patient: int) -> tuple[str, bool]:
    """Condition and ventricular ectopy of a patient.

    The golden ratio's multiples fill 0..1 evenly, so any run of patients has the shares of `PREVALENCE`
    to within a few patients; a second such sequence (the plastic number's) decides on ectopy.
    """
    first, second = _start(population)
    place = (first + patient * 0.6180339887498949) % 1.0
    condition = _CONDITIONS[bisect(_BOUNDS, place)]
    ectopy = (second + patient * 0.7548776662466927) % 1.0 < PVC_PREVALENCE
    return condition, ectopy and condition not in {"AFIB", "SVTAC"}


@cache
def _start(population: Population) -> tuple[float, float]:
    first, second = generator(*population).random(2).tolist()
    return first, second


def draw_patient(
    population: Population, patient: int, *, difficulty: float = 0.0, shown: tuple[str, bool, Look] | None = None
) -> Patient:
    """Draw patient number `patient` of a population; independent of every other patient.

    Parameters
    ----------
    population, patient
        Who.
    difficulty : float
        0 to 1: how much age and sex go with the condition.
    shown : (condition, ectopy, look), optional
        What shows of the same heart in a recording, instead of all that the patient has.
    """
    rng = generator(*population, patient)
    condition, ectopy = condition_of(population, patient)
    age = float(np.round(np.clip(rng.normal(58.0, 17.0) + difficulty * _OLDER[condition], 18.0, 96.0)))
    women = 0.5 + difficulty * (_WOMEN.get(condition, 0.5) - 0.5)
    sex: Sex = "female" if rng.random() < women else "male"
    condition, ectopy, look = shown or (condition, ectopy, TEXTBOOK)
    return make_patient(patient, condition, ectopy=ectopy, age=age, sex=sex, rng=rng, look=look)


def make_patient(
    number: int,
    condition: str,
    *,
    ectopy: bool,
    age: float,
    sex: Sex,
    rng: np.random.Generator | None,
    look: Look = TEXTBOOK,
) -> Patient:
    """Make the patient with these attributes; `rng` None gives the mean anatomy, without individual variation.

    What is drawn depends on neither condition nor look: the same `rng` makes the same heart, whatever it shows.
    """
    spread = 0.0 if rng is None else 1.0
    rng = rng or generator(0)
    mean, between, low, high = HEART_RATE.get(condition, HEART_RATE["sinus"])
    pr = pr_law(age, sex) + spread * PR_SPREAD * rng.standard_normal()
    qtc = qtc_law(age, sex) + spread * QTC_SPREAD * rng.standard_normal()
    voltage = voltage_law(age, sex) * np.exp(spread * VOLTAGE_SPREAD * rng.standard_normal())
    heart_rate = min(max(mean + spread * between * rng.standard_normal(), low), high)
    turn = rotation(look.turn * spread * rng.normal(0.0, np.deg2rad([10.0, 10.0, 14.0])))
    count = N_P + N_QRS + N_T
    sizes = voltage * np.exp(spread * 0.12 * rng.standard_normal((count, 1)))
    stray = rng.spawn(1)[0].standard_normal((count, 3))  # a stream beside `rng`, whose later numbers stay as they are
    widths = np.exp(spread * 0.05 * rng.standard_normal(count))
    n_p = 0 if condition == "SVTAC" or (condition == "AFIB" and look.episode is None) else N_P

    def own(shares: Shares) -> np.ndarray:
        """The waves of this heart."""
        waves = mixed_waves(shares or ((condition, 1.0),), look.injury).copy()
        waves[:, 2:] = (waves[:, 2:] @ turn.T) * sizes
        waves[:, 2:] += spread * _WAVE_SPREAD * np.linalg.norm(waves[:, 2:], axis=1, keepdims=True) * stray
        waves[:, 1] *= widths
        waves[:N_P, 2:] *= look.p_size
        waves[N_P : N_P + N_QRS, :2] *= look.qrs_time
        return waves[N_P - n_p :]

    return Patient(
        number=number,
        condition=condition,
        ectopy=ectopy,
        age=age,
        sex=sex,
        heart_rate=heart_rate,
        breathing=float(rng.uniform(0.2, 0.3)),
        waves=own(look.shares),
        n_p=n_p,
        n_t=N_T,
        aberrant_waves=own(look.aberrant or look.shares),
        ectopic_waves=ectopic_waves(rng, voltage * look.ectopic_size, look.ectopic_time)
        if ectopy
        else np.empty((0, 5)),
        pr=float(pr),
        qtc=float(qtc),
        voltage=float(voltage),
        look=look,
    )
