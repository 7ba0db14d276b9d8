"""Has a model met the people of a cohort before? By the tables of the results folder in which it lies.

A recording is known by the SHA-256 of its prepared samples, whatever it is called here, a person by the id, which says
something only where the source has the same name. A model that lies elsewhere now knows its recordings by the
fingerprints in its folder, and nothing of who they are.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ecglfm.config import BASELINES
from ecglfm.config.kinds import KINDS
from ecglfm.data.tables import table_pieces
from ecglfm.evaluation.leakage import SEEN, leakage
from ecglfm.models.lineage import lineage
from ecglfm.models.seen import fingerprints, read_seen
from ecglfm.provenance import read_json
from ecglfm.training.finetuning import hash_of_fit, read_targets


class Home(NamedTuple):
    """The results folder in which a model was made, as far as it is still there.

    Attributes
    ----------
    root : path
    task, encoder, fit : str
    """

    root: Path
    encoder: str
    task: str
    fit: str

    def metrics(self) -> dict[str, Any] | None:
        """`metrics.json` of the model on its own test split; None where there is none."""
        path = self.root / "evaluate" / self.encoder / self.task / self.fit / "metrics.json"
        return dict(read_json(path)) if path.is_file() else None


def home_of(folder: Path, info: dict[str, Any]) -> Home | None:
    """Where a model was made, None where it lies elsewhere now.

    Parameters
    ----------
    folder : path
        Of the model: `{root}/finetune/{encoder}/{task}/{fit}`.
    info : dict
        `model.json`.
    """
    *_, kind, encoder, task, fit = ["", "", "", "", *folder.resolve().parts]
    said = (info.get("encoder", {}).get("name"), info.get("task"), info.get("fit"))
    if kind != "finetune" or said != (encoder, task, fit):
        return None
    return Home(folder.resolve().parents[3], encoder, task, fit)


def acquaintance(
    cohort: pd.DataFrame, home: Home | None, info: dict[str, Any], folder: Path | None = None
) -> dict[str, Any]:
    """Records and patients of a cohort that a model was trained on, or chosen by.

    Parameters
    ----------
    cohort : DataFrame
        `record_id`, `patient_id`, `sha256`.
    home : Home or None
    info : dict
        `model.json`.
    folder : path, optional
        Of the model, for what travels with it (`ecglfm.models.seen`).

    Returns
    -------
    dict
        `finetuning` and `pretraining`, each with `seen`, the number of records that it drew from, and `records` and
        `patients` of the cohort among them, or None with a `reason` where that cannot be known, of a model that lies
        elsewhere `patients` alone; `clean`: all is known, and nobody was met.
    """
    parts = {"finetuning": _fitted(cohort, home, info), "pretraining": _pretrained(cohort, home, info)}
    carried = {} if folder is None else read_seen(folder)
    if {"pretraining", "before"} <= set(carried):
        last = carried["pretraining"]
        carried["pretraining"] = (last[0], np.union1d(last[1], carried["before"][1]))
    made_of = {"finetuning": info.get("data_hash"), "pretraining": info.get("encoder", {}).get("data_hash")}
    for name, part in parts.items():
        of, seen = carried.get(name, (None, None))
        if part["seen"] is None and seen is not None and of == made_of[name]:
            records = int(np.isin(_prints(cohort), seen).sum())
            foreign = any(one.get("weights") == "import" for one in lineage(info.get("encoder", {}))[1:])
            reason = _BY_SAMPLES + (_FOREIGN if foreign and name == "pretraining" else "")
            parts[name] = {"seen": len(seen), "records": records, "patients": None, "reason": reason}
    return parts | {"clean": all(part["records"] == part["patients"] == 0 for part in parts.values())}


def _unknown(reason: str) -> dict[str, Any]:
    return {"seen": None, "records": None, "patients": None, "reason": reason}


_ELSEWHERE = (
    "the model does not lie in the results folder that it was made in: what it was trained on is not known here"
)
_CHANGED = "what lies beside the model is not what it was trained on: that is not known here"


_BY_SAMPLES = "the model lies elsewhere: it knows what it saw by its samples, not whose they are"
_BY_IDS = (
    "by their ids alone, and none by its samples: where these are other people whose numbers are the same, give their"
    " source another name than at home"
)
_FOREIGN = "; what the weights were trained on before that is not known here"


def _prints(cohort: pd.DataFrame) -> np.ndarray:
    return fingerprints(cohort["sha256"])


def _met(cohort: pd.DataFrame, seen: pd.DataFrame) -> dict[str, Any]:
    alike = cohort["sha256"].isin(set(seen["sha256"]))
    records = alike | cohort["record_id"].isin(set(seen["record_id"]))
    patients = cohort["patient_id"].isin(set(seen["patient_id"])) | records
    count = int(cohort.loc[patients, "patient_id"].nunique())
    reason = _BY_IDS if count and not alike.any() else ""
    return {"seen": len(seen), "records": int(records.sum()), "patients": count, "reason": reason}


def _fitted(cohort: pd.DataFrame, home: Home | None, info: dict[str, Any]) -> dict[str, Any]:
    if home is None:
        return _unknown(_ELSEWHERE)
    labels, manifest = home.root / "labels" / f"{home.task}.parquet", home.root / "manifest/records.parquet"
    if not labels.is_file() or not manifest.is_file():
        return _unknown(_ELSEWHERE)
    kind = str(info.get("kind", "multilabel"))
    names = [column for name in info.get("label_names", []) for column in KINDS[kind].label_columns(name)]
    if "fold" in pq.read_schema(labels).names or not set(names) <= set(pq.read_schema(labels).names):
        return _unknown(_CHANGED)
    table = pd.read_parquet(labels, filters=[("split", "in", SEEN)]).sort_values("record_id", ignore_index=True)
    records = pd.read_parquet(manifest, filters=[("split", "in", SEEN)]).set_index("record_id", drop=False)
    if not table["record_id"].isin(records.index).all():
        return _unknown(_CHANGED)
    records = records.loc[table["record_id"]].reset_index(drop=True)
    target, _ = read_targets(table[names], kind, labels)
    if hash_of_fit(records, target, info["label_names"]) != info.get("data_hash"):
        return _unknown(_CHANGED)
    return _met(cohort, records)


def _pretrained(cohort: pd.DataFrame, home: Home | None, info: dict[str, Any]) -> dict[str, Any]:
    encoder = info.get("encoder", {})
    if (weights := encoder.get("weights")) in BASELINES:
        return {"seen": 0, "records": 0, "patients": 0, "reason": f"{BASELINES[weights]}: no pretraining"}
    manifest = None if home is None else home.root / "manifest/records.parquet"
    if manifest is None or not manifest.is_file():
        return _unknown(_ELSEWHERE)
    known = leakage(None, encoder, partial(table_pieces, manifest), cohort)["pretraining"]
    if known["seen"] is None:
        return _unknown(known["reason"])
    seen = pd.read_parquet(manifest, filters=[("split", "in", SEEN), ("source", "in", known["sources"])])
    before = {"patients": None, "reason": f"before that {known['before']}"} if "before" in known else {}
    return _met(cohort, seen) | before
