"""The page and the section of lead sets: a change stands below its metric, and no other colour than that of a loss."""

from __future__ import annotations

from pathlib import Path

from ecglfm.evaluation.lead_sets import gather_lead_sets
from ecglfm.evaluation.report import run_analysis_page
from tests.unit.evaluation.lead_sets.two_sets import write
from tests.unit.evaluation.report.pages_read import words


def test_a_change_stands_below_its_metric(tmp_path: Path) -> None:
    for encoder in ("tiny", "random"):
        write(tmp_path / "lead_sets", encoder)
    gather_lead_sets(tmp_path / "lead_sets", ["tiny/super/full-s0", "random/super/full-s0"])
    run_analysis_page("lead_sets", tmp_path, tmp_path / "lead_sets/index.html")
    page = (tmp_path / "lead_sets/index.html").read_text()
    seen = words(page)
    assert "AF 0.900 0.850 – 0.950 0.800 0.750 – 0.850 change -0.100 -0.140 – -0.060" in seen
    assert "MI 0.700 too few 0.650 too few change -0.050 Macro" in seen
    assert "change -0.100 -0.300 – +0.100" in seen
    assert "3 of them have none of the leads of 1-lead" in seen
    assert page.count('class="bad"') == 2  # the change of AF, of each encoder: no other interval leaves 0 out
