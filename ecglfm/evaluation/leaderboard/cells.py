"""One cell of the board: the macro metric of an encoder on a task in one mode, over the seeds of its fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ecglfm.evaluation.comparison import training_spread
from ecglfm.evaluation.metrics import all_metrics

_DIGITS = 12


def cell_of(entries: Sequence[Mapping[str, Any]], metric: str, confidence: float) -> dict[str, Any]:
    """The mean over seeds of a macro metric, and its interval over patients and trainings.

    Parameters
    ----------
    entries : sequence of mapping
        `macro.{metric}` of the `metrics.json` of each seed.
    metric : str
    confidence : float
        Coverage, that of the entries' own intervals.

    Returns
    -------
    dict
        `value`, `ci_low`, `ci_high`, `reason` (of what is not there) and `labels`, how many the value is over. Of one
        seed the numbers are those of its `metrics.json`. Of several each end is as far from the mean as the seeds'
        ends from their own values, on average, and as the trainings differ by: the root of the sum of the two squared
        margins, as of differences (Zou and Donner 2008, doi:10.1002/sim.3095). What the seeds share of the patients'
        error is in both, so that it is rather too wide.
    """
    labels = len(entries[0].get("labels") or ())
    nothing = {"value": None, "ci_low": None, "ci_high": None, "labels": labels}
    for entry in entries:
        if entry["value"] is None:
            return nothing | {"reason": entry.get("reason", "undefined")}
    values = np.array([entry["value"] for entry in entries], dtype=np.float64)
    found = nothing | {"value": round(float(values.mean()), _DIGITS)}
    for entry in entries:
        if entry["ci_low"] is None:
            return found | {"reason": entry.get("reason", "no interval")}
    trainings = training_spread([values])
    apart = 0.0 if trainings is None else trainings.margin(1 - confidence)
    least, greatest = all_metrics()[metric].range
    for end, sign, limit in (("ci_low", -1, least), ("ci_high", 1, greatest)):
        patients = float(np.mean([abs(entry[end] - entry["value"]) for entry in entries]))
        reached = float(values.mean()) + sign * math.hypot(patients, math.sqrt(apart))
        found[end] = round(max(reached, limit) if sign < 0 else min(reached, limit), _DIGITS)
    return found | {"reason": ""}


def ranks_of(values: Mapping[str, float], metric: str) -> dict[str, float]:
    """Place of each by a metric, the best 1; equal ones share the mean of their places."""
    sign = 1 if all_metrics()[metric].smaller else -1
    return dict(zip(values, rankdata([sign * value for value in values.values()]).tolist(), strict=True))


def mean_ranks(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean place of each encoder in each mode over the tasks in which it has one.

    Parameters
    ----------
    cells : sequence of mapping
        With `name`, `setting`, `rank` and `leak`.

    Returns
    -------
    list of dict
        `name`, `setting`, `mean_rank` (None without any), `tasks` that it is over, and `left_out`: of how many the
        encoder saw the test records.
    """
    own: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for cell in cells:
        own.setdefault((cell["name"], cell["setting"]), []).append(cell)
    rows = []
    for (name, setting), group in own.items():
        ranks = [cell["rank"] for cell in group if cell["rank"] is not None]
        row = {"name": name, "setting": setting, "mean_rank": round(float(np.mean(ranks)), 4) if ranks else None}
        rows.append(row | {"tasks": len(ranks), "left_out": sum(cell["leak"] == "yes" for cell in group)})
    return rows
