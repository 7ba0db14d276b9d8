"""What a card says beside the numbers: what a model is for, what it learnt from, how it decides, and its limits.

Every sentence is read off the files of the run, or off `card` in the config where only people can know; what neither
says is said to be unknown. The words of the sections are those of Mitchell et al., Model Cards for Model Reporting
(arXiv:1810.03993), and of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378); the template maps every heading.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ecglfm.config import BASELINES, CardSlice, FinetuneConfig, TaskSlice, load
from ecglfm.evaluation.metrics import chances, title_of
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.model_sections import FittedModel
from ecglfm.models.lineage import lineage
from ecglfm.models.settings import finetuning_of
from ecglfm.provenance import read_json

#: Of a model, or of an encoder, whose file has no settings.
UNSAID = "It was trained by an earlier ecglfm, which did not write its settings beside it."
_GONE = "Its model is no longer in the results, so its settings are not known."
_TOO_FEW = "too few"


def uses(results: Path, fit: FittedModel, metrics: dict[str, Any], said: CardSlice) -> dict[str, Any]:
    """What a model is for, as its makers say, and what nobody knows of it, as the run says.

    Returns
    -------
    dict
        `task` (its description, may be empty), `intended` and `out_of_scope` (of the config, may be None) and
        `untested` (list of sentences).
    """
    path = results / f"config/labels/{fit.task}.yaml"
    task = load(TaskSlice, path).config.description if path.exists() else ""
    sources = [*metrics.get("sources", []), *metrics.get("external", {})]
    untested = [f"Anything that is none of its labels: it knows {', '.join(metrics['label_names'])}."]
    if sources:
        untested.append(f"People, devices and hospitals other than those of {', '.join(sources)}: none was tested.")
    if few := _unmeasured(metrics):
        untested.append(f"Groups with too few test patients to be measured: {'; '.join(few)}.")
    return {
        "task": task,
        "intended": said.card.intended_use,
        "out_of_scope": said.card.out_of_scope,
        "untested": untested,
    }


def _unmeasured(metrics: dict[str, Any]) -> list[str]:
    """Subgroups without a number: `age 18-39, unknown`."""
    found = []
    for variable, groups in metrics.get("subgroups", {}).items():
        if names := [name for name, group in groups.items() if "reason" in group]:
            found.append(f"{variable} {', '.join(names)}")
    return found


def training_data(results: Path, fit: FittedModel, metrics: dict[str, Any], said: CardSlice) -> dict[str, Any] | None:
    """A row per source: what it was used for, how many in each split, and its licence; None without the audit.

    Returns
    -------
    dict
        `rows` (list of dict of `source`, `uses`, `counts` by split, `licence`), `dominant` (as the audit has it, of
        these sources) and `fitted` (of `model.json`: number of train and valid records and patients; empty where it
        does not say).
    """
    audit = read_if_there(results / "manifest/audit.json", read_json)
    if audit is None:
        return None
    encoder = read_if_there(results / "pretrain" / fit.encoder / "encoder.json", read_json) or {}
    pretrained = [name for one in lineage(encoder) for name in one.get("training", {}).get("sources") or []]
    external = list(metrics.get("external", {}))
    rows = []
    for source, counts in audit.get("counts", {}).items():
        parts = [name for name, among in _parts(source, pretrained, metrics.get("sources", []), external) if among]
        if parts:
            row = {"source": source, "uses": ", ".join(parts), "counts": counts, "licence": said.licences.get(source)}
            rows.append(row)
    # what an imported encoder was pretrained on is not in this manifest
    for source in sorted(set(pretrained) - set(audit.get("counts", {}))):
        rows.append({"source": source, "uses": "pretraining", "counts": {}, "licence": said.licences.get(source)})
    used = {row["source"] for row in rows}
    dominant = [one for one in audit.get("dominant", []) if one["source"] in used]
    return {"rows": rows, "dominant": dominant, "fitted": fitted_to(results, fit)}


def _parts(source: str, pretrained: list[str], fitted: list[str], external: list[str]) -> list[tuple[str, bool]]:
    return [
        ("pretraining", source in pretrained),
        ("fine-tuning and test", source in fitted),
        ("test only", source in external),
    ]


def fitted_to(results: Path, fit: FittedModel) -> dict[str, int]:
    """Records and patients that a model was fitted to and validated on; empty where its file does not say."""
    info = read_if_there(results / "finetune" / fit.path / "model.json", read_json) or {}
    names = ("train_records", "train_patients", "valid_records", "valid_patients")
    training = info.get("training", {})
    return {name: training[name] for name in names if name in training}


def description_of(fit: FittedModel, metrics: dict[str, Any]) -> str:
    """`model.json` of a model below `results`, of a cross-validation that of its first fold."""
    name = metrics["folds"]["models"][0]["fit"] if "folds" in metrics else fit.fit
    return f"finetune/{fit.encoder}/{fit.task}/{name}/model.json"


def told(results: Path, fit: FittedModel, metrics: dict[str, Any]) -> FinetuneConfig | None:
    """What a fit was told, as its model says, whatever the config says now; None where the model does not say."""
    path = results / description_of(fit, metrics)
    return finetuning_of(read_if_there(path, read_json) or {}, path)


def untold(results: Path, fit: FittedModel, metrics: dict[str, Any]) -> str:
    """Why `told` gives None, in a sentence: the model does not say, or is gone, as `ecglfm clean` leaves it."""
    return UNSAID if (results / description_of(fit, metrics)).exists() else _GONE


def threshold_rule(config: FinetuneConfig | None) -> str | None:
    """How thresholds were chosen, in a sentence or two; None where nobody can know."""
    if config is None:
        return None
    rules = {
        "f1": "the one with the largest F1",
        "fbeta": f"the one with the largest F-beta, beta {config.threshold_beta:g}",
        "youden": "the one with the largest Youden index (sensitivity + specificity - 1)",
        "sensitivity": f"the highest that reaches a sensitivity of {config.threshold_sensitivity:g}",
    }
    smoothed = (
        f" Those of labels with fewer than {config.threshold_min_positives} positive validation patients were smoothed."
        if config.threshold_min_positives
        else ""
    )
    return f"Of each label's thresholds on the validation split, {rules[config.threshold]}.{smoothed}"


def limits(metrics: dict[str, Any], leakage: dict[str, Any] | None, encoder: dict[str, Any] | None) -> list[str]:
    """What the run itself says against its numbers, a sentence each.

    Parameters
    ----------
    metrics : dict
        `metrics.json`.
    leakage : dict or None
        Of `ecglfm.evaluation.leakage`.
    encoder : dict or None
        Of `encoder_section`.
    """
    found = []
    if leakage is None:
        found.append("Leakage was not judged: the manifest or the predictions are not there.")
    elif not leakage["clean"]:
        found.append("Leakage is not excluded: see above.")
    for source, one in ((leakage or {}).get("about") or {}).get("sources", {}).items():
        if one["seen"] in ("yes", "perhaps"):
            may = "has seen" if one["seen"] == "yes" else "may have seen"
            found.append(f"Its encoder's pretraining {may} {source}: {one['why']}.")
    if not metrics.get("external"):
        found.append("No external validation: every test record is of a source that it was fitted to.")
    if few := [name for name, entries in metrics["labels"].items() if _is_few(entries)]:
        found.append(f"Too few test patients to be judged by themselves: {', '.join(few)}.")
    found += _no_better_than_chance(metrics)
    if left_out := metrics.get("left_out"):
        found.append(f"Labels of the task that it does not know: {', '.join(left_out)}.")
    if encoder and encoder["weights"] in BASELINES:
        found.append(f"Its encoder has {BASELINES[encoder['weights']]}: it is a baseline.")
    if encoder and encoder["warnings"]:
        found.append(f"Warnings of the pretraining: {'; '.join(map(str, encoder['warnings']))}.")
    return found


def _is_few(entries: dict[str, Any]) -> bool:
    return any((entry.get("reason") or "").startswith(_TOO_FEW) for entry in entries.values())


def _no_better_than_chance(metrics: dict[str, Any]) -> list[str]:
    """A sentence for each metric with a known value of chance that is within the interval of some labels."""
    sentences = []
    for metric, chance in chances().items():
        names = [
            name
            for name, entries in metrics["labels"].items()
            if (entry := entries.get(metric)) and entry.get("ci_low") is not None
            and entry["ci_low"] <= chance <= entry["ci_high"]
        ]  # fmt: skip
        if names:
            sentences.append(f"{title_of(metric)} not told apart from chance ({chance:g}): {', '.join(names)}.")
    return sentences


def calibrated(metrics: dict[str, Any]) -> list[str]:
    """Metrics of calibration that were measured, each before and after where probabilities were calibrated."""
    wanted = ("brier", "brier_uncalibrated", "ece", "ece_uncalibrated")
    measured = {metric for entries in metrics["labels"].values() for metric in entries}
    return [name for name in wanted if name in measured]
