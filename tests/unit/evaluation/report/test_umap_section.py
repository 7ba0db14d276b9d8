"""The report shows maps where there are some."""

from __future__ import annotations

from pathlib import Path

from ecglfm.evaluation.report.umap_section import umap_content
from ecglfm.provenance import write_json
from tests.unit.evaluation.report.pages_read import words


def test_a_map_of_each_encoder(tmp_path: Path):
    write_json(tmp_path / "umap/umap.json", {"encoders": ["tiny", "lost"], "seed": 3, "records": 3000})
    (tmp_path / "umap/tiny.png").write_bytes(b"png")
    page = umap_content(tmp_path)
    assert page.count('src="data:image/png;base64,cG5n"') == 1
    assert "at most 3 000 records drawn blindly from all splits, cosine distance, seed 3" in words(page)
