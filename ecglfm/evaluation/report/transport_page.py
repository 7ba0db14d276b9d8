"""The transport report: one page about a finished model on a cohort that is new to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.config.kinds import KINDS
from ecglfm.config.wording import counted
from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment, link, report_of
from ecglfm.provenance import read_json, write_text

#: What the first column of the table of ways says.
_WAYS = {
    "as_is": "As it is",
    "prior_shift": "Odds shifted to the prevalence that its probabilities tell",
}


def run_transport_page(folder: Path, output: Path) -> None:
    """Write the page.

    Parameters
    ----------
    folder : path
        That `evaluate-on` wrote: `metrics.json`, `calibration.png`.
    output : path
        The HTML file.
    """
    metrics = read_json(folder / "metrics.json")
    picture = read_if_there(folder / "calibration.png", Path.read_bytes)
    *_, above = output.absolute().parents[:3]  # results/transport/MODEL/TASK/index.html
    content = {
        "home_link": link(output, report_of(above.parent)) if above.name == "transport" else None,
        "metrics": metrics,
        "of_times": KINDS[metrics["kind"]].time is not None,
        "ways": [way | {"title": _title(way)} for way in metrics["ways"]],
        "calibration": None if picture is None else data_uri(picture),
    }
    write_text(output, environment().get_template("transport.html.j2").render(content))


def _title(way: dict[str, Any]) -> str:
    if "local" not in way:
        return _WAYS[way["name"]]
    return f"{counted(way['n']['records'], 'local record')} of {counted(way['n']['patients'], 'patient')}"
