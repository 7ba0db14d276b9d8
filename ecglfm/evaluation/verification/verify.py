"""The stage `verify`: whether a frozen encoder tells people apart who were in no training.

A recording's vector is the mean over its frames and windows; a pair's score is the cosine, of the vectors as they are
or less the mean vector of training records, whichever is better on the validation split. Nothing is learned from the
test split, and of its patients only those count who have no recording in train or valid.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecglfm import distributed
from ecglfm.config import TrackingSlice, UserError, VerifySlice
from ecglfm.config.difference import changed
from ecglfm.data.samples import Signals, check_reads, check_samples
from ecglfm.data.signals import as_read
from ecglfm.data.tables import table_pieces, write_pieces
from ecglfm.evaluation.leakage import leakage
from ecglfm.evaluation.metrics import how_resampled
from ecglfm.evaluation.plots import save_png
from ecglfm.evaluation.verification.figure import verification_figure
from ecglfm.evaluation.verification.identity_pairs import Pairs, cosines
from ecglfm.evaluation.verification.rates import MEASURES, Scores, auroc, measure
from ecglfm.evaluation.verification.risk import sharing_risk
from ecglfm.evaluation.verification.selection import comparable, draw_records, unseen_records
from ecglfm.provenance import code_version, read_json, write_json
from ecglfm.tracking import Content, find_run, standard_tags, start_run

if TYPE_CHECKING:
    from ecglfm.models.encoders import Encoder

logger = logging.getLogger(__name__)

_WRITTEN_TOGETHER = 2**16  # pairs


def run_verify(
    slice: VerifySlice,  # noqa: A002
    *,
    encoder: Path,
    manifest: Path,
    audit: Path,
    signals: Path,
    output: Path,
    tracking: TrackingSlice | None = None,
    rule: str | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Score pairs of test recordings by an encoder's vectors and measure how well they tell people apart.

    Writes `scores.parquet`, `metrics.json` and `curves.png` into `output`.

    Parameters
    ----------
    slice : VerifySlice
    encoder : path
        `pretrain/{encoder}`, or a file in it.
    manifest, audit : path
        `manifest/records.parquet` and `audit.json`.
    signals : path
        Folder `preprocess/`.
    output : path
        Folder to write into.
    tracking : TrackingSlice, optional
        Where MLflow is; None: nowhere.
    rule : str, optional
        Name of the Snakemake rule, a tag.
    threads : int
        Of torch.

    Returns
    -------
    dict
        The content of `metrics.json`.

    Raises
    ------
    UserError
        A file is not there or the signals are not prepared as the encoder reads them.
    ValueError
        A vector is not finite: the encoder or its input is broken.
    """
    import torch

    from ecglfm.models.bundle import load_encoder

    torch.set_num_threads(max(1, threads))
    network = load_encoder(encoder).to(distributed.choose_device())
    audited = read_json(audit)
    name, config = str(network.info.get("name", "encoder")), slice.config
    known, test = unseen_records(manifest, config, "test")
    origin, centring = choose_origin(network, manifest, signals, slice, audited)
    vectors = embed_records(network, test, signals) - origin

    kept, left_out = comparable(test, slice, manifest, audited)
    scores, strata = _scored(test, vectors, *kept)
    write_scores(output / "scores.parquet", test, scores, *kept)

    measured = measure(
        strata,
        resamples=slice.bootstrap,
        confidence=slice.confidence,
        seed=slice.seed,
        min_patients=slice.min_patients,
    )
    metrics = {
        "encoder": name, "task": slice.task, "kind": config.kind, "weights": network.info.get("weights"),
        **measured,
        "centring": centring,
        "n": _counts(test, *kept) | {"left_out": {"known_patients": known} | left_out},
        "bootstrap": how_resampled(slice),
        "leakage": leakage(audited, network.info, partial(table_pieces, manifest), test),
        "data_hash": audited["data_hash"], "code": code_version(),
    }  # fmt: skip
    write_json(output / "metrics.json", metrics)
    save_png(verification_figure(strata, measured), output / "curves.png")
    values = [metrics["overall"][key]["value"] for key in ("eer", "auroc")]
    logger.info("%s/%s: test EER %s, AUROC %s", name, slice.task, *values)
    logger.info("%s", sharing_risk(metrics))
    hashes = {key: network.info.get(key) for key in ("config_hash", "data_hash")}
    pretraining = find_run(tracking, "pretrain", encoder=name, **hashes)
    _track(metrics, slice, output, tracking, rule, pretraining)
    return metrics


