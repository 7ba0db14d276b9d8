"""What `run_probe_encoder` and `run_confounders` write, with numbers that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.provenance import write_json


def entry(value: float) -> dict[str, float]:
    return {"value": value, "ci_low": round(value - 0.05, 3), "ci_high": round(value + 0.05, 3)}


def probes() -> dict[str, Any]:
    site = {"auroc": entry(0.8), "balanced_accuracy": entry(0.7), "chance": 0.5, "classes": {"A": 60, "B": 40}}
    return {
        "site": {"kind": "classes", "left_out": {"C <x>": 3}} | site,
        "rate": {"kind": "classes", "classes": {}, "left_out": {}, "reason": "always the same: 500 Hz"},
    }


def model() -> dict[str, Any]:
    within = {"strata": 2, "records": 90, "share_of_pairs": 0.5, "pooled": entry(0.9), "auroc": entry(0.6)}
    label = {
        "auroc": entry(0.9),
        "within": {
            "site": within | {"difference": entry(-0.3)},
            "all together": within | {"auroc": entry(0.62), "difference": entry(-0.02)},
            "rate": {"reason": "always the same: 500 Hz"},
        },
        "alone": {"chosen": ["gradient boosting"], "auroc": entry(0.88), "difference": entry(0.02)},
    }
    return {"task": "super", "fit": "full-s0", "kind": "binary", "label_names": ["AF"], "labels": {"AF": label}}


def write(results: Path, **change: Any) -> None:
    boot = {"unit": "patient", "resamples": 20, "confidence": 0.95, "seed": 0, "min_patients": 5}
    about = {"encoder": "tiny", "probes": probes(), "missing": {"device": "no record of p says it"}, "folds": 5}
    about |= {"bootstrap": boot, "n": {"records": 200, "patients": 100, "dim": 8}}
    write_json(results / "confounders/tiny/embedding.json", about)
    write_json(results / "confounders/tiny/super/full-s0/metrics.json", about | model() | change)
