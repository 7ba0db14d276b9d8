"""The benchmark of memory measures every stage of the data."""

from __future__ import annotations

import re
import resource

import pytest

from ecglfm.benchmark.data import memory
from ecglfm.cli import main
from ecglfm.data.manifest import manifest


def test_every_data_stage_is_measured_at_both_sizes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stages run here; what each of them would have taken is planted: 100, 110, … MB, and 150 more of the large."""
    monkeypatch.setattr(manifest, "duplicate_pairs", lambda *_, **__: [])
    monkeypatch.setattr(manifest, "check_shards", lambda *_: None)
    planted = iter([*range(100, 170, 10), *range(250, 320, 10)])

    def peak(arguments: list[str]) -> int:
        assert main(arguments) == 0
        return next(planted) * 1_000_000

    monkeypatch.setattr(memory, "_peak", peak)
    assert main(["benchmark", "memory", "--records", "150"]) == 0
    said = capsys.readouterr().out.splitlines()
    pattern = re.compile(r"(.*): (\d+) MB with 150 records, (\d+) MB with 1200: (-?\d+) bytes a record")
    assert [found.groups() for line in said if (found := pattern.fullmatch(line))] == [
        (stage, str(100 + 10 * number), str(250 + 10 * number), str(round(150e6 / 1050)))
        for number, stage in enumerate(
            (
                "index of ptbxl", "index of mimic_iv_ecg", "ingest, one shard", "preprocess, one shard",
                "manifest and audit", "labels", "summary",
            )
        )
    ]  # fmt: skip


def test_a_peak_is_that_of_the_command_and_not_of_whom_it_is_started_by() -> None:
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    held = b"x" * max(0, 400_000_000 - ours)  # so that this process is larger than the command
    assert len(held) + ours >= 400_000_000
    assert 10e6 < memory._peak(["--version"]) < 300e6
