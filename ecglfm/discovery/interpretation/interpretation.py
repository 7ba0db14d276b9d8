"""The step `discover interpret`: what of an ECG makes a feature high or low, and where people lie.

Makes `attribution.{parquet,tsv,png}` (leads and parts of the beat), `extremes.png` (beats of people with a high and a
low feature), `people_map.{parquet,png}` and `interpretation.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import InterpretationConfig, UserError
from ecglfm.data.samples import Signals, check_reads
from ecglfm.discovery.interpretation.attribution import attribution_table, explain_group, extremes
from ecglfm.discovery.interpretation.beats import GroupBeat, group_beat, median_beat
from ecglfm.discovery.interpretation.figure import attribution_figure, beats_figure, map_figure
from ecglfm.discovery.interpretation.functional import feature_model
from ecglfm.discovery.interpretation.maps import people_map
from ecglfm.discovery.recordings import Recordings, read_features, write_tables
from ecglfm.evaluation.attribution import TOLERANCE
from ecglfm.evaluation.plots import save_png
from ecglfm.extras import need
from ecglfm.models.heads import ECGModel
from ecglfm.provenance import write_json, write_parquet
from ecglfm.training.inference import ready

logger = logging.getLogger(__name__)

_AXES = {
    "pca": "first two principal components of people's vectors",
    "umap": "UMAP of 50 principal components of people's vectors; near is alike, far means little",
}


def run_interpretation(
    config: InterpretationConfig, *, features: Path, encoder: Path, vectors: Sequence[Path], manifest: Path,
    signals: Path, threads: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Explain features on the recordings of people who have much and little of them.

    Parameters
    ----------
    config : InterpretationConfig
    features : path
        `discover/{encoder}` of the step `features`; results are written there, too.
    encoder : path
        Folder of the encoder, or of the model, whose vectors the features were made of.
    vectors : sequence of path
        `{source}.parquet` of these vectors.
    manifest : path
        `manifest/records.parquet`.
    signals : path
        `preprocess/`.
    threads : int
        Of torch.

    Returns
    -------
    dict
        The content of `interpretation.json`.

    Raises
    ------
    UserError
        There is no such feature, the encoder is another or reads other signals, or umap-learn is not installed.
    """
    if config.map == "umap":
        need("umap", extra="umap", what="discover.interpretation.map: umap")
    people, edf = read_features(features)
    raw = read_features(features, raw=True)[1]
    names = _chosen(config.features, [str(name) for name in edf])
    by_record = edf.set_axis(people["record_id"])
    ends = {name: extremes(by_record[name], config.share, max(config.records, config.beats)) for name in names}
    read = Recordings(manifest, signals, sorted({one for pair in ends.values() for end in pair for one in end}))
    model = _model(encoder, features, names, raw, threads)
    prepared = model.encoder.preprocess
    check_reads(
        read.records, Signals(read.records, signals), reader=f"the encoder {encoder}",
        sampling_rate=prepared.sampling_rate, leads=prepared.leads, anew="the stage `pretrain`",
    )  # fmt: skip
    tables, titles, about = [], {}, {}
    beats = _Beats(read)
    shown: dict[str, tuple[GroupBeat, GroupBeat]] = {}
    for place, name in enumerate(names):
        high, low = (explain_group(model, place, end[: config.records], read) for end in ends[name])
        tables.append(attribution_table(name, high, low, model.encoder.leads))
        errors = [one.error for one in (high, low) if one.records]
        titles[name] = f"{high.records} high, {low.records} low" if len(errors) == 2 else "could not be explained"
        pair = [beats.mean(end[: config.beats]) for end in ends[name]]
        if pair[0] is not None and pair[1] is not None:
            shown[name] = pair[0], pair[1]
        about[name] = {
            "high": {"explained": high.records, "left_out": high.left_out, "beats": pair[0].people if pair[0] else 0},
            "low": {"explained": low.records, "left_out": low.left_out, "beats": pair[1].people if pair[1] else 0},
            "completeness_error": round(max(errors), 6) if errors else None,
        }  # fmt: skip
    table = pd.concat(tables, ignore_index=True)
    places = people_map(_vectors(vectors, people), method=config.map, most=config.map_people, seed=config.seed)
    write_tables(features, "attribution", table)
    save_png(attribution_figure(table, titles), features / "attribution.png")
    save_png(beats_figure(shown, prepared.leads, prepared.sampling_rate), features / "extremes.png")
    write_parquet(features / "people_map.parquet", places)
    save_png(map_figure(places, by_record[names], _AXES[config.map]), features / "people_map.png")
    content = {"features": about, "share": config.share, "allowed_error": TOLERANCE, "map": config.map,
               "people_on_map": len(places)}  # fmt: skip
    write_json(features / "interpretation.json", content)
    return content


def _chosen(wanted: list[str] | int, names: list[str]) -> list[str]:
    if isinstance(wanted, int):
        return names[:wanted]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UserError(f"discover.interpretation.features: no {unknown[0]!r}; there are {', '.join(names[:20])}")
    return wanted


def _model(encoder: Path, features: Path, names: list[str], raw: pd.DataFrame, threads: int) -> ECGModel:
    from ecglfm.models.bundle import load_encoder, load_model

    is_model = (encoder / "model.json").is_file() and not (encoder / "encoder.json").is_file()
    module = ready(load_model(encoder) if is_model else load_encoder(encoder), threads=threads)
    return feature_model(module, features / "edf_weights.parquet", names, raw[names].to_numpy().std(axis=0, ddof=1))


class _Beats:
    """Median beats of records, each made once."""

    def __init__(self, read: Recordings) -> None:
        self.read = read
        self.made: dict[str, np.ndarray | None] = {}

    def mean(self, names: Sequence[str]) -> GroupBeat | None:
        """Mean over some records."""
        for name in names:
            if name not in self.made:
                self.made[name] = median_beat(self.read(name) / 1000.0, self.read.sampling_rate(name))
        return group_beat([self.made[name] for name in names])


def _vectors(paths: Sequence[Path], people: pd.DataFrame) -> pd.DataFrame:
    """Vectors of people's records, by `record_id`."""
    table = pd.concat([pd.read_parquet(path) for path in paths]).set_index("record").drop(columns="patient_id")
    return table.reindex(people["record_id"]).dropna().rename_axis("record_id")
