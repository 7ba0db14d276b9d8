"""One synthetic recording: a rhythm, the dipole that it moves, the leads that see it, and noise.

The eight independent leads (I II V1-V6) are computed; the other four follow from I and II after
quantization, so Einthoven's and Goldberger's laws hold exactly in the files. All noise enters as
potentials of the nine electrodes, so the laws hold under noise as they do at a bedside.

Shapes: b beats, w waves, n samples, e electrodes (RA LA LL C1-C6), l independent leads (8).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ecglfm.sources.synthesis.patient import PR_MS, QT_PER_RR, QTC_MS, Patient, generator, make_patient
from ecglfm.sources.synthesis.rhythm import SECONDS, beat_forms, beat_times, fibrillates
from ecglfm.sources.synthesis.setting import QUIET, RATE, Setting

INDEPENDENT_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")

#: What each independent lead sees of a Frank dipole (x left, y down, z back): Dower 1968, as printed in
#: Edenbrandt & Pahlm 1988, J Electrocardiol 21:361.
LEAD_VECTORS = np.array(
    [
        (0.632, -0.235, 0.059),
        (0.235, 1.066, -0.132),
        (-0.515, 0.157, -0.917),
        (0.044, 0.164, -1.387),
        (0.882, 0.098, -1.277),
        (1.213, 0.127, -0.601),
        (1.125, 0.127, -0.086),
        (0.831, 0.076, 0.230),
    ]
)
#: Leads from electrode potentials: I = LA - RA, II = LL - RA, Vi = Ci - (RA + LA + LL) / 3 (Wilson).
ELECTRODES_TO_LEADS = np.zeros((9, 8))
ELECTRODES_TO_LEADS[[0, 1], 0] = -1.0, 1.0
ELECTRODES_TO_LEADS[[0, 2], 1] = -1.0, 1.0
ELECTRODES_TO_LEADS[:3, 2:] = -1.0 / 3.0
ELECTRODES_TO_LEADS[range(3, 9), range(2, 8)] = 1.0

#: Fibrillatory waves point at V1; mV.
_F_WAVE = np.array([-0.015, 0.030, -0.055])
#: Breathing swings the axis in the frontal plane (rad) and the amplitude (share).
_BREATH_SWING, _BREATH_GAIN = 0.06, 0.05


def _bumps(out: np.ndarray, centres: np.ndarray, sigmas: np.ndarray, rate: float) -> None:
    """Fill each row of `out` (w, n) with Gaussians of height 1, one per beat.

    A sample belongs to the beat whose centre is nearest, which cuts a Gaussian where the next one equals it.

    Parameters
    ----------
    out : ndarray of float32, shape (w, n)
    centres, sigmas : ndarray, shape (w, b)
        s.
    rate : float
        Hz.
    """
    n = out.shape[1]
    middles = np.clip(np.ceil((centres[:, 1:] + centres[:, :-1]) * (rate / 2.0)), 0, n).astype(np.int64)
    edges = np.concatenate([np.zeros((len(out), 1), np.int64), middles, np.full((len(out), 1), n)], axis=1)
    counts = np.diff(np.maximum.accumulate(edges, axis=1), axis=1)
    scales = (1.0 / (np.sqrt(2.0) * rate * sigmas)).astype(np.float32)
    shifts = (centres * rate).astype(np.float32)
    samples = np.arange(n, dtype=np.float32)
    for row, count, shift, scale in zip(out, counts, shifts, scales, strict=True):
        np.subtract(samples, np.repeat(shift, count), out=row)
        row *= np.repeat(scale, count)
    np.square(out, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)


def dipole(patient: Patient, times: np.ndarray, ectopic: np.ndarray, n: int, rate: float = RATE) -> np.ndarray:
    """The heart's dipole, from the waves of every beat.

    Parameters
    ----------
    patient : Patient
    times, ectopic : ndarray, shape (b,)
        As `beat_times` gives them.
    n : int
        Samples.
    rate : float
        Hz.

    Returns
    -------
    ndarray of float32, shape (3, n)
        mV along x, y, z.
    """
    before = np.diff(times, prepend=2 * times[0] - times[1])
    stretch = (patient.qtc + QT_PER_RR * (np.clip(before, 0.3, 1.6) - 1.0)) / (QTC_MS / 1000.0)
    total = np.zeros((3, n), dtype=np.float32)
    for form in beat_forms(patient, times, ectopic):
        chosen, waves = form.chosen, form.waves
        if not chosen.any():
            continue
        offsets = np.repeat(waves[:, :1], chosen.sum(), axis=1)
        sigmas = np.repeat(waves[:, 1:2], chosen.sum(), axis=1)
        offsets[: form.n_p] -= patient.pr - PR_MS / 1000.0
        offsets[len(waves) - form.n_t :] *= stretch[chosen]
        sigmas[len(waves) - form.n_t :] *= stretch[chosen]
        bumps = np.empty((len(waves), n), dtype=np.float32)
        _bumps(bumps, times[chosen] + offsets, sigmas, rate)
        total += waves[:, 2:].T.astype(np.float32) @ bumps
    return total


def clean_leads(dipole_3n: np.ndarray) -> np.ndarray:
    """The independent leads of a dipole without noise: float32 mV, shape (8, n)."""
    return LEAD_VECTORS.astype(np.float32) @ dipole_3n


def sinus_rhythm(*, seconds: float, rate: float) -> np.ndarray:
    """A textbook heart in sinus rhythm, the same at every call: float32 mV of `INDEPENDENT_LEADS`, shape (8, n).

    Parameters
    ----------
    seconds : float
    rate : float
        Hz.
    """
    patient = make_patient(0, "sinus", ectopy=False, age=50.0, sex="female", rng=None)
    times, ectopic = beat_times(patient, generator(0), seconds=seconds)
    return clean_leads(dipole(patient, times, ectopic, round(seconds * rate), rate))


@cache
def _mains(n: int, frequency: float) -> np.ndarray:
    """Sine and cosine of the mains frequency and of its third harmonic, shape (4, n)."""
    phase = 2 * np.pi * frequency * np.arange(n) / RATE
    return np.stack([np.sin(phase), np.cos(phase), np.sin(3 * phase), np.cos(3 * phase)]).astype(np.float32)


def record_leads(
    patient: Patient, rng: np.random.Generator, *, mains: float, setting: Setting = QUIET
) -> tuple[np.ndarray, np.ndarray]:
    """One recording of a patient, with breathing, electrode misplacement and noise.

    Parameters
    ----------
    patient : Patient
    rng : Generator
        Of this recording alone.
    mains : float
        Mains frequency, Hz.
    setting : Setting
        Where it is made and how well.

    Returns
    -------
    leads : ndarray of float32, shape (8, n)
        `INDEPENDENT_LEADS` in mV.
    times : ndarray, shape (b,)
        R peaks, s.
    """
    n = RATE * SECONDS
    times, ectopic = beat_times(patient, rng)
    seconds = np.arange(n, dtype=np.float32) / np.float32(RATE)
    basis = np.empty(
        (3 + 3 + 1 + 5 + 4 + 9, n), dtype=np.float32
    )  # each row a source, seen by the leads through `seen`
    seen = np.empty((len(basis), 8))

    vectors = LEAD_VECTORS.copy()
    vectors[2:] += rng.normal(0.0, setting.placement, (6, 3))  # chest electrodes are never placed twice alike
    basis[:3] = dipole(patient, times, ectopic, n)
    seen[:3] = vectors.T
    np.sin(np.float32(2 * np.pi) * (np.float32(patient.breathing) * seconds + np.float32(rng.random())), out=basis[7])
    np.multiply(basis[:3], basis[7], out=basis[3:6])
    turn = np.array([[0.0, -_BREATH_SWING, 0.0], [_BREATH_SWING, 0.0, 0.0], [0.0, 0.0, 0.0]])
    seen[3:6] = (vectors @ (turn + _BREATH_GAIN * np.eye(3))).T

    if patient.condition == "AFIB":
        basis[6] = _f_waves(rng, seconds) * fibrillates(patient, seconds)
    else:
        basis[6] = 0.0
    seen[6] = vectors @ _F_WAVE * patient.look.f_waves

    slow = np.sort(rng.uniform(0.03, 0.6, 4)).astype(np.float32)[:, None]  # basis[7] is the breathing one
    np.sin(np.float32(2 * np.pi) * (slow * seconds + rng.random((4, 1), dtype=np.float32)), out=basis[8:12])
    wander = setting.wander * 0.03 * np.exp(0.6 * rng.standard_normal()) * rng.standard_normal((5, 9))
    seen[7:12] = wander @ ELECTRODES_TO_LEADS

    basis[12:16] = _mains(n, mains)
    hum = (
        setting.hum
        * 0.004
        * np.exp(0.8 * rng.standard_normal())
        * rng.standard_normal((4, 9))
        * [[1.0], [1.0], [0.2], [0.2]]
    )
    seen[12:16] = hum @ ELECTRODES_TO_LEADS

    muscle = _muscle(rng, n + 1)
    np.subtract(muscle[:, 1:], np.float32(0.4) * muscle[:, :-1], out=basis[16:])  # surface EMG has little below 20 Hz
    strength = setting.muscle * 0.006 * np.exp(0.5 * rng.standard_normal()) * np.exp(0.3 * rng.standard_normal((9, 1)))
    seen[16:] = strength * ELECTRODES_TO_LEADS
    leads = seen.T.astype(np.float32) @ basis
    return setting.finish(leads, ELECTRODES_TO_LEADS, rng), times


def _muscle(rng: np.random.Generator, n: int) -> np.ndarray:
    """White noise of variance 1, shape (9, n): sums of two random bytes, seven times as fast as normal deviates."""
    first, second = np.frombuffer(rng.bytes(2 * 9 * n), dtype=np.int8).reshape(2, 9, n)
    noise = np.add(first, second, dtype=np.int16).astype(np.float32)
    noise *= np.float32(1.0 / np.sqrt(2.0 * (256.0**2 - 1.0) / 12.0))
    return noise


def _f_waves(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Fibrillatory waves of 4-8 Hz that drift in frequency and size, about 1 high."""
    f0, drift, slow = rng.uniform(4.5, 7.5), rng.uniform(0.5, 1.5), rng.uniform(0.15, 0.4)
    phase = 2 * np.pi * (f0 * seconds + rng.random()) + drift / slow * np.sin(2 * np.pi * slow * seconds)
    size = 1.0 + 0.3 * np.sin(2 * np.pi * (0.3 * seconds + rng.random()))
    wave: np.ndarray = (size * (np.sin(phase) + 0.35 * np.sin(2 * phase + 0.8))).astype(np.float32)
    return wave


def quantize(leads_ln: np.ndarray, gain: float) -> np.ndarray:
    """Twelve leads as int16 steps; III, aVR, aVL, aVF follow from the quantized I and II.

    III = II - I exactly; aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2 to half a step.

    Parameters
    ----------
    leads_ln : ndarray of float, shape (8, n)
        `INDEPENDENT_LEADS` in mV.
    gain : float
        Steps per mV.

    Returns
    -------
    ndarray of int16, shape (n, 12)
        In the standard lead order.
    """
    steps = np.rint(leads_ln * np.float32(gain)).astype(np.int16)
    one, two = steps[:2]
    rest = (two - one, -(one + two) // 2, (2 * one - two) // 2, (2 * two - one) // 2)
    return np.ascontiguousarray(np.concatenate([steps[:2], rest, steps[2:]]).T)
