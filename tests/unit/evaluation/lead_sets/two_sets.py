"""A model at two lead sets, as `run_lead_sets` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.provenance import write_json


def entry(value: float, half: float) -> dict[str, float]:
    return {"value": value, "ci_low": round(value - half, 3), "ci_high": round(value + half, 3)}


def write(folder: Path, encoder: str) -> None:
    few = {"value": 0.7, "ci_low": None, "ci_high": None, "reason": "too few: 2 positive patients, 5 are wanted"}
    whole = {"labels": {"AF": {"auroc": entry(0.9, 0.05), "f1": entry(0.5, 0.1)}, "MI": {"auroc": few}}}
    less = {"labels": {"AF": {"auroc": entry(0.8, 0.05)}, "MI": {"auroc": few | {"value": 0.65}}}}
    change = {"AF": entry(-0.1, 0.04), "MI": few | {"value": -0.05}}
    sets: list[dict[str, Any]] = [
        whole | {"name": "12-leads", "leads": ["I", "II"], "macro": {"auroc": entry(0.9, 0.05)}, "without_signal": 0},
        less
        | {"name": "1-lead", "leads": ["I"], "macro": {"auroc": entry(0.8, 0.05)}, "without_signal": 3}
        | {"change": {"labels": change, "macro": entry(-0.1, 0.2)}},
    ]
    boot = {"resamples": 20, "confidence": 0.95, "min_patients": 5}
    about = {"encoder": encoder, "task": "super", "fit": "full-s0", "metric": "auroc", "label_names": ["AF", "MI"]}
    n = {"records": 40, "patients": 30}
    write_json(folder / encoder / "super/full-s0/metrics.json", about | {"n": n, "bootstrap": boot, "sets": sets})
