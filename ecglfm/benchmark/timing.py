"""What every benchmark shares: timing, and one line for a figure beside its yardstick."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def report(name: str, seconds: list[float], yardstick: str, other: list[float], *, per: float | None = None) -> None:
    """One line: median of each and the median ratio of neighbouring runs."""
    ratio = statistics.median(a / b for a, b in zip(seconds, other, strict=True))
    rate = f" ({per / statistics.median(seconds):.0f} records/s)" if per else ""
    print(f"{name}: {statistics.median(seconds):.3f} s{rate}; {yardstick}: {statistics.median(other):.3f} s; "
          f"ratio {ratio:.2f}; {len(seconds)} runs")  # fmt: skip
