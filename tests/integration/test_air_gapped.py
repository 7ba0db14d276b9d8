"""A node without a network: what the test of the demo rests on, which runs where nothing but the loopback exists."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.gap import watched, way_in


def test_the_gap_is_one_and_calls_are_noted(tmp_path: Path) -> None:
    if not (gap := way_in()):
        pytest.skip("no network namespace can be made here")
    code = "import urllib.request as u\ntry: u.urlopen('http://192.0.2.1')\nexcept OSError as e: print(e)"
    environment = os.environ | watched(tmp_path)
    shown = subprocess.run([*gap, sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "Network is unreachable" in shown.stdout
    assert (tmp_path / "called").read_text() == "192.0.2.1 by ['-c']\n" * 2  # looked up and called
