"""The step `discover features`: ECG-derived features (EDFs) of people.

Makes `people.parquet` (a row a person), `edf_raw.parquet` and `edf.parquet` (before and after the rank-inverse-normal
transform), `edf_weights.parquet` (raw feature = (vector - mean) @ weights) and `edf.json` (what each is, and what was
dropped).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ecglfm.config import FeaturesConfig, FeaturesSlice, UserError
from ecglfm.discovery.features.choice import Features, components, dimensions, head_attribution
from ecglfm.discovery.features.normal import rank_inverse_normal
from ecglfm.discovery.features.vectors import ABOUT, read_people
from ecglfm.evaluation.serial import recording_days
from ecglfm.provenance import write_json, write_parquet

logger = logging.getLogger(__name__)

_RECORDS = ["record_id", "patient_id", "source", "split", "age", "sex"]


def run_features(
    slice_: FeaturesSlice,
    *,
    vectors: Sequence[Path],
    manifest: Path,
    index: Sequence[Path],
    output: Path,
    model: Path | None = None,
) -> None:
    """Write the features of people.

    Parameters
    ----------
    slice_ : FeaturesSlice
    vectors : sequence of path
        `{source}.parquet` of stage `embed`, of an encoder; with `attribution` of the model.
    manifest : path
        `manifest/records.parquet`.
    index : sequence of path
        `index/{source}.parquet`, which say when recordings were made.
    output : path
        Folder.
    model : path, optional
        Folder of the fine-tuned model of `attribution`.

    Raises
    ------
    UserError
        A recording has no vector, nobody or no feature is left, or the model has no such label.
    """
    config = slice_.features
    records = pd.read_parquet(manifest, columns=_RECORDS)
    days = recording_days({path.stem: path for path in index}, slice_.time)
    people, names = read_people(config, records, vectors, days)
    x_nd = people[names].to_numpy()
    with threadpool_limits(1):  # sums of several threads differ in their last bits
        made = _features(config, x_nd, model)
        raw_nk = (x_nd - made.mean_d) @ made.weights_dk
    distinct = [len(np.unique(column)) for column in raw_nk.T]
    kept = [place for place, count in enumerate(distinct) if count >= config.min_distinct]
    dropped = [
        {"name": name, "distinct": count, "reason": "constant" if count == 1 else "too few different values"}
        for name, count in zip(made.names, distinct, strict=True)
        if count < config.min_distinct
    ]
    if dropped:
        logger.warning("dropped, of fewer than %d different values: %s", config.min_distinct, _named(dropped))
    if not kept:
        raise UserError(
            f"discover.features: no feature has {config.min_distinct} different values in {len(people)} people"
        )
    chosen = [made.names[place] for place in kept]
    raw = pd.DataFrame(raw_nk[:, kept], columns=chosen)
    scores = pd.DataFrame({name: rank_inverse_normal(raw[name].to_numpy()) for name in chosen})
    ids = people[["patient_id", "record_id"]]
    write_parquet(output / "people.parquet", people[ABOUT])
    write_parquet(output / "edf_raw.parquet", ids.join(raw))
    write_parquet(output / "edf_weights.parquet", _weights(made, names, kept))
    about = [{"name": name} | made.about[place] for name, place in zip(chosen, kept, strict=True)]
    content = {
        "kind": config.kind,
        "record": config.record,
        "people": len(people),
        "features": about,
        "dropped": dropped,
    }
    write_json(
        output / "edf.json", content | {"transform": "rank-inverse-normal, Blom's offset 3/8, mean ranks of ties"}
    )
    write_parquet(output / "edf.parquet", ids.join(scores))
    logger.info("%d features of %d people", len(chosen), len(people))


def _features(config: FeaturesConfig, x_nd: np.ndarray, model: Path | None) -> Features:
    if config.kind == "components":
        return components(x_nd, config.count)
    if config.kind == "dimensions":
        return dimensions(x_nd)
    if model is None:
        raise UserError("discover.features: `kind: attribution` needs --model, and --vectors of that model")
    from ecglfm.models.bundle import load_model

    fitted = load_model(model)
    if config.label not in fitted.label_names:
        raise UserError(
            f"discover.features.label: {config.label!r} is none of {model}, which has {', '.join(fitted.label_names)}"
        )
    weight_d = fitted.head.weight[fitted.label_names.index(config.label)].detach().double().numpy()
    attribution_d = head_attribution(x_nd, weight_d)
    return dimensions(x_nd, np.argsort(-attribution_d, kind="stable")[: config.count], attribution_d)


def _weights(made: Features, names: list[str], kept: list[int]) -> pd.DataFrame:
    """A row a dimension of the vector: `dimension, mean`, then a column per feature."""
    table = pd.DataFrame({"dimension": names, "mean": made.mean_d})
    return table.join(pd.DataFrame(made.weights_dk[:, kept], columns=[made.names[place] for place in kept]))


def _named(dropped: Sequence[Mapping[str, object]]) -> str:
    return ", ".join(str(one["name"]) for one in dropped)
