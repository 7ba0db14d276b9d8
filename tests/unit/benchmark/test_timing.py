"""The line of a figure beside its yardstick, with numbers worked by hand."""

from __future__ import annotations

import pytest

from ecglfm.benchmark.timing import report


def test_medians_and_the_median_of_the_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    report("ours", [1.0, 8.0, 3.0], "theirs", [2.0, 1.0, 6.0], per=30)  # ratios 0.5, 8, 0.5; not 3 / 2 of the medians
    report("ours", [2.0, 8.0], "theirs", [1.0, 1.0])
    assert capsys.readouterr().out.splitlines() == [
        "ours: 3.000 s (10 records/s); theirs: 2.000 s; ratio 0.50; 3 runs",
        "ours: 5.000 s; theirs: 1.000 s; ratio 5.00; 2 runs",
    ]
