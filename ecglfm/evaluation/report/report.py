"""The report: one self-contained HTML page of a results folder, for a person who was not there.

It holds no time stamp: the same results give the same page. What has not been made is said in its place.
"""

from __future__ import annotations

import logging
import platform
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from ecglfm.config import BASELINES, CardSlice, TrackingSlice, UserError, load
from ecglfm.config.fits import parse_fit, split_fold
from ecglfm.evaluation.report import (
    confounders_section,
    label_efficiency_section,
    lead_sets_section,
    leaderboard_section,
    serial_section,
    umap_section,
)
from ecglfm.evaluation.report.card import beside, trust
from ecglfm.evaluation.report.comparison_page import comparison_of, seen_by
from ecglfm.evaluation.report.cost_section import cost_section
from ecglfm.evaluation.report.data_sections import data_section, read_if_there, task_section
from ecglfm.evaluation.report.examples import read_examples
from ecglfm.evaluation.report.model_sections import (
    FittedModel,
    encoder_section,
    evaluation_section,
    parse_model,
    training_section,
)
from ecglfm.evaluation.report.pages import card_links, environment, link
from ecglfm.evaluation.report.sections import made_sections
from ecglfm.evaluation.report.verification_sections import verification_sections
from ecglfm.provenance import code_version, write_text
from ecglfm.tracking import standard_tags, start_run

logger = logging.getLogger(__name__)

#: Analyses with a target of their own, in the order in which they are shown.
SECTIONS = tuple(
    module.SECTION
    for module in (
        leaderboard_section,
        umap_section,
        confounders_section,
        label_efficiency_section,
        lead_sets_section,
        serial_section,
    )
)
#: Models whose pictures are shown, about 150 kB each and as much for the recordings; cards have those of the others.
_DETAILED = 12
#: What the numbers depend on beside our own code.
_LIBRARIES = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "deepspeed", "snakemake")


def run_report(
    results: Path,
    output: Path,
    include: list[str] | None = None,
    verified: list[str] | None = None,
    *,
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
) -> None:
    """Write the report of a results folder.

    Parameters
    ----------
    results : path
        Folder of every output; whichever stages have run are shown.
    output : path
        The HTML file.
    include : list of str, optional
        `encoder/task/fit` of each model to show, in this order; by default every one that has a folder.
    verified : list of str, optional
        `encoder/task` of each verification to show, likewise.
    tracking : TrackingSlice, optional
        Where MLflow gets the page; by default nowhere.
    rule : str, optional
        The Snakemake rule, for a tag.

    Raises
    ------
    UserError
        There is no such folder, an entry of `include` or `verified` is not of that form, or a file cannot be read.
    """
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; --results is the folder that the workflow fills")
    fits = _found(results) if include is None else [parse_model(text, "--include") for text in include]
    content = gather(results, fits, everything=not include)
    content |= _around(results, output, fits)
    content["verifications"] = verification_sections(results, verified)
    content["sections"] = made_sections(results, SECTIONS)
    write_text(output, environment().get_template("report.html.j2").render(content))
    logger.info("report: %s", output)
    shown = {"models": " ".join("/".join(fit) for fit in fits)}
    tags = standard_tags(stage="report", data_hash=content["data_hash"] or None, rule=rule)
    with start_run(tracking, stage="report", name="report", tags=tags, params=shown) as run:
        run.artifact(output)


def _around(results: Path, output: Path, fits: list[FittedModel]) -> dict[str, Any]:
    """What leads to other pages and says how this one was made."""
    pages = {
        "Data summary": results / "manifest/summary.html",
        "Encoders compared": results / "evaluate/comparison/index.html",
    }
    discovered = sorted(results.glob("discover/*/index.html"))
    pages |= {f"From ECG to SNP: {page.parent.name}": page for page in discovered}
    command = read_if_there(results / "config/command.txt", Path.read_text)
    return {
        "pages": [{"title": title, "href": link(output, path)} for title, path in pages.items() if path.exists()],
        "cards": card_links(results, output, fits),
        "command": (command or "snakemake").strip(),
        "versions": [f"Python {platform.python_version()}", *filter(None, map(_version, _LIBRARIES))],
        "detailed": _DETAILED,
        "costs": cost_section(results),
    }


