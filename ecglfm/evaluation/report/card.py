"""The card of a model: one HTML page with its numbers, what they are to be compared with, and whether to trust them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ecglfm.config import CardSlice, UserError
from ecglfm.evaluation.exposure import about_encoder
from ecglfm.evaluation.leakage import leakage
from ecglfm.evaluation.metrics import EXTERNAL
from ecglfm.evaluation.report.beat_sections import beats_section, explainable
from ecglfm.evaluation.report.data_sections import pieces_if_there, read_if_there
from ecglfm.evaluation.report.disclosure import (
    calibrated,
    limits,
    threshold_rule,
    told,
    training_data,
    untold,
    uses,
)
from ecglfm.evaluation.report.examples import read_examples, write_examples
from ecglfm.evaluation.report.model_sections import FittedModel, baseline_of, encoder_section, evaluation_section
from ecglfm.evaluation.report.pages import environment, link, report_of
from ecglfm.provenance import code_version, read_json, write_text

_ID = ["record_id"]


def run_card(
    results: Path,
    fit: FittedModel,
    output: Path,
    *,
    baselines: Sequence[FittedModel] = (),
    config: CardSlice | None = None,
    threads: int = 1,
    copy: Path | None = None,
) -> None:
    """Write the card of one evaluated model, and `examples/` beside it.

    Parameters
    ----------
    results : path
        Folder of every output.
    fit : FittedModel
    output : path
        The HTML file.
    baselines : sequence of FittedModel
        Of encoders with random or no weights, on the same task: they are shown beside it.
    config : CardSlice, optional
        Which mean beats are shown, and what only people can know; neither without.
    threads : int
        Of torch, for the mean beats.
    copy : path, optional
        Where the page is written once more: beside the model, so that whoever gets the folder gets the card. It must
        lie as deep in `results` as `output`, or its way back to the report is wrong.

    Raises
    ------
    UserError
        The model was not evaluated, or a file cannot be read.
    """
    row = evaluation_section(results, fit)
    if row is None:
        raise UserError(f"{results}/evaluate/{fit.path}/metrics.json: no such file; run `evaluate` of this model first")
    said = config or CardSlice()
    metrics = row["metrics"]
    examples = output.with_name("examples")
    explained = explainable(results, fit, metrics, said.card, threads)
    write_examples(explained, examples)
    encoder, leakage_found = encoder_section(results, fit.encoder, said), trust(results, fit, said)
    content = {
        "row": row | {"explained": read_examples(examples)},
        "home_link": link(output, report_of(results)),
        "code": code_version(),
        "encoder": encoder,
        "uses": uses(results, fit, metrics, said),
        "trained": training_data(results, fit, metrics, said),
        "thresholds": _rule(results, fit, metrics) if "thresholds" in metrics else "",
        "calibrated": calibrated(metrics),
        "limits": limits(metrics, leakage_found, encoder),
        "baselines": beside(results, fit, baselines),
        "is_baseline": baseline_of(results, fit.encoder)
        if fit.encoder in {other.encoder for other in baselines}
        else None,
        "leakage": leakage_found,
        "beats": beats_section(explained),
    }
    page = environment().get_template("card.html.j2").render(content)
    for path in filter(None, (output, copy)):
        write_text(path, page)


def _rule(results: Path, fit: FittedModel, metrics: dict[str, Any]) -> str:
    rule = threshold_rule(told(results, fit, metrics))
    return rule or f"{untold(results, fit, metrics)} The rule is unknown."


def beside(results: Path, fit: FittedModel, baselines: Sequence[FittedModel]) -> list[dict[str, Any]]:
    """Metrics of fits of encoders with random or no weights; None where not evaluated."""
    return [_beside(results, other) for other in baselines if other.encoder != fit.encoder]


def _beside(results: Path, fit: FittedModel) -> dict[str, Any]:
    metrics = read_if_there(results / "evaluate" / fit.path / "metrics.json", read_json)
    return {"encoder": fit.encoder, "called": baseline_of(results, fit.encoder), "fit": fit.fit, "metrics": metrics}


def trust(results: Path, fit: FittedModel, said: CardSlice) -> dict[str, Any] | None:
    """What `leakage` says of a model and, as `about`, `about_encoder`; None where files are missing."""
    table = read_if_there(results / "evaluate" / fit.path / "predictions.parquet", pd.read_parquet)
    records = pieces_if_there(results / "manifest/records.parquet")
    if table is None or records is None:
        return None
    audit = read_if_there(results / "manifest/audit.json", read_json)
    encoder = read_if_there(results / "pretrain" / fit.encoder / "encoder.json", read_json) or {}
    labels = read_if_there(results / "labels" / f"{fit.task}.parquet", lambda path: pd.read_parquet(path, columns=_ID))
    fitted: Iterable[str] = [] if labels is None else labels["record_id"]
    test, stated = table[table["split"].isin(["test", EXTERNAL])], said.pretrained_on.get(fit.encoder, ())
    found = leakage(audit, encoder, records, test, fitted=fitted, pretrained_on=stated)
    return found | {"about": about_encoder(results, fit.encoder, said, test)}
