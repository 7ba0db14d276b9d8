"""Rate, PR, QRS, QT, QTc and axis of a recording, as its average beat has them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ecglfm.evaluation.beats.delineation import delineate
from ecglfm.evaluation.beats.peaks import AverageBeat, average_beat

_QT_LONGEST = 0.75  # of the time between beats


class Intervals(NamedTuple):
    """Milliseconds, but for rate (per minute) and axis (degrees); None where it cannot be measured."""

    rate: int | None = None
    pr: int | None = None
    qrs: int | None = None
    qt: int | None = None
    qtc: int | None = None
    axis: int | None = None

    def text(self) -> str:
        """`72/min    PR 160    QRS 92    QT 390    QTc 412 ms    axis 45°`, a dash for what is not there."""
        if self == Intervals():
            return "no intervals: fewer than two whole beats were found"
        if self == Intervals(rate=self.rate):
            return f"{self.rate}/min    no intervals: it cannot be told where waves begin and end"
        value = {name: "–" if one is None else str(one) for name, one in self._asdict().items()}
        axis = "–" if self.axis is None else f"{self.axis}°"
        return (
            f"{value['rate']}/min    PR {value['pr']}    QRS {value['qrs']}    QT {value['qt']}    "
            f"QTc {value['qtc']} ms    axis {axis}"
        )


def measure_intervals(signal_mv: np.ndarray, fs: float, leads: list[str]) -> Intervals:
    """Measure the average beat of a recording.

    QTc is Bazett's, QT / sqrt(RR / 1 s), which recorders print. The axis is that of the net area of QRS in I and aVF:
    atan2(2 aVF / sqrt(3), I), since augmented leads are longer than they look (Novosel et al. 1999,
    doi:10.1016/S0022-0736(99)90102-5).

    Parameters
    ----------
    signal_mv : ndarray of float, shape (samples, leads)
        mV.
    fs : float
        Hz.
    leads : list of str
        Names of the columns.
    """
    recorded = np.ptp(np.nan_to_num(signal_mv), axis=0) > 0 if len(signal_mv) else np.zeros(len(leads), bool)
    beat = average_beat(signal_mv[:, recorded], fs) if recorded.any() else None
    if beat is None:
        return Intervals()
    waves = delineate(beat)
    names = [lead for lead, there in zip(leads, recorded, strict=True) if there]
    qt = waves.t_offset - waves.qrs_onset
    if qt > _QT_LONGEST * beat.rr:  # the next beat's P was taken for T
        qt = math.nan
    return Intervals(
        rate=_rounded(60.0 / beat.rr),
        pr=_milliseconds(waves.qrs_onset - waves.p_onset),
        qrs=_milliseconds(waves.qrs_offset - waves.qrs_onset),
        qt=_milliseconds(qt),
        qtc=_milliseconds(qt / math.sqrt(beat.rr)),
        axis=_rounded(frontal_axis(beat, names, waves.qrs_onset, waves.qrs_offset)),
    )


def _rounded(value: float) -> int | None:
    return round(value) if math.isfinite(value) else None


def _milliseconds(seconds: float) -> int | None:
    return _rounded(seconds * 1000.0)


def frontal_axis(beat: AverageBeat, leads: list[str], start: float, end: float) -> float:
    """Direction in the frontal plane of the net area of a wave.

    Parameters
    ----------
    beat : AverageBeat
    leads : list of str
        Names of its columns.
    start, end : float
        Of the wave, s from the middle of QRS, as `delineate` has them.

    Returns
    -------
    float
        Degrees above -180 to 180, 0 towards the left arm and 90 towards the feet; NaN without I and aVF, or without a
        direction.
    """
    if not {"I", "aVF"} <= set(leads) or math.isnan(start) or math.isnan(end):
        return math.nan
    first, last = (beat.center + round(second * beat.sampling_rate) for second in (start, end))
    area = beat.signal[max(0, first) : last + 1].sum(axis=0)
    x, y = float(area[leads.index("I")]), 2.0 / math.sqrt(3.0) * float(area[leads.index("aVF")])
    return math.degrees(math.atan2(y, x)) if math.hypot(x, y) > 1e-6 else math.nan
