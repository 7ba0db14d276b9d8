"""The target `confounders`: what vectors and scores know of device, site and year, and what is left without it.

Three questions. Can the variables be predicted from an encoder's vectors, and from what a model says (`probe`)? What
becomes of each label's AUROC among recordings that are alike in them (`strata`)? And what does a model reach that sees
nothing else (`alone`)? Nothing of it is trained on a GPU, and nothing chosen by the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import ConfoundersConfig, EvaluateConfig, UserError
from ecglfm.config.kinds import KINDS
from ecglfm.config.wording import counted
from ecglfm.evaluation.confounders.alone import fit_alone
from ecglfm.evaluation.confounders.probe import probe, usable
from ecglfm.evaluation.confounders.strata import Areas
from ecglfm.evaluation.confounders.survival import judge_survival, risk_alone
from ecglfm.evaluation.confounders.variables import Variable, read_variables
from ecglfm.evaluation.metrics import how_resampled, log_odds
from ecglfm.provenance import code_version, read_json, write_json
from ecglfm.records import data_hash

_STRATA = 5  # of a quantity, as many patients' records in each
#: The stratum of all variables together.
TOGETHER = "all together"


def run_probe_encoder(
    config: ConfoundersConfig,
    evaluation: EvaluateConfig,
    *,
    vectors: Sequence[Path],
    manifest: Path,
    index: Sequence[Path],
    ingested: Path,
    output: Path,
) -> dict[str, Any]:
    """Probe an encoder's vectors for every variable and write what was found (JSON).

    Parameters
    ----------
    config : ConfoundersConfig
    evaluation : EvaluateConfig
        How intervals are made.
    vectors : sequence of path
        `embed/{encoder}/{source}.parquet`.
    manifest : path
        `manifest/records.parquet`.
    index : sequence of path
        `index/{source}.parquet`.
    ingested : path
        Folder `ingest/`.
    output : path
        The file.

    Raises
    ------
    UserError
        A variable is none, or a record has no vector.
    """
    all_records = pd.read_parquet(manifest)
    records = draw_patients(all_records, config.max_records, config.seed)
    variables, missing = read_variables(records, config.variables, index=index, ingested=ingested)
    x = _read(vectors, records["record_id"])
    found = {
        name: probe(x, variable, records["patient_id"].set_axis(variable.values.index), config, evaluation)
        for name, variable in variables.items()
    }
    about = {"records": len(records), "patients": records["patient_id"].nunique(), "dim": x.shape[1]}
    content: dict[str, Any] = {"encoder": output.parent.name, "n": about, "probes": found, "missing": missing}
    content |= {"folds": config.folds, "bootstrap": how_resampled(evaluation)}
    write_json(output, content | {"data_hash": data_hash(all_records), "code": code_version()})
    return content


def draw_patients(records: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """All records of patients who are drawn blindly until there are `most` records; sorted by `record_id`."""
    count = records["patient_id"].value_counts().sort_index()
    order = np.random.default_rng(seed).permutation(len(count))
    fits = np.cumsum(count.to_numpy()[order]) <= max(most, int(count.iloc[order[0]]))
    drawn = records[records["patient_id"].isin(count.index[order[fits]])]
    return drawn.sort_values("record_id", ignore_index=True)


def _read(paths: Sequence[Path], record_ids: pd.Series) -> np.ndarray:
    """Vectors of records, float32 (n, d)."""
    wanted = set(record_ids)
    tables = [pd.read_parquet(path, filters=[("record", "in", wanted)]) for path in paths]
    table = pd.concat(tables).set_index("record")
    if lacking := wanted - set(table.index):
        raise UserError(
            f"{paths[0].parent}: no vector of {min(lacking)} and {counted(len(lacking) - 1, 'other')} of the manifest;"
            " run the stage `embed` again"
        )
    return table.loc[record_ids].filter(regex=r"^vector\.").to_numpy(np.float32)


def run_confounders(
    config: ConfoundersConfig,
    evaluation: EvaluateConfig,
    *,
    evaluated: Path,
    labels: Path,
    manifest: Path,
    index: Sequence[Path],
    ingested: Path,
    output: Path,
) -> dict[str, Any]:
    """What of a model's AUROCs is left within strata, what the variables reach alone; written as JSON.

    Parameters
    ----------
    config, evaluation, manifest, index, ingested, output
        As in `run_probe_encoder`.
    evaluated : path
        Folder that `evaluate` wrote: `predictions.parquet`, `metrics.json`.
    labels : path
        `labels/{task}.parquet`.

    Raises
    ------
    UserError
        A variable is none, or a predicted record is not in the manifest.
    """
    metrics = read_json(evaluated / "metrics.json")
    names, kind = list(metrics["label_names"]), KINDS[metrics["kind"]]
    said = pd.read_parquet(evaluated / "predictions.parquet")
    test = said[said["split"] == "test"].set_index("record_id", drop=False)
    all_records = pd.read_parquet(manifest)
    table = pd.read_parquet(labels)
    records = all_records[all_records["record_id"].isin({*table["record_id"], *test.index})]
    if lacking := set(test.index) - set(records["record_id"]):
        raise UserError(f"{evaluated}: {min(lacking)} is not in the manifest; run `ecglfm evaluate` again")
    variables, missing = read_variables(records, config.variables, index=index, ingested=ingested)
    tested = {name: one._replace(values=one.values.loc[test.index]) for name, one in variables.items()}
    outputs = test[[kind.output_column(name) for name in names]].to_numpy(np.float64)
    x = log_odds(outputs) if kind.has_classes else outputs
    content: dict[str, Any] = {key: metrics[key] for key in ("encoder", "task", "fit", "kind", "label_names")}
    content |= {
        "n": {"records": len(test), "patients": test["patient_id"].nunique()},
        "probes": {name: probe(x, one, test["patient_id"], config, evaluation) for name, one in tested.items()},
        "missing": missing,
        "labels": {},
        "folds": config.folds,
        "bootstrap": how_resampled(evaluation),
    }
    if kind.has_classes:
        for number, name in enumerate(names):
            alone = fit_alone(variables, table, f"label.{name}", seed=config.seed)
            truth = test[f"target.{name}"].to_numpy(np.float64)
            content["labels"][name] = judge_label(truth, outputs[:, number], alone, test, tested, config, evaluation)
    elif kind.time is not None:
        content["metric"] = "c_index"
        for number, name in enumerate(names):
            risks = risk_alone(variables, table, name)
            content["labels"][name] = judge_survival(name, outputs[:, number], risks, test, evaluation)
    else:
        content["reason"] = f"a task of kind {kind.name} has no positives and negatives to compare within strata"
    write_json(output, content | {"data_hash": data_hash(all_records), "code": code_version()})
    return content


def judge_label(
    truth: np.ndarray, score: np.ndarray, alone: tuple[pd.Series, dict[str, Any]], test: pd.DataFrame,
    variables: Mapping[str, Variable], config: ConfoundersConfig, evaluation: EvaluateConfig,
) -> dict[str, Any]:  # fmt: skip
    """A label's AUROC, within strata of each variable and of all, and that of the variables alone.

    Parameters
    ----------
    truth, score : ndarray, shape (n,)
        1, 0, NaN where unknown; what the model says.
    alone : Series, dict
        As `fit_alone` gives them.
    test : DataFrame
        The n test records, by `record_id`; of it `patient_id`.
    variables : mapping of str to Variable
        Of these records.
    config, evaluation
        As in `run_confounders`.
    """
    patients, known = test["patient_id"], ~np.isnan(truth)
    strata = {name: strata_of(one, patients, config.min_patients) for name, one in variables.items()}
    usable_ones = {name: values for name, values in strata.items() if not isinstance(values, str)}
    found: dict[str, Any] = {
        "within": {name: {"reason": values} for name, values in strata.items() if isinstance(values, str)}
    }
    if len(usable_ones) > 1:
        # What one database does not say is a stratum, too: a record without a site is compared with its like.
        rows = zip(*(values.fillna("unknown") for values in usable_ones.values()), strict=True)
        usable_ones[TOGETHER] = pd.Series([" | ".join(row) for row in rows], index=test.index, dtype=object)
    for name, values in usable_ones.items():
        rows = known & values.notna().to_numpy()
        areas = Areas(truth[rows], patients[rows].to_numpy(dtype=str), evaluation)
        pooled = areas.measure(score[rows])
        within = areas.measure(score[rows], values[rows].to_numpy(dtype=str))
        share = within[0]["pairs"] / pooled[0]["pairs"] if pooled[0]["pairs"] else None
        found["within"][name] = {
            "strata": int(values[rows].nunique()), "records": int(rows.sum()), "share_of_pairs": share,
            "pooled": pooled[0], "auroc": within[0], "difference": areas.difference(within, pooled),
        }  # fmt: skip
    areas = Areas(truth[known], patients[known].to_numpy(dtype=str), evaluation)
    model = areas.measure(score[known])
    found["auroc"], (scores, about) = model[0], alone
    if "reason" not in about:
        told = areas.measure(scores.loc[test.index[known]].to_numpy())
        about = about | {"auroc": told[0], "difference": areas.difference(model, told)}
    return found | {"alone": about}


def strata_of(variable: Variable, patients: pd.Series, min_patients: int) -> pd.Series | str:
    """Stratum of each record, None where unknown or in a class of few patients; or why there are none."""
    values, about = usable(variable.values, patients, min_patients, quantity=variable.is_quantity)
    if "reason" in about:
        return str(about["reason"])
    if variable.is_quantity:
        cut = pd.qcut(values.astype(np.float64), _STRATA, duplicates="drop")
        if cut.nunique() < 2:
            return "nearly always the same: its quintiles are one"
        values = cut.astype(object).map(str, na_action="ignore")
    return values.where(values.notna(), None)
