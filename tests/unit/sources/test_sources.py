"""From the config of a source to its adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import SourceConfig, SourceSlice, UserError
from ecglfm.sources import open_source
from ecglfm.sources.databases.ptbxl import PtbXl
from ecglfm.sources.devices.muse_xml import MuseXml


def test_a_synthetic_database_is_read_as_the_one_that_it_imitates(tmp_path: Path) -> None:
    config = SourceConfig(kind="synthetic", layout="ptbxl", root=str(tmp_path))
    source = open_source(SourceSlice(source="s", config=config, patients_of="genuine"))
    assert (type(source), source.name, source.patients_of) == (PtbXl, "s", "genuine")
    assert (
        type(open_source(SourceSlice(source="s", config=SourceConfig(kind="muse_xml", root=str(tmp_path))))) is MuseXml
    )


@pytest.mark.parametrize("root", ["nowhere", "file"])
def test_a_root_that_is_no_folder_is_one_line(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")
    config = SourceConfig(kind="ptbxl", root=str(tmp_path / root))
    with pytest.raises(UserError, match=r"source p: root '.*' is not a folder; set `root` in config/sources/p\.yaml"):
        open_source(SourceSlice(source="p", config=config))
