"""What of an ECG makes an EDF high or low: integrated gradients of people of both kinds, over leads and parts of beats.

What the samples of a recording add sums to its EDF less that of a flat line (`ecglfm.evaluation.attribution`). The flat
line is the same for everybody: the mean over people with a high EDF less that over people with a low one is what makes
the difference, and its entries sum to it.

Shapes: n samples, l leads, p parts of a beat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.data.signals import shown_mv
from ecglfm.discovery.recordings import blind
from ecglfm.evaluation.attribution import attribute
from ecglfm.evaluation.beats import PHASES, phases_of
from ecglfm.models.heads import ECGModel

logger = logging.getLogger(__name__)

Reader = Callable[[str], np.ndarray]
COLUMNS = ["edf", "lead", "phase", "high", "low", "difference", "share"]


class Explained(NamedTuple):
    """What is known of one group of people.

    Attributes
    ----------
    table_lp : ndarray, shape (l, p)
        Mean of what leads and parts add, in standard deviations of the EDF.
    records : int
        That were explained.
    left_out : int
        That were not: no beats were found, or the gradients did not add up.
    error : float
        The largest error of the sum, as a share of what is explained.
    """

    table_lp: np.ndarray
    records: int
    left_out: int
    error: float


def extremes(edf: pd.Series, share: float, most: int) -> tuple[list[str], list[str]]:
    """Records of people with the highest and with the lowest EDF.

    Parameters
    ----------
    edf : Series
        By `record_id`.
    share : float
        Of people, at each end.
    most : int
        Of each end, drawn blindly by their name.
    """
    order = edf.sort_index().sort_values(kind="stable").index
    count = max(1, round(share * len(order)))
    low, high = (sorted(some, key=blind)[:most] for some in (order[:count], order[len(order) - count :]))
    return high, low


def explain_group(model: ECGModel, place: int, names: Sequence[str], read: Reader) -> Explained:
    """Attribution of an EDF over leads and parts of the beat, mean over some records.

    Parameters
    ----------
    model : ECGModel
        Of `feature_model`.
    place : int
        Of the EDF in it.
    names : sequence of str
        Records.
    read : callable
        Samples of a record, int16 microvolts (n, l).
    """
    tables, errors = [], []
    for name in names:
        signal_uv = read(name)
        phase, beats = phases_of(shown_mv(signal_uv, model.encoder), model.encoder.sampling_rate)
        if not beats:
            continue
        try:
            found = attribute(model, signal_uv, place, occlude=False)
        except UserError as error:
            logger.warning("%s: %s", name, error)
            continue
        tables.append(np.stack([found.values[phase == part].sum(axis=0) for part in range(len(PHASES))], axis=1))
        errors.append(found.error)
    shape = (len(model.encoder.leads), len(PHASES))
    mean = np.mean(tables, axis=0) if tables else np.full(shape, np.nan)
    return Explained(mean, len(tables), len(names) - len(tables), max(errors, default=float("nan")))


def attribution_table(name: str, high: Explained, low: Explained, leads: Sequence[str]) -> pd.DataFrame:
    """`COLUMNS` of an EDF, a row per lead and part: what each adds in people with a high and with a low EDF.

    `share` is the part of all absolute differences.
    """
    difference = high.table_lp - low.table_lp
    total = np.abs(difference).sum()
    return pd.DataFrame({
        "edf": name,
        "lead": np.repeat(list(leads), len(PHASES)),
        "phase": np.tile(PHASES, len(leads)),
        "high": high.table_lp.ravel(),
        "low": low.table_lp.ravel(),
        "difference": difference.ravel(),
        "share": np.abs(difference).ravel() / total if total else 0.0,
    })[COLUMNS]  # fmt: skip
