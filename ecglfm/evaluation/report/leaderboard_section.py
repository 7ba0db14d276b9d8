"""What the leaderboard shows, by itself and in the report: a table per mode, the encoders, leaks, published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.evaluation.metrics import all_metrics
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.pages import environment
from ecglfm.evaluation.report.sections import Section
from ecglfm.provenance import read_json

#: What the board calls a mode.
MODES = {"full": "fine-tuned", "frozen": "frozen, attention pooling", "linear": "linear probe", "lora": "adapters"}


def leaderboard_content(results: Path) -> str:
    """Tables of `leaderboard.json`."""
    content = read_if_there(results / "leaderboard/leaderboard.json", read_json)
    boards = [] if content is None else [_board(content, setting) for setting in content["settings"]]
    return environment().get_template("leaderboard.html.j2").render(
        content=content,
        boards=boards,
        fits={} if content is None else _hours(content["cells"]),
        unknown=(read_if_there(results / "manifest/audit.json", read_json) or {}).get("patients_unknown", {}),
        leaks=[] if content is None else _leaks(content["cells"]),
        published=[cell for cell in (content or {}).get("cells", []) if cell["published"] is not None],
        smaller=[name for name, metric in all_metrics().items() if metric.smaller],
    )  # fmt: skip


def _board(content: dict[str, Any], setting: str) -> dict[str, Any]:
    """Rows of one mode by mean place, those without one last; tasks in the order of the config."""
    cells = {(cell["name"], cell["task"]): cell for cell in content["cells"] if cell["setting"] == setting}
    ranks = sorted(
        (row for row in content["ranks"] if row["setting"] == setting),
        key=lambda row: (row["mean_rank"] is None, row["mean_rank"] or 0),
    )
    facts = {row["encoder"]: row for row in content["encoders"]}
    tasks = [task for task in content["tasks"] if any(key[1] == task["task"] for key in cells)]
    rows = []
    for row in ranks:
        own = [cells.get((row["name"], task["task"])) for task in tasks]
        rows.append(row | {"cells": own, "about": facts[next(cell["encoder"] for cell in own if cell)]})
    mode, *share = setting.split("-", 1)
    title = " ".join([MODES.get(mode, mode).capitalize(), *(f"({part} of the patients)" for part in share)])
    return {"setting": setting, "title": title, "tasks": tasks, "rows": rows}


def _hours(cells: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Hours of all fits of each encoder on the board; None where no cell says any."""
    told = {
        cell["encoder"]: {key: [one[key] for one in cells if one["encoder"] == cell["encoder"] and one[key] is not None]
                          for key in ("fit_hours", "fit_gpu_hours")}
        for cell in cells
    }  # fmt: skip
    return {name: {key: sum(own) if own else None for key, own in each.items()} for name, each in told.items()}


def _leaks(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each reason why an encoder saw, or may have seen, test records, with the tasks that it is of."""
    tasks: dict[tuple[str, str, str], list[str]] = {}
    for cell in cells:
        if cell["leak"] != "no":
            tasks.setdefault((cell["encoder"], cell["leak"], cell["leak_why"]), []).append(cell["task"])
    return [
        {"encoder": encoder, "leak": leak, "why": why, "tasks": list(dict.fromkeys(of))}
        for (encoder, leak, why), of in sorted(tasks.items(), key=lambda item: item[0][0])
    ]


SECTION = Section("leaderboard", "Leaderboard", "leaderboard/leaderboard.json", leaderboard_content)
