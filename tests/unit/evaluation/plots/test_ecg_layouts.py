"""Which lead stands where, and which samples of it."""

from __future__ import annotations

import numpy as np
import pytest

from ecglfm.config import LEADS, UserError
from ecglfm.evaluation.plots.ecg_layouts import LAYOUTS, arrange


def numbered(seconds: float = 10, leads: int = 12) -> np.ndarray:
    """Sample k of lead l is k + 10^6 l: a strip tells where it comes from, but for its zero line."""
    return np.arange(round(seconds * 100.0))[:, None] + 1e6 * np.arange(leads)


def test_every_layout_has_the_twelve_leads():
    for name, layout in LAYOUTS.items():
        if layout.rows:
            leads = [lead.removeprefix("-") for row in layout.rows for lead in row]
            assert sorted(leads) == sorted(LEADS), name


def test_columns_follow_one_another_in_time():
    sheet = arrange(numbered(), 100, LEADS)
    assert sheet.column_seconds == 2.5
    for row in sheet.rows[:3]:
        starts = [strip.signal_mv[0] + 499.5 for strip in row]  # the median is at zero
        assert starts == [0, 250, 500, 750]
    (rhythm,) = sheet.rows[3]
    assert (rhythm.name, len(rhythm.signal_mv)) == ("II", 1000)


def test_what_is_not_there():
    signal = numbered(leads=3)
    signal[:, 1] = np.nan
    sheet = arrange(signal, 100, ["V1", "II", "V6"])
    assert [strip.name for row in sheet.rows for strip in row if strip.recorded] == ["V1", "V6", "V1"]
    assert sheet.rows[3][0].name == "V1"  # the rhythm strip of the first lead that there is
    assert arrange(np.full((10, 12), np.nan), 100, LEADS).rows[3][0].recorded is False
    with pytest.raises(UserError, match="lead aVR: not in the recording, which has V1 II V6"):
        arrange(signal, 100, ["V1", "II", "V6"], lead="aVR")
