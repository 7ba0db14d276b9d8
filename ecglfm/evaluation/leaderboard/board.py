"""Every encoder on every task in every mode, what may be said of their differences, and what each cost.

Fits are not measured again: values are those of `evaluate`, differences and their p those of `compare`. What is new is
the family: all pairs of encoders of all tasks and modes are one, by their macro values, so that at most 1 -
`evaluate.confidence` of boards without any difference say of one that it is better. All pairs, and not those with the
best alone, since who is the best is seen in the same numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.config import EvaluateConfig, LeaderboardSlice, UserError
from ecglfm.config.fits import parse_fit, split_variant
from ecglfm.config.leaderboard import LeaderboardConfig
from ecglfm.evaluation.comparison import holm, read_metrics, setting_of, verdict
from ecglfm.evaluation.leaderboard.cells import cell_of, mean_ranks, ranks_of
from ecglfm.evaluation.leaderboard.facts import encoder_facts, hours_of_fits
from ecglfm.evaluation.leaderboard.published import PROTOCOL, published
from ecglfm.evaluation.metrics import compared
from ecglfm.provenance import read_json, write_json, write_text

logger = logging.getLogger(__name__)

Cell = dict[str, Any]


def run_leaderboard(
    slice: LeaderboardSlice,  # noqa: A002
    evaluation: EvaluateConfig,
    *,
    results: Path,
    models: Sequence[str],
) -> dict[str, Any]:
    """Write `leaderboard/leaderboard.json` and `.csv`.

    Parameters
    ----------
    slice : LeaderboardSlice
    evaluation : EvaluateConfig
        The confidence of verdicts.
    results : path
        Folder of every output.
    models : sequence of str
        `encoder/task/fit` of every model, in the order in which encoders, tasks and modes are shown.

    Returns
    -------
    dict
        The content of `leaderboard.json`.

    Raises
    ------
    UserError
        A model was not evaluated, its encoder is not in `slice`, or a task's comparison is of other models.
    """
    tasks: dict[str, dict[str, list[str]]] = {}
    for model in models:
        encoder, task, fit = model.split("/")
        if encoder not in slice.weights:
            raise UserError(f"--include {model}: the config of the leaderboard has no such encoder: make it anew, too")
        tasks.setdefault(task, {}).setdefault(encoder, []).append(fit)
    cells, pairs, about, known = list[Cell](), list[dict[str, Any]](), dict[str, Any](), dict[str, Any]()
    for task, encoders in tasks.items():
        comparison = _comparison(results, task, encoders)
        known |= comparison["encoders"]
        about[task], own = _task(slice.leaderboard, results, task, encoders, comparison["encoders"])
        cells += own
        pairs += [pair | {"task": task} for pair in _pairs(comparison, about[task]["metric"])]
    family = _judged(pairs, evaluation)
    for column in _columns(cells).values():
        _rank(column, about[column[0]["task"]]["metric"], pairs, slice.weights)
    content = {
        "protocol": slice.leaderboard.protocol,
        "tasks": [{"task": task, **one} for task, one in about.items()],
        "settings": list(dict.fromkeys(cell["setting"] for cell in cells)),
        "encoders": [
            {"encoder": name, **encoder_facts(results, name, slice.weights[name], known[name])}
            for name in dict.fromkeys(cell["encoder"] for cell in cells)
        ],
        "cells": cells,
        "ranks": mean_ranks(cells),
        "test": {"unit": "patient", "correction": "Holm", "confidence": evaluation.confidence, "family": family},
        "published": PROTOCOL,
    }
    write_json(results / "leaderboard/leaderboard.json", content)
    write_text(results / "leaderboard/leaderboard.csv", board_table(content).to_csv(index=False))
    logger.info("leaderboard: %s cells, %s differences in the family", len(cells), family)
    return content


def _task(
    config: LeaderboardConfig,
    results: Path,
    task: str,
    encoders: Mapping[str, Sequence[str]],
    known: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], list[Cell]]:
    """What a task is, and its cells without what stands on the others."""
    cells, about = list[Cell](), dict[str, Any]()
    for encoder, fits in encoders.items():
        groups: dict[tuple[str | None, str], list[str]] = {}
        for fit in fits:
            groups.setdefault((split_variant(fit)[1], setting_of(fit)), []).append(fit)
        for (variant, setting), own in groups.items():
            measured = [read_metrics(results / "evaluate" / encoder / task / fit) for fit in own]
            metric = compared(measured[0]["kind"])[0]
            about = about or _about(measured[0], metric)
            name = encoder if variant is None else f"{encoder} {variant}"
            cell = {"name": name, "encoder": encoder, "task": task, "setting": setting, "seeds": len(own)}
            cell |= cell_of([one["macro"][metric] for one in measured], metric, measured[0]["bootstrap"]["confidence"])
            cell |= {"leak": known[encoder]["seen"], "leak_why": known[encoder]["why"]}
            cell |= hours_of_fits(results, encoder, task, own)
            cells.append(cell | {"published": _published(config, cell, own[0], variant)})
    return about, cells


def _about(metrics: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """Metric, size and constant answer of a task."""
    n = {key: metrics["n"][key] for key in ("records", "patients")}
    return {"metric": metric, "n": n, "majority": metrics["majority"]["macro"].get(metric)}


def _published(config: LeaderboardConfig, cell: Cell, fit: str, variant: str | None) -> dict[str, Any] | None:
    """What the benchmark has of an encoder on a task in a mode; nothing of variants and of a share of the patients."""
    model, parsed = config.published.get(cell["encoder"]), parse_fit(fit)
    if model is None or variant is not None or parsed.fraction != 1:
        return None
    found = published().get((cell["task"], model, parsed.mode))
    if found is None or cell["leak"] != "yes":
        return found
    return found | {"note": "; ".join(filter(None, [found["note"], "the encoder saw the test recordings"]))}


def _comparison(results: Path, task: str, encoders: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What `compare` wrote of a task."""
    path = results / f"evaluate/comparison/{task}.json"
    content = dict(read_json(path)) if path.is_file() else {"models": [], "pairs": []}
    there = {(model["encoder"], fit) for model in content["models"] for fit in model["fits"]}
    wanted = {(encoder, fit) for encoder, fits in encoders.items() for fit in fits}
    if wanted - there or "encoders" not in content:
        raise UserError(f"{path}: is not there, or of other models or an older ecglfm; run `snakemake -R compare_task`")
    return content


