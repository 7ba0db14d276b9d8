"""ECG paper, measured with a ruler: figure inches times 25.4 are millimetres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from ecglfm.config import LEADS, UserError
from ecglfm.evaluation.plots.ecg_paper import plot_ecg, save_ecg
from ecglfm.records import Record


def in_mm(figure: Figure, xy: np.ndarray) -> np.ndarray:
    """Points of the axes as millimetres of the printed figure."""
    axes = figure.axes[0]
    return axes.transData.transform(xy) / figure.dpi * 25.4


def line(figure: Figure, gid: str, number: int = 0) -> np.ndarray:
    found = [artist for artist in figure.axes[0].lines if artist.get_gid() == gid]
    return in_mm(figure, found[number].get_xydata())


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def pulses(fs: float = 500, seconds: float = 10) -> np.ndarray:
    """Zero but for 1 mV during the second second, on 12 leads."""
    signal = np.zeros((round(seconds * fs), 12))
    signal[round(fs) : round(2 * fs)] = 1.0
    return signal


def test_one_second_is_25_mm_and_one_millivolt_10_mm():
    figure = plot_ecg(pulses(), 500, LEADS)
    strip = line(figure, "lead-II", 1)
    assert np.ptp(strip[:, 0]) == pytest.approx(250, abs=0.1)
    up = strip[strip[:, 1] > strip[:, 1].min() + 5]
    assert np.ptp(up[:, 0]) == pytest.approx(25, abs=0.1)
    assert np.ptp(strip[:, 1]) == pytest.approx(10, abs=1e-6)
    calibration = line(figure, "calibration")
    assert np.ptp(calibration[:, 1]) == pytest.approx(10, abs=1e-6)
    assert calibration[3, 0] - calibration[2, 0] == pytest.approx(5)  # 0.2 s


def test_grid_lines_are_1_and_5_mm_apart_and_zero_lies_on_a_bold_one():
    figure = plot_ecg(pulses(), 500, LEADS)
    grids = {c.get_gid(): [in_mm(figure, np.asarray(s)) for s in c.get_segments()] for c in figure.axes[0].collections}
    levels = {}
    for name, step in (("grid-1mm", 1), ("grid-5mm", 5)):
        upright = np.unique([s[0, 0] for s in grids[name] if s[0, 0] == pytest.approx(s[1, 0])])
        levels[name] = np.unique([s[0, 1] for s in grids[name] if s[0, 1] == pytest.approx(s[1, 1])])
        np.testing.assert_allclose(np.diff(upright), step, atol=1e-6)
        np.testing.assert_allclose(np.diff(levels[name]), step, atol=1e-6)
    assert np.abs(levels["grid-5mm"] - line(figure, "lead-I")[0, 1]).min() < 1e-6


def test_printed_size_is_the_file_size(tmp_path: Path):
    from PIL import Image

    record = Record(pulses(), LEADS, 500.0)
    save_ecg(tmp_path / "ecg.png", plot_ecg(record, title="a"))
    width, _ = Image.open(tmp_path / "ecg.png").size
    assert width / 200 * 25.4 == pytest.approx(15 + 250 + 5 + 10, abs=0.3)  # pulse, ten seconds, rest, margins
    first = (tmp_path / "ecg.png").read_bytes()
    save_ecg(tmp_path / "ecg.png", plot_ecg(record, title="a"))
    assert (tmp_path / "ecg.png").read_bytes() == first


def test_the_clinical_layout():
    figure = plot_ecg(pulses(), 500, LEADS, title="who")
    names = [text for text in texts(figure) if text in LEADS]
    assert names == ["I", "aVR", "V1", "V4", "II", "aVL", "V2", "V5", "III", "aVF", "V3", "V6", "II"]
    assert "25 mm/s    10 mm/mV" in texts(figure)
    assert "who" in texts(figure)
    # the four columns follow one another: the pulse of 1 to 2 s is in the first only
    heights = {lead: np.ptp(line(figure, f"lead-{lead}")[:, 1]) for lead in ("I", "aVR", "V1", "V4")}
    assert heights == pytest.approx({"I": 10, "aVR": 0, "V1": 0, "V4": 0}, abs=1e-6)
    assert line(figure, "lead-V4")[0, 0] - line(figure, "lead-I")[0, 0] == pytest.approx(187.5)


def test_leads_are_found_by_name():
    signal = np.zeros((5000, 3))
    signal[600:700] = 0.5, 1.5, 2.5  # within the first column
    figure = plot_ecg(signal, 500, ["III", "i", "II"])
    heights = {lead: np.ptp(line(figure, f"lead-{lead}")[:, 1]) for lead in ("I", "II", "III")}
    assert heights == pytest.approx({"I": 15, "II": 25, "III": 5}, abs=1e-6)
    assert texts(figure).count("not recorded") == 9


def test_a_short_record_shows_every_lead():
    figure = plot_ecg(pulses(seconds=5), 500, LEADS)
    assert "not recorded" not in texts(figure)
    # columns begin at 0, 0.83, 1.67 and 2.5 s: the last ends with the record
    assert np.ptp(line(figure, "lead-V4")[:, 0]) == pytest.approx(62.5, abs=0.1)
    assert np.ptp(line(figure, "lead-II", 1)[:, 0]) == pytest.approx(125, abs=0.1)


def test_gaps_offsets_and_artefacts():
    signal = pulses()
    signal[:, 1] += 3.0  # an offset is no reason to leave the row
    signal[100:200, 0] = np.nan
    signal[300, 2] = 30.0
    signal[:, 5] = np.nan
    figure = plot_ecg(signal, 500, LEADS)
    drawn = line(figure, "lead-I")
    assert np.isnan(drawn[100:200, 1]).all()
    assert np.isfinite(drawn[200:, 1]).all()
    strip = line(figure, "lead-II", 1)
    assert strip[0, 1] == pytest.approx(line(figure, "calibration", 3)[0, 1])
    assert np.ptp(strip[:, 1]) == pytest.approx(5, abs=1e-6)
    assert np.ptp(line(figure, "lead-III")[:, 1]) == pytest.approx(150)  # a spike of 30 mV is drawn whole
    assert "25 mm/s    5 mm/mV" in texts(figure)
    assert texts(figure).count("not recorded") == 1
    top, rows = figure.get_figheight() * 25.4, [line(figure, f"lead-{name}") for name in ("I", "II", "III")]
    assert all(np.nanmax(row[:, 1]) < top for row in rows)
    assert rows[2][:, 1].max() < line(figure, "calibration", 1)[:, 1].min()  # it does not run into the row above


@pytest.mark.parametrize(
    ("millivolts", "gain", "height"),
    [(3.92, 10, 39.2), (-3.92, 10, 39.2), (5.5, 10, 55), (-5.6, 5, 28), (11.0, 5, 55)],
)
def test_high_complexes_are_drawn_whole(millivolts, gain, height):
    signal = np.zeros((5000, 12))
    signal[1300:1320, LEADS.index("V2")] = millivolts  # V2 is shown from 5 s on, in the third column
    signal[2600:2620, LEADS.index("V2")] = millivolts
    figure = plot_ecg(signal, 500, LEADS)
    assert np.ptp(line(figure, "lead-V2")[:, 1]) == pytest.approx(height)
    assert np.ptp(line(figure, "calibration")[:, 1]) == pytest.approx(gain)
    assert f"25 mm/s    {gain} mm/mV" in texts(figure)
    assert not any(str(artist.get_gid()).startswith("cut-") for artist in figure.axes[0].lines)


def test_wrong_arguments_say_so(tmp_path: Path):
    with pytest.raises(ValueError, match="name of each column"):
        plot_ecg(pulses(), 500, ["I", "II"])
    record = Record(pulses(), LEADS, 500.0)
    with pytest.raises(UserError, match="unknown kind of picture"):
        save_ecg(tmp_path / "a.doc", plot_ecg(record))
    with pytest.raises(UserError, match="none of 3x4, 6x2, cabrera, single"):
        plot_ecg(record, layout="4x3")
    with pytest.raises(UserError, match="lead V7: not in the recording, which has I II"):
        plot_ecg(record, lead="V7")


@pytest.mark.parametrize(
    ("layout", "first_row", "left", "seconds"),
    [("6x2", ["I", "V1"], ["I", "II", "III", "aVR", "aVL", "aVF"], 5.0),
     ("cabrera", ["aVL", "V1"], ["aVL", "I", "-aVR", "II", "aVF", "III"], 5.0)],
)  # fmt: skip
def test_layouts_of_two_columns(layout: str, first_row: list[str], left: list[str], seconds: float):
    signal = np.arange(1, 13) / 10 * pulses()  # of 1 to 2 s: in the left column
    figure = plot_ecg(signal, 500, LEADS, layout=layout)
    names = [text for text in texts(figure) if text.removeprefix("-") in LEADS]
    assert names[:2] == first_row
    assert names[::2] == left
    heights = {lead: float(np.ptp(line(figure, f"lead-{lead}")[:, 1])) for lead in names}
    expected = {lead: 10 * (LEADS.index(lead.removeprefix("-")) + 1) / 10 for lead in left}
    assert heights == pytest.approx(expected | {f"V{number}": 0 for number in range(1, 7)}, abs=1e-6)
    assert np.ptp(line(figure, f"lead-{left[0]}")[:, 0]) == pytest.approx(25 * seconds, abs=0.1)
    if layout == "cabrera":  # upside down
        turned = line(figure, "lead--aVR")[:, 1]
        assert turned[600] < turned[0]


def test_one_lead_goes_on_in_the_next_row():
    signal = np.zeros((12_500, 1))
    signal[12_000:12_100] = 0.5  # second 24: 4 s into the third row
    figure = plot_ecg(signal, 500, ["I"])
    rows = [line(figure, "lead-I", number) for number in range(3)]
    assert [len(row) for row in rows] == [5000, 5000, 2500]
    assert rows[0][0, 1] > rows[1][0, 1] > rows[2][0, 1]
    raised = rows[2][rows[2][:, 1] > rows[2][0, 1] + 1]
    assert raised[0, 0] - rows[2][0, 0] == pytest.approx(100)
    assert "500 Hz    0 to 25 s" in texts(figure)
    many = plot_ecg(np.zeros((200_000, 12)), 500, LEADS, layout="single", lead="V2")
    assert "500 Hz    0 to 120 s of 400 s" in texts(many)  # two minutes at most, and it says so
    assert {text for text in texts(many) if text in LEADS} == {"V2"}


def test_a_long_recording_says_which_part_is_shown():
    figure = plot_ecg(pulses(seconds=60), 500, LEADS, start=20)
    assert "500 Hz    20 to 30 s of 60 s" in texts(figure)


def test_shades_lie_behind_the_trace_where_they_belong():
    shade = np.zeros((5000, 12))
    shade[3000:3500, LEADS.index("V1")] = 1.0  # V1 is shown from 5 s on; this is 6 to 7 s
    shade[3000:3500, LEADS.index("I")] = 1.0  # of I only 0 to 2.5 s are shown
    figure = plot_ecg(pulses(), 500, LEADS, shade=shade)
    strokes = [c for c in figure.axes[0].collections if c.get_gid() == "shade"]
    coloured = [
        in_mm(figure, segment)
        for stroke in strokes
        for segment, colour in zip(stroke.get_segments(), stroke.get_colors(), strict=True)
        if colour[3] > 0.9
    ]
    left = line(figure, "lead-V1")[0, 0]
    reach = np.concatenate(coloured)[:, 0]
    assert (reach.min() - left, reach.max() - left) == pytest.approx((25, 50), abs=0.6)


def test_the_grid_of_a_pdf_is_to_scale(tmp_path: Path):
    import re
    import zlib

    save_ecg(tmp_path / "ecg.pdf", plot_ecg(pulses(), 500, LEADS))
    content = (tmp_path / "ecg.pdf").read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", content)
    mm = 25.4 / 72  # of a point
    assert float(boxes[0][0]) * mm == pytest.approx(15 + 250 + 5 + 10, abs=0.01)
    streams = [zlib.decompress(part) for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
               if part[:1] == b"x"]  # fmt: skip
    page = max(streams, key=len).decode("latin1")
    lines = np.array(re.findall(r"([\d.]+) ([\d.]+) m\s+([\d.]+) ([\d.]+) l\s+S", page), dtype=float) * mm
    grid = lines[(lines[:, 0] == lines[:, 2]) & (np.abs(lines[:, 3] - lines[:, 1]) > 50)]
    upright = np.unique(grid[:, 0].round(3))
    np.testing.assert_allclose(upright, 5 + np.arange(271), atol=0.01)  # 270 mm of paper within a margin of 5
    first = content
    save_ecg(tmp_path / "ecg.pdf", plot_ecg(pulses(), 500, LEADS))
    assert (tmp_path / "ecg.pdf").read_bytes() == first
