"""Biomarkers of one recording: what a cardiologist reads off it, measured on its average beat.

Waves are those of `ecglfm.evaluation.beats`, whose beginnings and ends lie nearer to the cardiologists' of LUDB than
NeuroKit2's (`dwt`) do. Levels are against the flat stretch before QRS. Of signals that a high-pass filter of more than
0.05 Hz has passed, ST levels are distorted (Kligfield et al. 2007, doi:10.1161/CIRCULATIONAHA.106.180200).

Shapes: n samples, l leads, w samples of an average beat.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import find_peaks

from ecglfm.config import LEADS
from ecglfm.evaluation.beats import AverageBeat, average_beat, delineate, find_beats, frontal_axis

_QT_LONGEST = 0.75  # of the time between beats: beyond, the next beat's P was taken for T
_ST_AFTER = 0.06  # s after the end of QRS
_DRIFT = np.linspace(-0.2, 0.2, 9)  # Hz, by which the mains may be off
_WAVE = 0.03  # mV that an R stands out by, at least

INTERVALS = ("rr_ms", "heart_rate", "p_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms")
AXES = ("p_axis", "qrs_axis", "t_axis")
VOLTAGES = ("sokolow_lyon_mv", "cornell_mv")
#: Every biomarker, in the order of tables: ms, beats a minute, degrees, mV.
NAMES = (
    *INTERVALS, *AXES, *VOLTAGES,
    *(f"{wave}_mv.{lead}" for wave in ("r", "s", "st") for lead in LEADS),
)  # fmt: skip


def measure_biomarkers(
    signal_mv: np.ndarray, fs: float, leads: list[str], *, mains: float | None = None
) -> dict[str, float]:
    """Measure the average beat of a recording.

    Parameters
    ----------
    signal_mv : ndarray of float, shape (n, l)
        mV; a lead that is flat throughout was not recorded.
    fs : float
        Hz.
    leads : list of str
        Names of the columns.
    mains : float, optional
        Frequency of a hum that is taken out first, Hz.

    Returns
    -------
    dict of str to float
        A value for each of `NAMES`, NaN where it cannot be measured. `rr_ms` is the median time between two beats that
        follow each other and look alike. Corrected QT is Bazett's, QT / RR^(1/2) (Heart 1920;7:353), and Fridericia's,
        QT / RR^(1/3) (Acta Med Scand 1920;53:469), RR in s. Axes are those of a wave's net area in I and aVF. `r_mv` is
        the height of the highest peak of QRS, `s_mv` the depth below zero behind it (of all of QRS where there is no
        peak), `st_mv` the level 60 ms after QRS. Sokolow-Lyon: S in V1 + the larger R of V5 and V6 (Sokolow and Lyon
        1949, doi:10.1016/0002-8703(49)90562-1). Cornell: R in aVL + S in V3 (Casale et al. 1985,
        doi:10.1016/S0735-1097(85)80115-7).
    """
    found = dict.fromkeys(NAMES, math.nan)
    there = np.ptp(np.nan_to_num(signal_mv), axis=0) > 0 if len(signal_mv) else np.zeros(len(leads), bool)
    recorded = np.nan_to_num(signal_mv[:, there])
    if mains is not None and len(recorded) > fs:
        recorded = without_hum(recorded, fs, mains)
    names = [lead for lead, has in zip(leads, there, strict=True) if has]
    beats = find_beats(recorded, fs)
    beat = average_beat(recorded, fs, beats)
    if beat is None:
        return found
    rr = _rr(beat, beats)
    waves = delineate(beat)
    qt = waves.t_offset - waves.qrs_onset
    if qt > _QT_LONGEST * rr:
        qt = math.nan
    seconds = {
        "rr_ms": rr, "p_ms": waves.p_offset - waves.p_onset, "pr_ms": waves.qrs_onset - waves.p_onset,
        "qrs_ms": waves.qrs_offset - waves.qrs_onset, "qt_ms": qt,
    }  # fmt: skip
    found |= {name: 1000.0 * value for name, value in seconds.items()}
    found["heart_rate"] = 60.0 / rr
    found |= corrected_qt(found["qt_ms"], found["rr_ms"])
    for name, start, end in (
        ("p_axis", waves.p_onset, waves.p_offset),
        ("qrs_axis", waves.qrs_onset, waves.qrs_offset),
        ("t_axis", waves.t_onset, waves.t_offset),
    ):
        found[name] = frontal_axis(beat, names, start, end)
    if not math.isnan(waves.qrs_onset):
        found |= _voltages(beat, names, waves.qrs_onset, waves.qrs_offset)
    return found


def corrected_qt(qt_ms: float, rr_ms: float) -> dict[str, float]:
    """QT as it would be at 60 beats a minute, ms, by Bazett and by Fridericia."""
    rr = rr_ms / 1000.0
    return {"qtc_bazett_ms": qt_ms / math.sqrt(rr), "qtc_fridericia_ms": qt_ms / math.cbrt(rr)}


def without_hum(signal_nl: np.ndarray, fs: float, mains: float) -> np.ndarray:
    """The signal less the sines of the mains' frequency and of its third harmonic that fit it best, lead by lead.

    A notch would ring for 100 ms around each QRS complex, whose beginning and end would move by as much.

    Parameters
    ----------
    signal_nl : ndarray, shape (n, l)
    fs, mains : float
        Hz.
    """
    seconds = np.arange(len(signal_nl)) / fs
    centred = signal_nl - signal_nl.mean(axis=0)
    best = np.zeros_like(centred)
    for drift in _DRIFT:
        waves = [
            2 * np.pi * harmonic * (mains + drift) * seconds for harmonic in (1, 3) if harmonic * mains < 0.45 * fs
        ]
        basis = np.column_stack([part(wave) for wave in waves for part in (np.sin, np.cos)] or [np.zeros(len(seconds))])
        hum = basis @ np.linalg.lstsq(basis, centred, rcond=None)[0]
        best = hum if (hum**2).sum() > (best**2).sum() else best
    return signal_nl - best


def _rr(beat: AverageBeat, beats: np.ndarray) -> float:
    """Median time between beats of the average of which none stands between, s; `beat.rr` where there are no such."""
    place = np.abs(beats[:, None] - beat.beats[None]).argmin(axis=0)
    next_to = np.diff(place) == 1
    return float(np.median(np.diff(beat.beats)[next_to]) / beat.sampling_rate) if next_to.any() else beat.rr


def _voltages(beat: AverageBeat, leads: list[str], onset: float, offset: float) -> dict[str, float]:
    """Heights of R and depths of S, levels of ST, and the two indices, mV."""
    fs = beat.sampling_rate
    first, last = (beat.center + round(second * fs) for second in (onset, offset))
    st = beat.center + round((offset + _ST_AFTER) * fs)
    found = dict.fromkeys([name for name in NAMES if name.endswith("_mv") or "_mv." in name], math.nan)
    for lead, trace in zip(leads, beat.signal.T, strict=True):
        if lead not in LEADS:
            continue
        qrs = trace[max(0, first - 1) : last + 2]
        peaks = find_peaks(qrs, height=0.0, prominence=_WAVE)[0]
        peak = int(peaks[np.argmax(qrs[peaks])]) if len(peaks) else None
        found[f"r_mv.{lead}"] = 0.0 if peak is None else float(qrs[peak])
        found[f"s_mv.{lead}"] = max(0.0, -float(qrs[peak or 0 :].min()))
        if st < len(trace):
            found[f"st_mv.{lead}"] = float(np.median(trace[max(0, st - 1) : st + 2]))
    found["sokolow_lyon_mv"] = found["s_mv.V1"] + float(np.fmax(found["r_mv.V5"], found["r_mv.V6"]))
    found["cornell_mv"] = found["r_mv.aVL"] + found["s_mv.V3"]
    return found
