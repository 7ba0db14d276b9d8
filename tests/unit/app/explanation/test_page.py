"""A page stands alone, escapes what a file says, and prints to scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecglfm.app.explanation.page import write_sheet
from ecglfm.config import LEADS
from ecglfm.evaluation.plots import plot_ecg


def test_a_page_stands_alone_and_escapes(tmp_path: Path):
    figure = plot_ecg(np.zeros((500, 12)), 500, LEADS, title="<b>")
    table = {"title": "Leads", "head": ["lead", "share"], "rows": [["<i>", "5 %"]]}
    write_sheet(tmp_path / "a.html", figure, "<script>", ["x & y"], tables=[table], notes=["one note"])
    text = (tmp_path / "a.html").read_text()
    assert "<script>" not in text
    assert "x &amp; y" in text
    assert '<td>&lt;i&gt;</td><td class="n">5 %</td>' in text
    assert "one note" in text
    assert "http://www.w3.org" in text.split("<svg", 1)[1]
    assert 'src="' not in text
    assert "not a medical device" in text
