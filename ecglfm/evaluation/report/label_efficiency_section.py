"""What the report shows of label efficiency: how good each encoder is by how many labelled patients it learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.evaluation.metrics import title_of
from ecglfm.evaluation.plots import data_uri
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.sections import Section


def efficiency_content(results: Path) -> str:
    """Table and picture of `label_efficiency`."""
    folder = results / "evaluate"
    table = read_if_there(folder / "label_efficiency.csv", pd.read_csv)
    picture = read_if_there(folder / "label_efficiency.png", Path.read_bytes)
    rows = [] if table is None else efficiency_rows(table)
    return environment().get_template("label_efficiency.html.j2").render(
        rows=rows,
        percents=sorted({percent for row in rows for percent in row["shares"]}),
        picture=None if picture is None else data_uri(picture),
    )  # fmt: skip


def efficiency_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each task, encoder and mode: the mean over seeds of its metric at each share, and how many there are.

    Parameters
    ----------
    table : DataFrame
        As `run_label_efficiency` writes it.
    """
    rows = []
    for (task, encoder, mode, metric), part in table.groupby(["task", "encoder", "mode", "metric"], sort=False):
        shares = {
            float(str(percent)): {
                "patients": sorted(set(fits["train_patients"].astype(int))),
                "mean": None if fits["value"].isna().all() else float(fits["value"].mean()),
                "seeds": int(fits["value"].notna().sum()),
            }
            for percent, fits in part.groupby("percent")
        }
        rows.append({"task": task, "encoder": encoder, "mode": mode, "metric": title_of(str(metric)), "shares": shares})
    return rows


SECTION = Section("label_efficiency", "How many labels are needed", "evaluate/label_efficiency.csv", efficiency_content)
