"""What the report says about data and tasks: counts, the ledger, the audit.

Every function returns what the template shows, or None when the stage has not run; nothing here knows HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ecglfm.config import TaskSlice, UserError, load
from ecglfm.provenance import read_json
from ecglfm.records import SPLITS

Content = TypeVar("Content")
_MANY_PAIRS = 20


def read_if_there(path: Path, read: Callable[[Path], Content]) -> Content | None:
    """Read a file of the results, None when it does not exist.

    Raises
    ------
    UserError
        The file exists and cannot be read.
    """
    if not path.exists():
        return None
    try:
        return read(path)
    except ValueError as error:  # JSON, parquet and text errors are all ValueErrors
        first = next(iter(str(error).splitlines()), "")
        raise UserError(f"{path}: cannot be read ({first}); delete it and run its stage again") from None


def data_section(results: Path) -> dict[str, Any] | None:
    """Records and patients by source and split, who they are, the ledger and the audit."""
    records = read_if_there(results / "manifest/records.parquet", pd.read_parquet)
    if records is None:
        return None
    audit = read_if_there(results / "manifest/audit.json", read_json)
    ledger = read_if_there(results / "manifest/ledger.parquet", pd.read_parquet)
    return {
        "counts": _counts(records),
        "total": tally(records),
        "people": _people(records),
        "ledger": None if ledger is None else ledger_rows(ledger),
        "dropped": 0 if ledger is None else int((ledger["action"] == "dropped").sum()),
        "audit": audit,
        "pairs": [] if audit is None else sorted(audit["duplicate_pairs"], key=_worst_first)[:_MANY_PAIRS],
        "crossing": 0 if audit is None else sum(bool(pair["crosses"]) for pair in audit["duplicate_pairs"]),
    }


def _worst_first(pair: dict[str, Any]) -> tuple[bool, float]:
    return not pair["crosses"], -float(pair["correlation"])


def tally(records: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Records and patients of each split, of none, and of all."""
    parts = {split: records[records["split"] == split] for split in SPLITS}
    parts |= {"none": records[records["split"].isna()], "all": records}
    return {name: (len(part), int(part["patient_id"].nunique())) for name, part in parts.items()}


def _counts(records: pd.DataFrame) -> dict[str, dict[str, tuple[int, int]]]:
    return {str(source): tally(rows) for source, rows in records.groupby("source")}


def _people(records: pd.DataFrame) -> list[dict[str, Any]]:
    """Age, sex, length and rate of each source."""
    people = []
    for source, rows in records.groupby("source"):
        age, sex = rows["age"].dropna(), rows["sex"].dropna()
        seconds = rows["n_samples"] / rows["sampling_rate"]
        flags = rows["flags"].fillna("") if "flags" in rows else pd.Series("", index=rows.index)
        people.append(
            {
                "source": source,
                "age": [float(q) for q in age.quantile([0.5, 0.25, 0.75])] if len(age) else None,
                "female": float((sex == "female").mean()) if len(sex) else None,
                "seconds": (float(seconds.min()), float(seconds.max())),
                "rates": sorted({int(rate) for rate in rows["sampling_rate"].unique()}),
                "flagged": int((flags != "").sum()),
            }
        )
    return people


def ledger_rows(ledger: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per stage, action and reason, with a count and the first record as an example."""
    rows = []
    for (stage, action, reason), part in ledger.groupby(["stage", "action", "reason"], sort=True):
        first = part.sort_values("record_id").iloc[0]
        sources = ", ".join(sorted(part["source"].astype(str).unique()))
        rows.append(
            {
                "stage": stage,
                "action": action,
                "reason": str(reason),
                "count": len(part),
                "sources": sources,
                "example": str(first["record_id"]),
                "detail": str(first["detail"]),
            }
        )
    return sorted(rows, key=lambda row: (row["action"], -row["count"], row["stage"], row["reason"]))


def task_section(results: Path, task: str) -> dict[str, Any] | None:
    """Positives of every label by split, and what the task leaves out."""
    labels = read_if_there(results / f"labels/{task}.parquet", pd.read_parquet)
    if labels is None:
        return None
    columns = [column for column in labels.columns if column.startswith("label.")]
    rows = []
    for column in columns:
        cells = {}
        for split in SPLITS:
            known = labels.loc[labels["split"] == split, column].dropna()
            positives = int(known.sum())
            cells[split] = {"positives": positives, "share": positives / len(known) if len(known) else None}
        rows.append(
            {"name": column.removeprefix("label."), "splits": cells, "unknown": int(labels[column].isna().sum())}
        )
    ledger = read_if_there(results / f"labels/{task}.ledger.parquet", pd.read_parquet)
    config = results / f"config/labels/{task}.yaml"
    return {
        "task": task,
        "description": load(TaskSlice, config).config.description if config.exists() else "",
        "sources": sorted(labels["source"].astype(str).unique()) if "source" in labels else [],
        "total": tally(labels),
        "labels": rows,
        "ledger": None if ledger is None else ledger_rows(ledger),
    }
