"""The models of an evaluation: one, or one for each fold of a cross-validation, each on the records that it never saw.

Model i of k was fitted without folds i and i + 1 (the first follows the last): fold i is its test split, fold i + 1 its
validation split, by which its epoch, thresholds and temperature are chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ecglfm import distributed
from ecglfm.config import UserError
from ecglfm.config.fits import split_fold
from ecglfm.config.kinds import KINDS
from ecglfm.evaluation.metrics import Outcome, cohort_splits, fold_means
from ecglfm.evaluation.prediction import labelled_records, predict_records
from ecglfm.provenance import read_json

if TYPE_CHECKING:
    from ecglfm.models.heads import ECGModel


class Models(NamedTuple):
    """The models of an evaluation, in the order of their folds.

    Attributes
    ----------
    networks : list of ECGModel
    infos : list of dict
        `model.json` of each.
    identity : dict of str
        `encoder`, `task` and `fit`, the last without a fold.
    folds : int
        How many folds there are; 0 where nothing is cross-validated.
    """

    networks: list[ECGModel]
    infos: list[dict[str, Any]]
    identity: dict[str, str]
    folds: int

    @property
    def names(self) -> list[str]:
        """Labels."""
        return list(self.networks[0].label_names)

    @property
    def kind(self) -> str:
        """Kind of the task."""
        return str(self.networks[0].kind)

    @property
    def coverage(self) -> float | None:
        """What the models' prediction sets promise; None where not all have them."""
        promised = [network.conformal.coverage if network.conformal else None for network in self.networks]
        return None if None in promised else promised[0]

    def read_records(
        self, labels: Path, manifest: Path, tested_only: Sequence[str]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The manifest, and the records of it with a label, as `predict` takes them.

        Parameters
        ----------
        labels, manifest : path
            `labels/{task}.parquet`, `manifest/records.parquet`.
        tested_only : sequence of str
            Sources whose test records are a cohort of their own.

        Raises
        ------
        UserError
            The labels do not hold what the models predict, or the models are not those of the folds.
        """
        all_records = pd.read_parquet(manifest)
        records = labelled_records(pd.read_parquet(labels), all_records, self.names, labels, self.kind)
        self.check(records, labels)
        records["split"] = cohort_splits(records, tested_only)
        return all_records, records

    def check(self, records: pd.DataFrame, labels: Path) -> None:
        """Raise `UserError` where one of records and models has folds and the other has not, or has others."""
        if ("fold" in records) != (self.folds > 0):
            has = "are dealt into folds" if "fold" in records else "have no folds"
            want = "of each fold" if "fold" in records else "of no fold"
            raise UserError(f"{labels}: its records {has}: give the model {want} to `ecglfm evaluate --model`")
        if self.folds:
            found = records.loc[records["split"] == "test", "fold"]
            wrong = found.isna() | ~found.isin(range(self.folds))
            if wrong.any():
                raise UserError(f"{labels}: {wrong.sum()} of its test records are in none of the {self.folds} folds")

    def predict(self, records: pd.DataFrame, signals: Path) -> pd.DataFrame:
        """Table of `predictions.parquet`: every test record once; validation records of each model.

        Parameters
        ----------
        records : DataFrame
            As `labelled_records` gives them.
        signals : path
            Folder `preprocess/`.
        """
        device = distributed.choose_device()
        if not self.folds:
            return predict_records(self.networks[0].to(device), records, signals)
        tables = []
        for fold, network in enumerate(self.networks):
            own = records_of_fold(records, fold, self.folds)
            if len(own):
                tables.append(predict_records(network.to(device), own, signals).assign(fold=np.int8(fold)))
                network.cpu()
        pooled = pd.concat(tables, ignore_index=True)
        tested = pooled.loc[pooled["split"] == "test", ["record_id", "fold"]].merge(records, on=["record_id", "fold"])
        if sorted(tested["record_id"]) != sorted(records.loc[records["split"] == "test", "record_id"]):
            raise ValueError("a test record was not predicted exactly once, by the model of its own fold")
        return pooled

    def predict_test(self, records: pd.DataFrame, signals: Path, leads: Sequence[str]) -> pd.DataFrame:
        """Rows of the test records in the table of `predict`, of models that are told some leads only."""
        device, tables = distributed.choose_device(), []
        for fold, network in enumerate(self.networks):
            own = records_of_fold(records, fold, self.folds) if self.folds else records
            own = own[own["split"] == "test"].reset_index(drop=True)
            if len(own):
                table = predict_records(network.to(device), own, signals, leads=leads)
                tables.append(table.assign(fold=np.int8(fold)) if self.folds else table)
        return pd.concat(tables, ignore_index=True)

    def describe(self, predictions: pd.DataFrame, test: Outcome, macro: dict[str, Any]) -> dict[str, Any]:
        """What `metrics.json` says of the models: temperatures, how thresholds were chosen, and metrics by fold."""
        said = self._calibration()
        chosen = [info.get("training", {}).get("thresholds") for info in self.infos]
        if not self.folds:
            return said | ({"threshold_choices": chosen[0]} if chosen[0] else {})
        fold = predictions.loc[predictions["split"] == "test", "fold"].to_numpy(np.int64)
        models = [
            {
                "fit": info["fit"],
                "n": {"records": int((fold == i).sum()), "patients": len(set(test.patients[fold == i]))},
            }
            | ({"threshold_choices": choices} if choices else {})
            for i, (info, choices) in enumerate(zip(self.infos, chosen, strict=True))
        ]
        said |= {"folds": {"k": self.folds, "models": models, **fold_means(test, fold, macro)}}
        if self.networks[0].thresholds:
            by_label = zip(*(network.thresholds for network in self.networks), strict=True)
            said["thresholds"] = {name: list(map(float, own)) for name, own in zip(self.names, by_label, strict=True)}
        return said

    def _calibration(self) -> dict[str, Any]:
        """Temperature of each label, of survival its slope, or those of all folds, where the models have one."""
        calibrations = [network.calibration for network in self.networks if network.calibration is not None]
        what, found = "temperature", [calibration.temperatures.tolist() for calibration in calibrations]
        if KINDS[self.kind].time is not None:
            what, found = "slope", [network.slopes for network in self.networks]
        by_label = zip(self.names, zip(*found, strict=True), strict=False)  # of no label where none was found
        said = {name: list(own) if self.folds else own[0] for name, own in by_label}
        return {"calibration": {"fitted_on": "valid", what: said}} if said else {}


def read_models(folders: Sequence[Path]) -> Models:
    """Load the models of an evaluation.

    Parameters
    ----------
    folders : sequence of path
        What `finetune` wrote: one folder, or those of all folds, in any order.

    Raises
    ------
    UserError
        Several folders are not the folds of one fit, or a single one is of a fold.
    """
    from ecglfm.models.bundle import load_model

    networks, infos, fits = {}, {}, set()
    for path in folders:
        network, folder = load_model(path), path if path.is_dir() else path.parent
        info = read_json(folder / "model.json")
        fit, fold, count = split_fold(info.get("fit", folder.name))
        networks[fold], infos[fold] = network, info
        is_calibrated = network.calibration is not None
        fits.add((info["encoder"]["name"], info["task"], fit, count, network.kind, is_calibrated, *network.label_names))
    encoder, task, fit, count, *_ = sorted(fits)[0]
    if len(fits) > 1 or len(folders) != max(count, 1) or set(networks) != set(range(max(count, 1))):
        raise UserError(
            f"--model {' '.join(map(str, folders))}: expected one model, or those of all folds of one fit, each once,"
            " with the same labels and all with temperatures or none"
        )
    order = range(len(folders))
    identity = {"encoder": encoder, "task": task, "fit": fit}
    return Models([networks[fold] for fold in order], [infos[fold] for fold in order], identity, count)


def records_of_fold(records: pd.DataFrame, fold: int, folds: int) -> pd.DataFrame:
    """Records that the model of a fold is tested on and chosen by, their `split` as that model has it."""
    own = records["fold"].astype("Int64").fillna(-1).to_numpy()
    tested, chosen_by = own == fold, (own == (fold + 1) % folds) | ((own < 0) & (records["split"] == "valid"))
    part = records[tested | chosen_by]
    return part.assign(split=np.where(tested[tested | chosen_by], "test", "valid")).reset_index(drop=True)


def training_records(labels: pd.DataFrame) -> pd.DataFrame:
    """Training records of a task; of a cross-validation those of each model, one after another."""
    train = labels[labels["split"] == "train"]
    if "fold" not in labels:
        return train
    own = labels["fold"].astype("Int64").fillna(-1).to_numpy()
    folds = int(own.max()) + 1
    others = [labels[(own >= 0) & (own != fold) & (own != (fold + 1) % folds)] for fold in range(folds)]
    return pd.concat([table for fold in range(folds) for table in (others[fold], train)])
