"""What the stages of a results folder took, by the lines that `metered` left beside their logs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.metering import read_cost

_KWH = 3.6e6  # J
_NAME = re.compile(r"\.log\.cost(\.\d+)?$")  # of a job; with the number of its rank, but for the first


def cost_section(results: Path) -> list[dict[str, Any]]:
    """A row for each command, in the order of the pipeline as far as it is known; empty where nothing was measured.

    Of each file the last success counts, with the attempts that failed or were stopped since the one before: what it
    took to make what is there.

    Parameters
    ----------
    results : path

    Returns
    -------
    list of dict
        `command`, `jobs`, `attempts`, `seconds` (of all jobs one after the other), `processor_seconds`, `memory_mb` (of
        the largest), `gpus` (their names), `gpu_hours`, `gpu_kwh` and `processor_kwh` (None where no meter was read),
        `segments_per_second` (of pretraining, the median).

    Raises
    ------
    UserError
        A file cannot be read.
    """
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted(path for path in (results / "logs").rglob("*.log.cost*") if _NAME.search(path.name)):
        lines = read_cost(path)
        if not lines:
            continue
        row = rows.setdefault(lines[-1]["command"], _empty(lines[-1]["command"]))
        first = path.suffix == ".cost"  # the others are further ranks of the same job, which run at the same time
        row["jobs"] += first
        row["attempts"] += len(lines) * first
        for line in lines:
            row["seconds"] += line["seconds"] * first
            row["processor_seconds"] += line["processor_seconds"]
            row["memory_mb"] = max(row["memory_mb"], line["memory_mb"])
            row["gpus"] |= set(line["gpus"])
            row["gpu_hours"] += line["seconds"] * len(line["gpus"]) / 3600
            for name in ("gpu", "processor"):
                if line[f"{name}_joules"] is not None and (first or name == "gpu"):  # a machine is counted once
                    row[f"{name}_kwh"] = (row[f"{name}_kwh"] or 0.0) + line[f"{name}_joules"] / _KWH
    if "pretrain" in rows:
        rows["pretrain"]["segments_per_second"] = _speed(results)
    order = ["ingest", "preprocess", "pretrain", "embed", "finetune", "evaluate"]
    return sorted(rows.values(), key=lambda row: (order.index(row["command"]) if row["command"] in order else 9,
                                                  row["command"]))  # fmt: skip


def _empty(command: str) -> dict[str, Any]:
    zeros = dict.fromkeys(("jobs", "attempts", "seconds", "processor_seconds", "memory_mb", "gpu_hours"), 0)
    return {"command": command, "gpus": set(), "gpu_kwh": None, "processor_kwh": None} | zeros | {
        "segments_per_second": None
    }  # fmt: skip


def _speed(results: Path) -> float | None:
    """Median over the logged steps of every pretraining."""
    found = [pd.read_csv(path) for path in sorted((results / "pretrain").glob("*/history.csv"))]
    rates = [table["segments_per_second"].dropna() for table in found if "segments_per_second" in table]
    return float(pd.concat(rates).median()) if rates else None