def _pairs(comparison: Mapping[str, Any], metric: str) -> Iterator[dict[str, Any]]:
    """Differences of macro values that can be tested."""
    for pair in comparison["pairs"]:
        if pair["metric"] == metric and "p" in pair["macro"]:
            yield {key: pair[key] for key in ("first", "second", "setting", "metric", "trainings_tested")} | {
                key: pair["macro"].get(key) for key in ("value", "ci_low", "ci_high", "p")
            }


def _judged(pairs: Sequence[dict[str, Any]], evaluation: EvaluateConfig) -> int:
    """Give every pair its p of the whole board, and a verdict; how many there are."""
    for pair, p in zip(pairs, holm([pair["p"] for pair in pairs]).tolist(), strict=True):
        pair["p_holm"] = p
        pair["verdict"] = verdict(pair["metric"], pair["value"], p, evaluation, pair["trainings_tested"])
    return len(pairs)


def _columns(cells: Sequence[Cell]) -> dict[tuple[str, str], list[Cell]]:
    """Cells of each task and mode."""
    columns: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        columns.setdefault((cell["task"], cell["setting"]), []).append(cell)
    return columns


def _rank(column: Sequence[Cell], metric: str, pairs: Sequence[Mapping[str, Any]], weights: Mapping[str, str]) -> None:
    """Ranks of the cells of a task and mode, and each against the best and against random weights.

    Where the encoder saw the test records a cell has no rank, and is neither the best nor what others are held against.
    One that is left alone is no best, and has no rank.
    """
    task, setting = column[0]["task"], column[0]["setting"]
    fair = {cell["name"]: cell["value"] for cell in column if cell["value"] is not None and cell["leak"] != "yes"}
    ranks = ranks_of(fair, metric)
    order = sorted(ranks, key=ranks.__getitem__)
    best = order[0] if len(order) > 1 else None
    untrained = {cell["name"] for cell in column if weights[cell["encoder"]] == "random"}
    control = next((name for name in order if name in untrained), None)
    own = [pair for pair in pairs if (pair["task"], pair["setting"]) == (task, setting)]
    for cell in column:
        cell["rank"] = None if best is None else ranks.get(cell["name"])
        cell["best"] = cell["name"] == best
        cell["against_best"] = _against(cell["name"], best, own)
        cell["against_random"] = _against(cell["name"], control, own)


