"""What AI4Health's benchmark published of these tasks (arXiv:2509.25095), to stand beside our numbers.

`published.csv` holds facts out of the spreadsheet of its repository (AI4HealthUOL/ecg-fm-benchmarking): task (ours),
model (theirs), mode (ours), macro AUROC and its interval, and a note where the number is known to be wrong or of other
labels. Their
`frozen` is attention pooling on frozen frames, `linear` a Linear on the mean, `full` fine-tuning, of S4 and Net1D a
training from scratch.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

#: How their numbers were made, and what is known to be wrong with all of them.
PROTOCOL = (
    "AI4Health's benchmark (arXiv:2509.25095): PTB-XL folds 1-8 / 9 / 10, AdamW, at most 100 epochs, windows without "
    "overlap whose probabilities are averaged. All models but HuBERT-ECG were given raw millivolts in windows of 2.5 s "
    "(2.4 s ST-MEM; 5 s HuBERT-ECG and ECG-FM; 10 s ECG-JEPA and ECGFM-KED), whatever their authors require. Its "
    "intervals are over records, not patients, and a class that a resample lacks counts as 0.5."
)


@cache
def published() -> Mapping[tuple[str, str, str], dict[str, Any]]:
    """Each number by task, model and mode: `value`, `low`, `high`, `note`."""
    text = files("ecglfm.evaluation.leaderboard").joinpath("published.csv").read_text(encoding="utf-8")
    return {
        (row["task"], row["model"], row["mode"]): {
            "model": row["model"],
            **{key: float(row[key]) for key in ("value", "low", "high")},
            "note": row["note"],
        }
        for row in csv.DictReader(text.splitlines())
    }
