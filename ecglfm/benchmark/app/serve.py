"""`benchmark serve`: requests to a running `make serve`, some at once, against the same one at a time.

Each asks about one recording, 12 leads x 10 s at 500 Hz as JSON (0.4 MB). A request without an answer is lost.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

_SECONDS = 120.0  # that one may take


class Answer(NamedTuple):
    """What came of one request: seconds that it took, and the rows, None where it was lost."""

    seconds: float
    rows: list[dict[str, object]] | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--url", default="http://127.0.0.1:5001", help="of the server")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--concurrency", type=int, default=8, help="requests that wait at the same time")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np

    from ecglfm.app.handover import invented
    from ecglfm.config import LEADS, UserError

    rng = np.random.default_rng(0)
    signal = np.nan_to_num(invented(500.0, seconds=10.0)).T
    bodies = [body(np.round(signal * rng.uniform(0.8, 1.2), 3), LEADS, 500.0) for _ in range(min(args.requests, 20))]
    bodies = [bodies[k % len(bodies)] for k in range(args.requests)]
    if ask(args.url, bodies[0]).rows is None:
        raise UserError(f"--url {args.url}: no answer; start one with make serve MODEL=DIR")
    for at_once in (1, args.concurrency):
        count = args.requests if at_once > 1 else max(1, args.requests // 10)
        began = time.perf_counter()
        answers = ask_many(args.url, bodies[:count], concurrency=at_once)
        took = time.perf_counter() - began
        median, late = np.percentile([each.seconds for each in answers], [50, 95])
        lost = sum(each.rows is None for each in answers)
        print(
            f"serve, {count} requests, {at_once} at once: {lost} lost; median {median * 1e3:.0f} ms, "
            f"95th percentile {late * 1e3:.0f} ms; {count / took:.1f} requests/s"
        )


def body(signal_ln: Sequence[Sequence[float]], leads: Sequence[str], rate: float, *, unit: str = "mV") -> bytes:
    """The JSON of one recording (leads, samples)."""
    rows = [list(map(float, lead)) for lead in signal_ln]
    recording = {"signal": rows, "leads": list(leads), "sampling_rate": rate, "unit": unit}
    return json.dumps({"dataframe_records": [recording]}).encode()


def ask(url: str, content: bytes) -> Answer:
    """Send one request."""
    request = urllib.request.Request(f"{url}/invocations", content, {"Content-Type": "application/json"})  # noqa: S310
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            rows = json.load(answer)["predictions"]
    except (OSError, ValueError, KeyError):
        rows = None
    return Answer(time.perf_counter() - began, rows)


def ask_many(url: str, bodies: Sequence[bytes], *, concurrency: int) -> list[Answer]:
    """Send requests, some at once; the answers in the order of the bodies."""
    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(lambda content: ask(url, content), bodies))
