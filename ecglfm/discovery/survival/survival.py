"""The step `discover survival`: whether features tell who has the event sooner, over age and sex.

Makes `survival.{parquet,tsv}` (a row a feature), `survival.png` (Kaplan-Meier by thirds) and `survival.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecglfm.config import SurvivalConfig, UserError
from ecglfm.discovery.recordings import age_and_sex, blind, read_features, write_tables
from ecglfm.discovery.survival.figure import kaplan_meier_figure
from ecglfm.discovery.survival.outcome import read_outcome
from ecglfm.discovery.survival.table import concordance_gain, hazard_ratios
from ecglfm.evaluation.plots import save_png
from ecglfm.provenance import read_json, write_json

logger = logging.getLogger(__name__)

_CONFIDENCE = 0.95
_LEAST_EVENTS = 10


def run_survival(config: SurvivalConfig, *, features: Path, index: Sequence[Path]) -> dict[str, Any]:
    """Fit a Cox model per feature, beside age and sex.

    Parameters
    ----------
    config : SurvivalConfig
    features : path
        `discover/{encoder}` with `people.parquet`, `edf.parquet` and `edf.json`; results are written there, too.
    index : sequence of path
        `index/{source}.parquet`.

    Returns
    -------
    dict
        The content of `survival.json`.

    Raises
    ------
    UserError
        No such column, fewer than 10 events, or features are means of several recordings, some of which were made
        after time began.
    """
    people, edf = read_features(features)
    _check_one_recording(features / "edf.json", people)
    table = None if config.table is None else Path(config.table)
    outcome = read_outcome(people, config.time, config.event, index=index, table=table)
    covariates = age_and_sex(people)
    followed, aged = outcome.notna().all(axis=1), covariates.notna().all(axis=1)
    rows = (followed & aged).to_numpy()
    time, event = outcome.loc[rows, "time"].to_numpy(), outcome.loc[rows, "event"].to_numpy()
    if event.sum() < _LEAST_EVENTS:
        raise UserError(f"discover.survival: {int(event.sum())} events of {config.event!r}; at least {_LEAST_EVENTS}")
    x, z = edf[rows], covariates[rows].to_numpy()
    found = hazard_ratios(time, event, x, z, ties=config.ties, confidence=_CONFIDENCE)
    order = found["p_value"].argsort(kind="stable").to_numpy()
    ids = people.loc[rows, "patient_id"].to_numpy()
    some = np.sort(np.argsort([blind(name) for name in ids])[: config.ranked_people])
    for place in order[: config.ranked]:
        gain = concordance_gain(
            time[some], event[some], x.iloc[some, place].to_numpy(np.float64), z[some], ids[some],
            ties=config.ties, folds=config.folds, resamples=config.bootstrap, confidence=_CONFIDENCE, seed=config.seed,
        )  # fmt: skip
        found.loc[place, list(gain)] = list(gain.values())
    drawn = order[: config.curves]
    content = {
        "people": int(rows.sum()), "events": int(event.sum()), "ties": config.ties, "adjusted_for": ["age", "sex"],
        "without_follow_up": int((~followed).sum()), "without_age_or_sex": int((followed & ~aged).sum()),
        "people_ranked": len(some), "significant": int((found["q_value"] < 0.05).sum()), "features": len(found),
        "time": config.time, "event": config.event, "unit": config.unit,
    }  # fmt: skip
    write_tables(features, "survival", found)
    titles = [_title(found.loc[place]) for place in drawn]
    save_png(kaplan_meier_figure(time, event, x.iloc[:, drawn], titles, config.unit), features / "survival.png")
    write_json(features / "survival.json", content)
    logger.info("%d of %d features have q < 0.05", content["significant"], content["features"])
    return content


def _title(row: pd.Series) -> str:
    return (
        f"HR per SD {row['hazard_ratio']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}], q {row['q_value']:.2g}\n"
        f"proportional hazards: P {row['ph_p_value']:.2g}"
    )


def _check_one_recording(about: Path, people: pd.DataFrame) -> None:
    """A mean over recordings knows that the person lived to the last of them."""
    if read_json(about)["record"] == "mean" and (people["recordings"] > 1).any():
        raise UserError(
            "discover.survival: features are means over all of a person's recordings, and who has later ones lived to"
            " have them; write discover.features.record: first"
        )