def _against(name: str, other: str | None, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A pair as seen from one of it: its difference to the other; None where it is not tested."""
    for pair in pairs:
        if {pair["first"], pair["second"]} == {name, other} and name != other:
            turned = pair["second"] == name
            ends = (pair["ci_low"], pair["ci_high"])
            low, high = (None if end is None else -end for end in reversed(ends)) if turned else ends
            said = str(pair["verdict"])
            if turned:
                swap = {"better": "worse", "worse": "better"}
                said = " ".join(swap.get(word, word) for word in said.split(" "))
            value = -pair["value"] if turned else pair["value"]
            return {"name": other, "value": value, "ci_low": low, "ci_high": high, "p_holm": pair["p_holm"],
                    "verdict": said}  # fmt: skip
    return None


def board_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row per encoder, task and mode, and one per task of the constant answer."""
    ranks = {(row["name"], row["setting"]): row for row in content["ranks"]}
    encoders = {row["encoder"]: row for row in content["encoders"]}
    metrics = {row["task"]: row["metric"] for row in content["tasks"]}
    rows = []
    for cell in content["cells"]:
        facts, rank = encoders[cell["encoder"]], ranks[cell["name"], cell["setting"]]
        row = {"encoder": cell["name"], "task": cell["task"], "mode": cell["setting"]}
        row |= {"protocol": content["protocol"], "metric": metrics[cell["task"]]}
        row |= {key: cell[key] for key in ("value", "ci_low", "ci_high", "seeds", "labels", "reason", "rank")}
        row |= {key: rank[key] for key in ("mean_rank", "tasks", "left_out")}
        for key in ("best", "random"):
            found = cell[f"against_{key}"] or {}
            row |= {key: found.get("name")} | {f"{key}_{one}": found.get(one) for one in _DIFFERENCE}
        row |= {"leak": cell["leak"], "leak_why": cell["leak_why"]}
        row |= {key: facts[key] for key in _FACTS} | {key: cell[key] for key in ("fit_hours", "fit_gpu_hours")}
        row |= {f"published_{key}": (cell["published"] or {}).get(key) for key in ("value", "low", "high", "note")}
        rows.append(row)
    for about in content["tasks"]:
        if about["majority"] is not None:
            row = {"encoder": "constant answer", "task": about["task"], "protocol": content["protocol"]}
            rows.append(row | {"metric": about["metric"], "value": about["majority"]})
    return pd.DataFrame(rows).astype(dict.fromkeys(_COUNTS, "Int64"))


_COUNTS = ("seeds", "labels", "tasks", "left_out", "parameters")
_DIFFERENCE = ("value", "p_holm", "verdict")
_FACTS = (
    "weights", "licence", "parameters", "gmac", "records_per_second", "input_records_per_second", "device",
    "pretrain_hours", "pretrain_gpu_hours",
)  # fmt: skip
