"""Whether prepared signals are what a model reads: its sampling rate, and its leads by name, in its order.

Leads in another order have the same shape: a model would read V1 where it expects aVL, and every number after it
would look like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.data.samples.dataset import Signals


def check_reads(
    records: pd.DataFrame,
    signals: Signals,
    *,
    reader: str,
    sampling_rate: int,
    leads: Sequence[str],
    anew: str | None = None,
) -> None:
    """Raise `UserError` where a file holds signals of another sampling rate, other leads, or leads in another order.

    Parameters
    ----------
    records : DataFrame
        The rows of the manifest that `signals` was made of.
    signals : Signals
    reader : str
        Who reads them, for the sentence: `the encoder pretrain/a`.
    sampling_rate : int
        Hz.
    leads : sequence of str
        What the reader wants.
    anew : str, optional
        The stages that make the reader anew; None: it is the config's own, and the signals are older.
    """
    wrong = (records["sampling_rate"] != sampling_rate).to_numpy()
    others = {path: found for path, found in signals.leads_by_file().items() if not _same(found, leads)}
    if not wrong.any() and not others:
        return
    row = next(row for row in range(len(signals)) if wrong[row] or signals.path(row) in others)
    path, rate = signals.path(row), records["sampling_rate"].iloc[row]
    held = f"leads {_shown(signals.leads_by_file()[path])} at {rate:g} Hz"
    raise UserError(
        f"{path}: holds {held}, but {reader} reads {_shown(leads)} at {sampling_rate} Hz; "
        + _mend(path, sampling_rate, leads, anew)
    )


def _same(found: Sequence[str] | int, leads: Sequence[str]) -> bool:
    return found == len(leads) if isinstance(found, int) else list(found) == list(leads)


def _shown(leads: Sequence[str] | int) -> str:
    return f"({leads} without names)" if isinstance(leads, int) else " ".join(leads)


def _mend(path: Path, sampling_rate: int, leads: Sequence[str], anew: str | None) -> str:
    if anew is None:
        return f"they are older than the config: make them anew with snakemake --forcerun {path}"
    wanted = f"preprocess.sampling_rate: {sampling_rate} and preprocess.leads: [{', '.join(leads)}]"
    return f"make that anew from these signals ({anew}), or prepare them for it: {wanted} in config.yaml"
