"""The comparison page: every encoder on every task, and what may be said of their differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.model_sections import FittedModel, baseline_of, evaluation_section
from ecglfm.evaluation.report.pages import card_links, environment, link, report_of
from ecglfm.evaluation.report.verification_sections import verification_sections
from ecglfm.provenance import code_version, read_json, write_text


def run_comparison_page(
    results: Path,
    fits: Sequence[FittedModel],
    output: Path,
    *,
    baselines: Sequence[str] = (),
    verified: Sequence[str] = (),
) -> None:
    """Write the page.

    Parameters
    ----------
    results : path
        Folder of every output.
    fits : sequence of FittedModel
        Models, in the order in which they are shown.
    output : path
        The HTML file.
    baselines : sequence of str
        Encoders with random or no weights.
    verified : sequence of str
        `encoder/task` of each verification to show.

    Raises
    ------
    UserError
        An entry of `verified` is not of that form, or a file cannot be read.
    """
    evaluations = [_task(results, task, fits) for task in dict.fromkeys(fit.task for fit in fits)]
    content = {
        "cards": card_links(results, output, fits),
        "home_link": link(output, report_of(results)),
        "code": code_version(),
        "unknown": (read_if_there(results / "manifest/audit.json", read_json) or {}).get("patients_unknown", {}),
        "encoders": list(dict.fromkeys(fit.encoder for fit in fits)),
        "random": {name: baseline_of(results, name) for name in baselines},
        "evaluations": evaluations,
        "seen": seen_by(evaluations),
        "about": {name: about for part in evaluations for name, about in _about(part["comparison"]).items()},
        "verifications": verification_sections(results, verified),
    }
    write_text(output, environment().get_template("comparison.html.j2").render(content))


def _task(results: Path, task: str, fits: Sequence[FittedModel]) -> dict[str, Any]:
    """Metrics of a task's models, and the comparison of its encoders."""
    made = {fit: evaluation_section(results, fit) for fit in fits if fit.task == task}
    comparison = comparison_of(results, task, list(made))
    about = _about(comparison)
    return {
        "task": task,
        "rows": [row | {"about": about.get(fit.encoder)} for fit, row in made.items() if row is not None],
        "missing": [fit for fit, row in made.items() if row is None],
        "comparison": comparison,
    }


def _about(comparison: dict[str, Any] | None) -> dict[str, Any]:
    """What `compare` found of the encoders; nothing where an older ecglfm did."""
    return (comparison or {}).get("encoders", {})


def seen_by(evaluations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What encoders saw, or may have seen, of what they are tested on, and what nobody knows, each told once.

    Parameters
    ----------
    evaluations : sequence of dict
        Each a `task` and its `rows`, which have `fit` and `about`.

    Returns
    -------
    list of {encoder, source, seen, why}
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for part in evaluations:
        for row in part["rows"]:
            for source, one in ((row["about"] or {}).get("sources") or {}).items():
                if one["seen"] != "no":
                    encoder = row["fit"].encoder
                    found[encoder, source, one["why"]] = {"encoder": encoder, "source": source, **one}
    return list(found.values())


def comparison_of(results: Path, task: str, fits: Sequence[FittedModel]) -> dict[str, Any] | None:
    """What `compare` wrote of a task; None where that is not of these models, or by an older ecglfm."""
    content = read_if_there(results / f"evaluate/comparison/{task}.json", read_json)
    shown = {fit.encoder for fit in fits}
    known = content is not None and "test" in content and {model["encoder"] for model in content["models"]} <= shown
    return content if known else None
