"""`ecglfm download`: a line per database, and one where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.cli import main
from ecglfm.config import DownloadSlice


def test_each_config_is_one_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def run_download(config: DownloadSlice, connections: int) -> str:
        return f"{config.source} by {connections}"

    monkeypatch.setattr("ecglfm.sources.download.run_download", run_download)
    paths = []
    for name in ("b", "a"):
        paths.append(str(tmp_path / f"{name}.yaml"))
        Path(paths[-1]).write_text(f"source: {name}\nroot: r\nurl: https://example.org/\n")
    assert main(["download", "--config", *paths, "--connections", "7"]) == 0
    assert capsys.readouterr().out.splitlines() == ["b by 7", "a by 7"]
    assert main(["download", "--config"]) == 0
    assert capsys.readouterr().out.startswith("nothing to download: no source of the config is published")
