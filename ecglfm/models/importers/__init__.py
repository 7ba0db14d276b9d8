"""Foreign checkpoints become encoders and models of ours: `python -m ecglfm import-checkpoint`.

One module per method: `recognises(checkpoint)` says whether it is its own, `convert(checkpoint)` gives an `Imported`.
The file itself is read by `unpickle` or `hub`, which run nothing of it.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import yaml

from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError, parse, parse_model
from ecglfm.config.kinds import KINDS
from ecglfm.models.bundle import save_encoder, save_model
from ecglfm.models.encoders import Encoder, make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.models.importers import ecg_cpc, ecg_fm, ecg_founder, ecg_lfm, hubert_ecg, resnet, vit
from ecglfm.models.importers.checkpoint import Checkpoint, read_checkpoint
from ecglfm.models.importers.hub import WEIGHTS
from ecglfm.models.importers.layout import Imported
from ecglfm.models.importers.unpickle import shown
from ecglfm.models.meta_device import on_meta_device
from ecglfm.models.outputs import Link, link_of
from ecglfm.provenance import sha256_file, write_text

__all__ = ["import_checkpoint"]

IMPORTERS: tuple[ModuleType, ...] = (ecg_lfm, ecg_fm, hubert_ecg, ecg_cpc, vit, ecg_founder, resnet)


def convert(checkpoint: Checkpoint) -> Imported:
    """Give the checkpoint to the importer that knows its method.

    Raises
    ------
    UserError
        None does, or weights are missing or unknown, or settings are not of the kind they should be.
    """
    for importer in IMPORTERS:
        if importer.recognises(checkpoint):
            try:
                return importer.convert(checkpoint)
            except UserError:
                raise
            except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
                reason = f"its settings or its weights' shapes are not as this method writes them: {error}"
                raise UserError(f"{checkpoint.path}: {reason.splitlines()[0]}") from error
    names = shown(", ".join(list(checkpoint.state)[:4]))
    raise UserError(f"{checkpoint.path}: no known method has weights named like {names}")


def import_checkpoint(
    path: str | Path, output: str | Path, labels: str | Path | None = None, *, heads: int | None = None
) -> Imported:
    """Write a foreign checkpoint as an encoder folder, and a fine-tuned one as a model too.

    Parameters
    ----------
    path : path
        The checkpoint, or a folder with `model.safetensors` and `config.json`.
    output : path
        Folder for `encoder.{safetensors,json}`, `encoder.yaml` (for config/encoders/) and, of a fine-tuned one,
        `model.{safetensors,json}`.
    labels : path, optional
        `label_def.csv`, a row per label with its name in column `name` (else the first column), or a `.txt` with a
        name a line and no header; without it the
        labels are `label_0`, `label_1`, …
    heads : int, optional
        Attention heads, where the checkpoint does not say how many there are.

    Returns
    -------
    Imported

    Raises
    ------
    UserError
        As `read_checkpoint` and `convert`; or the labels do not fit.
    """
    checkpoint, output = replace(read_checkpoint(path), heads=heads), Path(output)
    imported, path = convert(checkpoint), checkpoint.path
    if heads is not None and (imported.model["kind"] != "vit" or "head_dim" in imported.model):
        raise UserError(f"--heads {heads}: {path} says itself how many there are; leave it out")
    names = _label_names(imported, path, Path(labels) if labels else None)
    if not names and (output / "model.json").exists():
        raise UserError(f"{output}: holds a model, to which this encoder does not belong; give another folder")
    encoder = build_encoder(imported, path)
    facts = {"origin": imported.origin, "file": path.name, "sha256": sha256_file(path), "pretrain": imported.pretrain}
    facts |= {"unverified": imported.unverified}
    if imported.pretrained_on:
        facts |= {"pretrained_on": imported.pretrained_on}
    if imported.licence:
        facts |= {"licence": imported.licence}
    name = (path.parent.name if path.name == WEIGHTS else "") or path.stem  # on the hub a folder has the name
    info = {"name": name, "weights": "import", "imported": facts}
    save_encoder(output, encoder, info)
    write_text(output / "encoder.yaml", _encoder_yaml(imported, path, output))
    if names:
        if imported.head_model:
            encoder = build_encoder(replace(imported, model=imported.model | imported.head_model), path)
        model = ECGModel(encoder, names, "full", _link(imported))
        model.head.load_state_dict(imported.head)
        save_model(output, model, {"task": name, "encoder": info})
    return imported


def build_encoder(imported: Imported, where: str | Path) -> Encoder:
    """Build the encoder with its weights, in `eval()`, without drawing others first.

    Raises
    ------
    UserError
        The architecture that was read off the checkpoint is none that we have.
    """
    rate, leads = imported.sampling_rate, imported.leads
    input_ = None if imported.input is None else parse(InputConfig, imported.input, f"{where}: input")
    # Of a contract any project makes it, of signals as it prepares them; by itself it starts from the usual ones, of
    # those leads that it reads: a recording may lack the others.
    usual = PreprocessConfig(leads=[lead for lead in LEADS if lead in leads])
    preprocess = PreprocessConfig(sampling_rate=rate, leads=leads) if input_ is None else usual
    with on_meta_device():
        encoder = make_encoder(
            parse_model(imported.model, f"{where}: architecture"),
            leads,
            rate,
            preprocess,
            imported.crop_seconds,
            input_,
        )
    encoder.load_state_dict(imported.encoder, assign=True)
    return encoder.eval()


def _link(imported: Imported) -> Link:
    """What the head's outputs mean: where they are numbers, those in their own unit."""
    numbers = len(imported.head["bias"]) if KINDS[imported.task].standardized else 0
    return link_of(imported.task, [0.0] * numbers, [1.0] * numbers)


