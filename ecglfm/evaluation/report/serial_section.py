"""What the report shows of `serial`: how far recordings of the same people agree."""

from __future__ import annotations

from pathlib import Path

from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.sections import Section
from ecglfm.provenance import read_json


def serial_content(results: Path) -> str:
    """Tables and picture of `serial.json`."""
    picture = read_if_there(results / "serial/serial.png", Path.read_bytes)
    content = {"serial": read_if_there(results / "serial/serial.json", read_json)}
    shown = None if picture is None else data_uri(picture)
    return environment().get_template("serial.html.j2").render(content, picture=shown)


SECTION = Section("serial", "Several recordings of one person", "serial/serial.json", serial_content)