def choose_origin(
    encoder: Encoder,
    manifest: Path,
    signals: Path,
    slice: VerifySlice,  # noqa: A002
    audited: dict[str, Any],
) -> tuple[np.ndarray | float, dict[str, Any]]:
    """What is subtracted from every vector, 0 or the mean vector of training records, and how that was decided.

    Returns
    -------
    origin : ndarray of float64, shape (dim,), or 0.0
    centring : dict
        `centred`, and with `center: auto` the AUROC on the validation split `as_it_is` and `less_the_mean`.

    Raises
    ------
    UserError
        `center: always`, and the task's sources have no training record.
    """
    if slice.config.center == "never":
        return 0.0, {"centred": False}
    train = draw_records(manifest, slice.config, slice.seed)
    if train.empty and slice.config.center == "always":
        raise UserError(
            f"{slice.task}: center: always needs training records of its sources, of which there are none: write auto"
        )
    if train.empty:
        return 0.0, {"centred": False}
    mean = embed_records(encoder, train, signals).mean(axis=0)
    if slice.config.center == "always":
        return mean, {"centred": True}
    _, valid = unseen_records(manifest, slice.config, "valid")
    vectors = embed_records(encoder, valid, signals)
    pairs, _ = comparable(valid, slice, manifest, audited)
    areas = [auroc(_scored(valid, vectors - origin, *pairs)[1]) for origin in (0.0, mean)]
    centred = areas[1] > areas[0]  # False where there are no pairs
    shown = [None if np.isnan(area) else round(area, 6) for area in areas]
    return (mean if centred else 0.0), {
        "centred": centred,
        "valid_auroc": {"as_it_is": shown[0], "less_the_mean": shown[1]},
    }


def embed_records(encoder: Encoder, records: pd.DataFrame, signals: Path) -> np.ndarray:
    """Vectors of records, float64 (records, dim): the mean over frames, then over windows.

    Raises
    ------
    UserError
        The signals are not prepared as the encoder reads them, or are not those of the manifest.
    ValueError
        A vector is not finite.
    """
    from ecglfm.training.inference import aggregate_by_record
    from ecglfm.training.vectors import embed_windows

    if records.empty:
        return np.zeros((0, encoder.embedding_dim))
    check_samples(records, signals)
    prepared, wanted = Signals(records, signals), encoder.preprocess
    check_reads(
        records, prepared, reader="the encoder", sampling_rate=wanted.sampling_rate, leads=wanted.leads,
        anew="the stage `pretrain`",
    )  # fmt: skip
    store = as_read(prepared, encoder)
    windows = store.windows(encoder.crop_samples)
    vectors = aggregate_by_record(windows["row"].to_numpy(), embed_windows(encoder, store, windows))
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        raise ValueError(f"the vector of {records['record_id'].iloc[broken.argmax()]} is not finite")
    return vectors.astype(np.float64)


def _scored(
    records: pd.DataFrame, vectors: np.ndarray, genuine: Pairs, impostor: Pairs
) -> tuple[Scores, dict[str, Scores]]:
    """Scores of pairs of some records: of all, and by source."""
    patient, names = pd.factorize(records["patient_id"])
    scores = Scores(
        genuine=cosines(vectors, genuine),
        impostor=cosines(vectors, impostor),
        genuine_patient=patient[genuine.first],
        impostor_patients=np.stack([patient[impostor.first], patient[impostor.second]]),
        patients=len(names),
    )
    return scores, scores.by_source(records.groupby("patient_id", sort=False)["source"].first().to_numpy(object))


def write_scores(path: Path, test: pd.DataFrame, scores: Scores, genuine: Pairs, impostor: Pairs) -> None:
    """Write a row per pair: both records and patients, whether they are the same person, the score; genuine first."""
    record, patient = (test[column].to_numpy(object) for column in ("record_id", "patient_id"))
    with write_pieces(path) as write:
        for same, pairs, score in ((True, genuine, scores.genuine), (False, impostor, scores.impostor)):
            for start in range(0, max(1, len(pairs)), _WRITTEN_TOGETHER):
                block = slice(start, start + _WRITTEN_TOGETHER)
                first, second = pairs.first[block], pairs.second[block]
                columns = {
                    "record_a": record[first], "record_b": record[second],
                    "patient_a": patient[first], "patient_b": patient[second],
                }  # fmt: skip
                write(pd.DataFrame(columns, dtype="str").assign(same=same, score=score[block]))


def _counts(test: pd.DataFrame, genuine: Pairs, impostor: Pairs) -> dict[str, Any]:
    """How many records, patients and pairs there are, and how many pairs were scored."""
    per_patient = test["patient_id"].value_counts()
    return {
        "records": len(test),
        "patients": len(per_patient),
        "patients_with_several": int((per_patient > 1).sum()),
        "genuine": {"scored": len(genuine), "possible": genuine.possible},
        "impostor": {"scored": len(impostor), "possible": impostor.possible},
    }


def _track(
    metrics: dict[str, Any],
    slice: VerifySlice,  # noqa: A002
    output: Path,
    tracking: TrackingSlice | None,
    rule: str | None,
    pretraining: Content | None,
) -> None:
    """Copy the numbers to MLflow."""
    identity = {"encoder": metrics["encoder"], "task": slice.task}
    tags = standard_tags(stage="verify", **identity, data_hash=metrics["data_hash"], rule=rule)
    config = slice.model_dump(mode="json")
    with start_run(
        tracking, stage="verify", name="/".join(identity.values()), tags=tags, config=config,
        params={**identity, "verify": changed(slice)}, parent=pretraining,
    ) as run:  # fmt: skip
        values = {f"test/{name}": metrics["overall"][name]["value"] for name in MEASURES}
        for name in ("auroc", "eer"):
            values |= {f"test/{name}_{end}": metrics["overall"][name][end] for end in ("ci_low", "ci_high")}
        run.log(values, step=0)
        for file in ("metrics.json", "curves.png"):
            run.artifact(output / file)