def _version(library: str) -> str | None:
    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return None


def _found(results: Path) -> list[FittedModel]:
    """Models that have a folder under `evaluate/` or `finetune/`; those of the folds of one fit are one."""
    folders = {
        path.parent.relative_to(results / stage).parts
        for stage, file in (("evaluate", "metrics.json"), ("finetune", "history.csv"))
        for path in (results / stage).glob(f"*/*/*/{file}")
    }
    whole = {(encoder, task, split_fold(fit)[0]) for encoder, task, fit in folders}
    return [FittedModel(*parts) for parts in sorted(whole)]


def _baselines(fits: list[FittedModel], fit: FittedModel, weights: dict[str, str]) -> list[FittedModel]:
    """What stands beside a fit, of each encoder with random or no weights: its fit of the same name.

    One without weights, which has no `full`, stands there by what it has among the fits that are shown, as
    `Project.fit_beside` says.
    """
    found = []
    for encoder in (name for name, of in weights.items() if of in BASELINES):
        same, named = fit._replace(encoder=encoder), parse_fit(fit.fit)
        heads = [same._replace(fit=named._replace(mode=mode).name) for mode in ("linear", "frozen")]
        others = heads if weights[encoder] == "none" else []
        found.append(next((one for one in (same, *others) if one in fits), same))
    return found


def gather(results: Path, fits: list[FittedModel], *, everything: bool) -> dict[str, Any]:
    """What the template shows.

    Parameters
    ----------
    results : path
    fits : list of FittedModel
        Models, in the order in which they are shown.
    everything : bool
        Also encoders and tasks of the folder that no model of `fits` names.
    """
    encoders = list(dict.fromkeys(fit.encoder for fit in fits))
    tasks = list(dict.fromkeys(fit.task for fit in fits))
    if everything:
        encoders += sorted({p.parent.name for p in results.glob("pretrain/*/encoder.json")} - set(encoders))
        tasks += sorted({p.stem for p in results.glob("labels/*.parquet") if "." not in p.stem} - set(tasks))
    said = read_if_there(results / "config/card.yaml", partial(load, CardSlice)) or CardSlice()
    sections = {encoder: encoder_section(results, encoder, said) for encoder in encoders}
    weights = {name: section["weights"] for name, section in sections.items() if section is not None}
    random = {name: BASELINES[of] for name, of in weights.items() if of in BASELINES}
    evaluations = []
    shown = 0
    for task in tasks:
        own = [fit for fit in fits if fit.task == task]
        made = {fit: evaluation_section(results, fit) for fit in own}
        # Every fit of an encoder was pretrained and is tested alike.
        evaluated = {fit.encoder: fit for fit, row in made.items() if row is not None}
        leaks = {encoder: trust(results, fit, said) for encoder, fit in evaluated.items()}
        rows = [
            row
            | {"leakage": leaks[fit.encoder], "about": (leaks[fit.encoder] or {}).get("about")}
            | {"baselines": beside(results, fit, _baselines(own, fit, weights))}
            | {"explained": read_examples(results / "evaluate" / fit.path / "examples")}
            for fit, row in made.items()
            if row is not None
        ]
        for row in rows:
            shown += 1
            row |= {"detailed": shown <= _DETAILED}
            if not row["detailed"]:
                row["explained"] = None
        evaluations.append(
            {
                "task": task,
                "rows": rows,
                "missing": [fit for fit, row in made.items() if row is None],
                "training": training_section(results, own),
                "comparison": comparison_of(results, task, own),
            }
        )
    data = data_section(results)
    return {
        "code": code_version(),
        "data": data,
        "data_hash": ((data or {}).get("audit") or {}).get("data_hash", ""),
        "tasks": {task: task_section(results, task) for task in tasks},
        "encoders": sections,
        "random": random,
        "evaluations": evaluations,
        "seen": seen_by(evaluations),
        "fits": fits,
    }
