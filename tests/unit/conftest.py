"""What tests in several rooms share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.unit.chromium import Chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A Chromium without a window, for the tests of a file."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium here to open the page in")
    found = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()
