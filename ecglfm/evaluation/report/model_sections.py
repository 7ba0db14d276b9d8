"""What the report says about models: how encoders were pretrained, how models were fitted, how good they are.

As in `data_sections`, every function returns what the template shows, or None when the stage has not run.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ecglfm.config import BASELINES, CardSlice, UserError
from ecglfm.config.fits import split_fold
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.exposure import about_encoder
from ecglfm.evaluation.metrics import by_group, place_of
from ecglfm.evaluation.plots import Series, data_uri, history_figure, png
from ecglfm.evaluation.report.data_sections import read_if_there
from ecglfm.evaluation.report.histories import History, read_history
from ecglfm.models.lineage import told_before
from ecglfm.provenance import read_json

_PANELS = 12
_TEXT = (str, int, float)


class FittedModel(NamedTuple):
    """One model: `{encoder}/{task}/{fit}`."""

    encoder: str
    task: str
    fit: str

    @property
    def path(self) -> str:
        """Its folder under `finetune/` and `evaluate/`."""
        return "/".join(self)


def parse_model(text: str, option: str) -> FittedModel:
    """`encoder/task/fit` of a command's option; `UserError` where it is not that."""
    parts = text.split("/")
    if len(parts) != 3 or not all(parts) or any(part in {".", ".."} for part in parts):
        raise UserError(f"{option} {text}: expected encoder/task/fit, e.g. tiny/af/full-s0")
    return FittedModel(*parts)


def baseline_of(results: Path, encoder: str) -> str:
    """What tables call an encoder that stands beside others as their baseline."""
    info = read_if_there(results / "pretrain" / encoder / "encoder.json", read_json) or {}
    return BASELINES.get(info.get("weights", ""), BASELINES["random"])


def encoder_section(results: Path, encoder: str, said: CardSlice | None = None) -> dict[str, Any] | None:
    """Architecture, origin and licence of the weights, course of the pretraining and final values."""
    folder = results / "pretrain" / encoder
    info = read_if_there(folder / "encoder.json", read_json)
    history = read_history(folder / "history.csv")
    if info is None and history is None:
        return None
    info = info or {}
    model = {key: value for key, value in info.get("model", {}).items() if isinstance(value, _TEXT)}
    training = {key: value for key, value in info.get("training", {}).items() if isinstance(value, _TEXT)}
    section: dict[str, Any] = {
        "name": encoder,
        "weights": info.get("weights"),
        "began": told_before(info),
        "about": about_encoder(results, encoder, said or CardSlice()),
        "facts": model,
        "input": _reads(info),
        "training": training,
        "warnings": info.get("training", {}).get("warnings", []),
        "code": info.get("code", {}),
        "config_hash": info.get("config_hash", ""),
        "data_hash": info.get("data_hash", ""),
        "curves": None,
    }
    if history is not None and history.terms:
        section["curves"] = _uri(history.terms, history.x)
        section["terms"] = [term.replace("_", " ") for term in list(history.terms)[:_PANELS]]
        section["codebook"] = _codebook(history)
        section["final"] = [
            {
                "term": term.replace("_", " "),
                "train": history.final(term, "train"),
                "valid": history.final(term, "valid"),
            }
            for term in history.terms
        ]
        section["last"] = (history.x, int(max(series.x[-1] for lines in history.terms.values() for series in lines)))
    return section


def _reads(info: dict[str, Any]) -> str:
    if not info:
        return ""
    leads = info.get("leads", [])
    return f"{len(leads)} leads x {info.get('crop_seconds', '?')} s at {info.get('sampling_rate', '?')} Hz"


def _codebook(history: History) -> str | None:
    """How much of the codebook the last validation used; None of a training without one."""
    used = history.final("code_perplexity", "valid")
    return (
        None if used is None else f"At the end valid used its codes as if {used:.0f} of them were used equally often."
    )


def _uri(terms: dict[str, list[Series]], x: str, per_row: int = 4) -> str:
    panels = dict(list(terms.items())[:_PANELS])
    return data_uri(png(history_figure(panels, x, per_row=per_row), dpi=150))


def training_section(results: Path, fits: list[FittedModel]) -> str | None:
    """Fine-tuning curves of one task's models: a panel for the loss of each, and one for the score that is followed.

    None without a history; empty where no epoch made any of them: zero-shot, or a solved probe.
    """
    histories: dict[str, History] = {}
    made = None
    for fit in fits:
        for folder in _trained(results / "finetune" / fit.path):
            history = read_history(folder / "history.csv")
            made = made if history is None else ""
            if history is not None and history.final("loss", "train") is not None:
                histories[f"{fit.encoder} {folder.name}"] = history
    if not histories:
        return made
    panels: dict[str, list[Series]] = {}
    for name, history in histories.items():
        panels |= {f"{name}\n{term}": lines for term, lines in history.terms.items()}
    return _uri(panels, next(iter(histories.values())).x, per_row=2) if panels else None


def _trained(folder: Path) -> list[Path]:
    """The folder of a fit, or those of its folds in their order."""
    folds = [path for path in folder.parent.glob(f"{folder.name}-f*of*") if split_fold(path.name)[0] == folder.name]
    return sorted(folds, key=lambda path: split_fold(path.name)[1]) or [folder]


def evaluation_section(results: Path, fit: FittedModel) -> dict[str, Any] | None:
    """Metrics of one model and its curves."""
    folder = results / "evaluate" / fit.path
    metrics = read_if_there(folder / "metrics.json", read_json)
    if metrics is None:
        return None
    names = metrics["label_names"]
    kind = metrics.get("kind", "multilabel")  # of a file from before there were kinds
    headline = KINDS[kind].headline
    measured = {metric for entries in metrics["labels"].values() for metric in entries}
    section: dict[str, Any] = {
        "fit": fit,
        "metrics": metrics,
        "names": sorted(measured, key=partial(place_of, kind=kind)),
        "headline": headline,
        "captions": KINDS[kind].captions,
        "kept": [metric for metric in by_group(kind) if metric in metrics["macro"]] or list(headline),
        "over": len(metrics["macro"][headline[0]].get("labels", names)),
    }
    for picture in ("curves", "calibration"):
        content = read_if_there(folder / f"{picture}.png", Path.read_bytes)
        section[picture] = None if content is None else data_uri(content)
    return section
