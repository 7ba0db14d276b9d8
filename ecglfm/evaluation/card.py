"""The card of a model: one HTML page with its numbers, what they are to be compared with, and whether to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.evaluation.baselines import majority
from ecglfm.evaluation.leakage import leakage
from ecglfm.evaluation.model_sections import Fit, encoder_section, evaluation_section
from ecglfm.evaluation.outcomes import label_columns
from ecglfm.evaluation.pages import environment
from ecglfm.evaluation.sections import pieces_if_there, read_if_there
from ecglfm.provenance import code_version, read_json, write_text


def run_card(results: Path, fit: Fit, output: Path, *, baselines: Sequence[str] = ()) -> None:
    """Write the card of one evaluated model.

    Parameters
    ----------
    results : path
        Folder of every output.
    fit : Fit
    output : path
        The HTML file.
    baselines : sequence of str
        Encoders with random weights; their fits of the same name on the same task are shown beside it.

    Raises
    ------
    UserError
        The model was not evaluated, or a file cannot be read.
    """
    row = evaluation_section(results, fit)
    if row is None:
        raise UserError(f"{results}/evaluate/{fit.path}/metrics.json: no such file; run `evaluate` of this model first")
    content = {
        "row": row,
        "code": code_version(),
        "encoder": encoder_section(results, fit.encoder),
        "baselines": [
            {
                "encoder": name,
                "metrics": read_if_there(results / f"evaluate/{name}/{fit.task}/{fit.fit}/metrics.json", read_json),
            }
            for name in baselines
            if name != fit.encoder
        ],
        "is_baseline": fit.encoder in baselines,
        **trust(results, fit, row["metrics"]),
    }
    write_text(output, environment().get_template("card.html.j2").render(content))


def trust(results: Path, fit: Fit, metrics: dict[str, Any]) -> dict[str, Any]:
    """`majority`: macro metrics of the constant answer; `leakage`: see there. None where files are missing."""
    table = read_if_there(results / "evaluate" / fit.path / "predictions.parquet", pd.read_parquet)
    records = pieces_if_there(results / "manifest/records.parquet")
    labels = results / f"labels/{fit.task}.parquet"
    if table is None or records is None or not labels.exists():
        return {"majority": None, "leakage": None}
    audit = read_if_there(results / "manifest/audit.json", read_json)
    encoder = read_if_there(results / "pretrain" / fit.encoder / "encoder.json", read_json) or {}
    kind, names = metrics.get("kind", "multilabel"), metrics["label_names"]
    columns = [column for name in names for column in label_columns(kind, name)]
    truth = pd.read_parquet(labels, columns=["split", *columns])
    train, test = (truth.loc[truth["split"] == split, columns].to_numpy(np.float64) for split in ("train", "test"))
    return {
        "majority": majority(kind, train, test),
        "leakage": leakage(audit, encoder, records, table[table["split"] == "test"]),
    }