def _label_names(imported: Imported, path: Path, labels: Path | None) -> list[str]:
    """Names of the classifier's outputs; empty without a classifier."""
    count = len(imported.head["bias"]) if imported.head else 0
    if labels is None:
        return imported.labels or [f"label_{index}" for index in range(count)]
    if not count:
        raise UserError(f"--labels {labels}: {path} is a pretrained encoder, it has no labels; leave --labels out")
    plain = labels.suffix == ".txt"  # as ECGFounder's tasks.txt: a name a line, some with a comma
    try:
        lines = labels.read_text(encoding="utf-8-sig").splitlines()
        rows = [["name"], *([line] for line in lines if line.strip())] if plain else list(csv.reader(lines))
    except FileNotFoundError:
        raise UserError(f"{labels}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{labels}: not a readable CSV: {error}") from None
    header, *rows = [row for row in rows if row] or [[]]
    column = header.index("name") if "name" in header else 0
    names = [row[column].strip() if column < len(row) else "" for row in rows]
    if len(names) != count:
        where = "" if plain else " below its header"
        raise UserError(f"{labels}: names {len(names)} labels{where}, but {path} has {count} outputs")
    if "" in names or len(set(names)) != len(names):
        raise UserError(f"{labels}: every label needs a name of its own; found {names}")
    return names


def _encoder_yaml(imported: Imported, path: Path, output: Path) -> str:
    """An encoder YAML that takes these weights."""
    model = [f"  {key}: {json.dumps(value)}" for key, value in imported.model.items()]
    made = yaml.safe_dump({"input": imported.input}, sort_keys=False, width=110, default_flow_style=None).splitlines()
    made = [] if imported.input is None else ["", *made]
    warning = [f"# Unverified: {imported.unverified}"] if imported.unverified else []
    lines = [
        f"# {imported.origin}, from {path.name}. Copy it to config/encoders/NAME.yaml and add NAME to `encoders`.",
        *warning,
        "model:",
        *model,
        *made,
        "",
        "weights: import",
        f"path: {json.dumps(str(output))}",
        *([f"pretrained_on: {json.dumps(imported.pretrained_on)}"] if imported.pretrained_on else []),
        *([f"licence: {json.dumps(imported.licence)}"] if imported.licence else []),
    ]
    return "\n".join(lines) + "\n"
