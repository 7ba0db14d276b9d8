"""What the report shows of `umap`: a map of each encoder's vectors."""

from __future__ import annotations

from pathlib import Path

from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.sections import Section
from ecglfm.provenance import read_json


def umap_content(results: Path) -> str:
    """A picture for each encoder of `umap.json`."""
    folder = results / "umap"
    found = read_if_there(folder / "umap.json", read_json) or {"encoders": []}
    pictures = {name: read_if_there(folder / f"{name}.png", Path.read_bytes) for name in found["encoders"]}
    shown = {name: data_uri(content) for name, content in pictures.items() if content is not None}
    return environment().get_template("umap.html.j2").render(pictures=shown, found=found)


SECTION = Section("umap", "Map of the embeddings", "umap/umap.json", umap_content)
