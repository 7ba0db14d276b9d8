"""The target `lead_sets`: a fine-tuned model on the test split, told twelve leads and then fewer.

Leads that are left out are zero, which is how pretraining masks them. Nothing is chosen anew: thresholds, temperatures
and what survival is judged by are those of all leads. The row of all leads is what `evaluate` wrote, so its numbers are
those of `metrics.json`; a set's change is its metric less that one, on the same patients (`comparison.difference`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import LEADS, EvaluateSlice, LeadSetsConfig, UserError
from ecglfm.data.samples import check_samples
from ecglfm.evaluation.comparison import contender, differences
from ecglfm.evaluation.cross_validation import read_models
from ecglfm.evaluation.evaluate import measure
from ecglfm.evaluation.lead_sets.figure import lead_sets_figure
from ecglfm.evaluation.lead_sets.gather import lead_sets_table
from ecglfm.evaluation.metrics import MIN_PATIENTS, Outcome, compared, read_outcome, truth_of
from ecglfm.evaluation.plots import save_png
from ecglfm.provenance import code_version, write_json, write_text
from ecglfm.records import data_hash

logger = logging.getLogger(__name__)

#: Sections of `metrics.json` that each set has.
_SECTIONS = ("labels", "macro", "micro", "overall")


def run_lead_sets(
    config: LeadSetsConfig,
    evaluation: EvaluateSlice,
    *,
    model: Sequence[Path],
    predictions: Path,
    labels: Path,
    manifest: Path,
    signals: Path,
    output: Path,
    threads: int = 1,
) -> dict[str, Any]:
    """Measure a model, or those of all folds, at every lead set.

    Writes `metrics.json`, `table.csv` and `curve.png` into `output`.

    Parameters
    ----------
    config : LeadSetsConfig
    evaluation : EvaluateSlice
    model : sequence of path
        Folder that `finetune` wrote; those of every fold, where the task is cross-validated.
    predictions : path
        What `evaluate` wrote of them: `predictions.parquet`.
    labels, manifest, signals : path
        As in `evaluate.run_evaluate`.
    output : path
        Folder to write into.
    threads : int
        Of torch.

    Returns
    -------
    dict
        The content of `metrics.json`.

    Raises
    ------
    UserError
        The predictions are of other test records, the model reads no lead of a set, or as `run_evaluate`.
    """
    import torch

    torch.set_num_threads(max(1, threads))
    models = read_models(model)
    kind, names = models.kind, models.names
    all_records, records = models.read_records(labels, manifest, evaluation.tested_only)
    records = records[records["split"] == "test"] if not models.folds else records
    check_samples(records, signals)
    said = pd.read_parquet(predictions)
    tested = said[said["split"] == "test"]
    if sorted(tested["record_id"]) != sorted(records.loc[records["split"] == "test", "record_id"]):
        raise UserError(f"{predictions}: other test records than {labels} has; run `ecglfm evaluate` again")
    encoder = models.networks[0].encoder
    reads = list(encoder.leads)
    outcomes = {f"{len(reads)}-leads": read_outcome(said, kind, names, evaluation.evaluate)[0]}
    kept = {next(iter(outcomes)): reads} | sets_of(config.sets, reads, own=encoder.input is not None)
    for name, leads in list(kept.items())[1:]:
        logger.info("%s: %s", name, " ".join(leads))
        told = models.predict_test(records, signals, leads).set_index("record_id").loc[tested["record_id"]]
        table = pd.concat([said[said["split"] == "valid"], told.reset_index()], ignore_index=True)
        outcomes[name], _ = read_outcome(table, kind, names, evaluation.evaluate)
    metric = compared(kind)[0]
    metrics: dict[str, Any] = {**models.identity, "kind": kind, "metric": metric, "label_names": names}
    metrics |= compare_sets(outcomes, metric, evaluation)
    without = without_signal(records.set_index("record_id").loc[tested["record_id"]], kept)
    for row in metrics["sets"]:
        row |= {"leads": kept[row["name"]], "without_signal": without.get(row["name"])}
    metrics |= {"data_hash": data_hash(all_records), "code": code_version()}
    write_json(output / "metrics.json", metrics)
    write_text(output / "table.csv", lead_sets_table(metrics).to_csv(index=False))
    save_png(lead_sets_figure(metrics), output / "curve.png")
    return metrics


def sets_of(sets: Mapping[str, Sequence[str]], reads: Sequence[str], *, own: bool = False) -> dict[str, list[str]]:
    """Leads of each set that a model reads, the largest set first; those of all that it reads are left out.

    A set of which it reads none is an error; with `own`, where its leads are not the project's, it is left out. Of sets
    of which it reads the same, as of eight leads and of two without chest leads, the one of fewest leads stays.
    """
    kept = {name: [lead for lead in reads if lead in leads] for name, leads in sets.items()}
    for name in [name for name, leads in kept.items() if not leads]:
        none = f"{name}: the model reads none of {', '.join(sets[name])}"
        if not own:
            raise UserError(f"lead_sets.sets: {none}; leave the set out")
        logger.warning("lead_sets.sets: %s, whose `input` has other leads: without this set", none)
        del kept[name]
    smallest: dict[tuple[str, ...], str] = {}
    for name in sorted(kept, key=lambda name: (len(sets[name]), name)):
        if (stays := smallest.setdefault(tuple(kept[name]), name)) != name:
            logger.info("lead_sets.sets: of %s the model reads what it reads of %s: without it", name, stays)
    found = {name: list(leads) for leads, name in smallest.items() if len(leads) < len(reads)}
    return dict(sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0])))


def without_signal(records: pd.DataFrame, kept: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """By set, records of which none of its leads was recorded: of them the model is told nothing."""
    if "lead_mask" not in records:  # of a manifest before there was one
        return {}
    recorded = records["lead_mask"].to_numpy(np.int64)
    bits = {name: sum(1 << LEADS.index(lead) for lead in leads) for name, leads in kept.items()}
    return {name: int(((recorded & of_set) == 0).sum()) for name, of_set in bits.items()}


def compare_sets(outcomes: Mapping[str, Outcome], metric: str, evaluation: EvaluateSlice) -> dict[str, Any]:
    """What `metrics.json` says of each set: its metrics, and its change against the first.

    Parameters
    ----------
    outcomes : mapping of str to Outcome
        On the same records; the first is of all leads.
    metric : str
        By which sets are compared.
    evaluation : EvaluateSlice
    """
    config, (whole, *_) = evaluation.evaluate, outcomes.values()
    truth = truth_of(whole, config.min_patients, in_all=MIN_PATIENTS)
    contenders = {name: contender(name, "", [""], [outcome], [metric], truth) for name, outcome in outcomes.items()}
    first = next(iter(outcomes))
    rows, counted = [], {}
    for name, outcome in outcomes.items():
        measured = measure(outcome, config)
        counted = {key: measured[key] for key in ("n", "bootstrap")}
        row = {"name": name} | {section: measured[section] for section in _SECTIONS if section in measured}
        if name != first:
            found = differences(contenders[name], contenders[first], metric, truth, config)
            row["change"] = {
                "labels": {label: _change(entry) for label, entry in found["labels"].items()},
                "macro": _change(found["macro"]),
            }
        rows.append(row)
    return counted | {"sets": rows}


def _change(entry: dict[str, Any]) -> dict[str, Any]:
    """Value and interval of a difference; of one that never varies, why it has none."""
    found = {key: entry.get(key) for key in ("value", "ci_low", "ci_high")}
    return found | ({"reason": entry["reason"]} if entry.get("reason") else {})
