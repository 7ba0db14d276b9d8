"""What the report shows of `lead_sets`: each model at fewer and fewer leads."""

from __future__ import annotations

from pathlib import Path

from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.sections import Section
from ecglfm.provenance import read_json


def lead_sets_content(results: Path) -> str:
    """Table and curve of each model of `lead_sets.json`."""
    folder, rows = results / "lead_sets", []
    for metrics in read_if_there(folder / "lead_sets.json", read_json) or []:
        path = folder / metrics["encoder"] / metrics["task"] / metrics["fit"] / "curve.png"
        picture = read_if_there(path, Path.read_bytes)
        rows.append({"metrics": metrics, "picture": None if picture is None else data_uri(picture)})
    return environment().get_template("lead_sets.html.j2").render(rows=rows)


SECTION = Section("lead_sets", "Fewer leads", "lead_sets/lead_sets.json", lead_sets_content)
