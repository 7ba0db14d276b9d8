"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.file_server import FileServer, serve
from tests.unit.sources.download.home import NAMES, list_files


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve() as files:
        yield files


@pytest.fixture
def ptb_xl(server: FileServer, real_data: Path) -> FileServer:
    """A few genuine files in PhysioNet's layout."""
    server.add_folder(real_data / "ptb-xl", NAMES)
    list_files(server)
    return server
