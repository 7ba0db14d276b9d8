"""The page of an analysis that is a target of its own: its section of the report, by itself."""

from __future__ import annotations

from pathlib import Path

from ecglfm.evaluation.report import confounders_section, lead_sets_section, leaderboard_section, serial_section
from ecglfm.evaluation.report.pages import environment, link, report_of
from ecglfm.provenance import code_version, write_text

_SECTIONS = {
    module.SECTION.name: module.SECTION
    for module in (leaderboard_section, confounders_section, lead_sets_section, serial_section)
}


def run_analysis_page(name: str, results: Path, output: Path) -> None:
    """Write the page.

    Parameters
    ----------
    name : str
    results : path
        Folder of every output, in which the analysis was made.
    output : path
        The HTML file.
    """
    section = _SECTIONS[name]
    content = {
        "home_link": link(output, report_of(results)),
        "title": section.title,
        "section": section.content(results),
        "code": code_version(),
    }
    write_text(output, environment().get_template("analysis.html.j2").render(content))
