"""Patients of the synthetic database: who they are, what they have, and the laws that link the two.

A patient's heart is a moving dipole: each wave of the beat (P, Q, R, S, ST, T) is a Gaussian in time along
a fixed direction in the body (McSharry et al. 2003, doi:10.1109/TBME.2003.808805, in 3-D as Sameni et al.
2007, doi:10.1155/2007/43407). Axes are Frank's: x to the patient's left, y to the feet, z to the back.
A patient keeps direction, size and timing of the waves in all recordings, so that two of them resemble
each other more than those of other patients. What is planted here, and only that, is the truth that a
model can learn. `visit.py` says what of it shows in one recording.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Literal

import numpy as np

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

# Each wave: centre relative to the R peak (ms), width sigma (ms), dipole (mV along x, y, z). The centres of
# the P waves stand for PR_MS, those of ST and T for QTC_MS at 60 per minute; `Heart` shifts them.
_P = [(-125.0, 18.0, (0.030, 0.065, -0.045)), (-100.0, 20.0, (0.065, 0.070, 0.045))]
_T = [(215.0, 52.0, (0.14, 0.11, -0.07)), (262.0, 34.0, (0.26, 0.18, -0.12))]
_NO_ST = [(115.0, 38.0, (0.0, 0.0, 0.0))]
_QRS = [
    (-26.0, 7.0, (-0.13, -0.04, -0.16)),  # septum: small q left, small r in V1
    (0.0, 11.0, (1.05, 0.85, 0.22)),  # free wall of the left ventricle
    (24.0, 10.0, (0.02, -0.18, 0.52)),  # base: S in V1-V3
]
_LBBB_QRS = [  # no septal q; slow spread leftwards and backwards, notched
    (-24.0, 17.0, (0.55, 0.25, 0.35)),
    (8.0, 21.0, (0.75, 0.30, 0.75)),
    (44.0, 19.0, (0.85, 0.18, 0.60)),
]
_LBBB_ST = [(125.0, 45.0, (-0.14, -0.05, -0.16))]  # against the QRS
_LBBB_T = [(235.0, 55.0, (-0.20, -0.06, -0.20)), (285.0, 38.0, (-0.24, -0.07, -0.22))]
_AMI_QRS = [  # dead anterior wall: first forces backwards, R lost in V2-V4
    (-22.0, 12.0, (-0.05, 0.03, 0.60)),
    (2.0, 11.0, (0.80, 0.75, 0.45)),
    (24.0, 10.0, (0.02, -0.15, 0.50)),
]
_AMI_ST = [(120.0, 42.0, (0.02, 0.00, -0.24))]  # injury current towards V1-V4
_IMI_QRS = [  # dead inferior wall: first forces upwards
    (-22.0, 12.0, (0.05, -0.55, -0.08)),
    (2.0, 11.0, (1.05, 0.55, 0.22)),
    (24.0, 10.0, (0.02, -0.12, 0.48)),
]
_IMI_ST = [(120.0, 42.0, (-0.04, 0.25, 0.03))]  # towards II III aVF, away from I and aVL
_SVT_ST = [(95.0, 28.0, (-0.05, -0.06, 0.02))]  # retrograde P in the ST segment


@dataclass(frozen=True)
class Look:
    """How much of a condition shows; the defaults are a textbook's.

    Attributes
    ----------
    shares : tuple of (condition, share)
        By how much the waves are a condition's and no normal heart's, 0 to 1; empty: the patient's, by 1.
    injury : float
        Share of an infarction's ST elevation.
    f_waves : float
        Size of fibrillatory waves, 1 about 0.06 mV in V1.
    irregularity : float
        Standard deviation of the logarithm of RR in atrial fibrillation.
    ectopic_size : float
        Size of premature ventricular beats.
    ectopic_beats : int or None
        Number of premature ventricular beats in a recording; None: every second to fourth beat.
    early_beats : int
        Number of premature atrial beats, narrow as the others.
    """

    shares: tuple[tuple[str, float], ...] = ()
    injury: float = 1.0
    f_waves: float = 1.0
    irregularity: float = 0.24
    ectopic_size: float = 1.0
    ectopic_beats: int | None = None
    early_beats: int = 0


TEXTBOOK = Look()


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
    waves = _waves(look.shares or ((condition, 1.0),), look.injury).copy()
    turn = _rotation(spread * rng.normal(0.0, np.deg2rad([10.0, 10.0, 14.0])))
    waves[:, 2:] = waves[:, 2:] @ turn.T
    waves[:, 2:] *= voltage * np.exp(spread * 0.12 * rng.standard_normal((len(waves), 1)))
    strength = np.linalg.norm(waves[:, 2:], axis=1, keepdims=True)
    own = rng.spawn(1)[0]  # a stream beside `rng`, whose later numbers stay as they are
    waves[:, 2:] += spread * _WAVE_SPREAD * strength * own.standard_normal((len(waves), 3))
    waves[:, 1] *= np.exp(spread * 0.05 * rng.standard_normal(len(waves)))
    n_p = 0 if condition in {"AFIB", "SVTAC"} else len(_P)
    return Patient(
        number=number,
        condition=condition,
        ectopy=ectopy,
        age=age,
        sex=sex,
        heart_rate=heart_rate,
        breathing=float(rng.uniform(0.2, 0.3)),
        waves=waves[len(_P) - n_p :],
        n_p=n_p,
        n_t=len(_NO_ST) + len(_T),
        ectopic_waves=_ectopic_waves(rng, voltage * look.ectopic_size) if ectopy else np.empty((0, 5)),
        pr=float(pr),
        qtc=float(qtc),
        voltage=float(voltage),
        look=look,
    )


@cache
def _condition_waves(condition: str) -> np.ndarray:
    """Mean waves of a condition in s and mV, shape (8, 5): two of P, three of QRS, one of ST, two of T."""
    qrs = {"CLBBB": _LBBB_QRS, "AMI": _AMI_QRS, "IMI": _IMI_QRS}.get(condition, _QRS)
    st = {"CLBBB": _LBBB_ST, "AMI": _AMI_ST, "IMI": _IMI_ST, "SVTAC": _SVT_ST}.get(condition, _NO_ST)
    t = _LBBB_T if condition == "CLBBB" else _T
    rows = [(centre / 1000.0, sigma / 1000.0, *dipole) for centre, sigma, dipole in [*_P, *qrs, *st, *t]]
    return np.array(rows)


def _waves(shares: tuple[tuple[str, float], ...], injury: float) -> np.ndarray:
    """Mean waves of a normal heart, moved towards those of conditions by their shares."""
    normal = _condition_waves("NORM")
    total = normal.copy()
    for condition, share in shares:
        change = share * (_condition_waves(condition) - normal)
        if condition in {"AMI", "IMI"}:
            change[len(_P) + len(_QRS)] *= injury
        total += change
    return total


def _ectopic_waves(rng: np.random.Generator, voltage: float) -> np.ndarray:
    """A wide, large QRS from a focus of the patient's own, and a T wave against it."""
    side = rng.choice([-1.0, 1.0])  # left: towards V6 and backwards; right: towards V1
    direction = np.array([side * 0.75, rng.uniform(-0.8, 0.9), side * 0.6 + rng.normal(0.0, 0.2)])
    direction *= voltage * rng.uniform(1.7, 2.3) / np.linalg.norm(direction)
    across = np.cross(direction, [0.0, 0.0, 1.0])
    rows = [
        (-0.020, 0.022, *(0.6 * direction + 0.2 * across)),
        (0.024, 0.027, *(0.9 * direction - 0.2 * across)),
        (0.260, 0.055, *(-0.30 * direction)),
        (0.305, 0.038, *(-0.25 * direction)),
    ]
    return np.array(rows)


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation about x, then y, then z, by `angles` (radians)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
