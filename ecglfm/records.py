"""What a recording is: leads by name, microvolts, identifiers, and the tables every stage shares.

Signals are int16 microvolts, time-major `(n_samples, 12)`, in the standard lead order; a sample that
cannot be held is `SENTINEL`. Everything that reads or writes a table of records takes its column
names from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ecglfm.config import LEADS, UserError
from ecglfm.provenance import sha256_frame

SENTINEL = np.int16(-32768)
LIMIT_UV = 32767

#: Columns of `index/{source}.parquet`; the database's own columns follow as `native.{column}`.
#: `codes` is a list of {code, likelihood}; `fold` is the database's own fold or null.
INDEX_COLUMNS = ("record_id", "source", "patient_id", "path", "age", "sex", "fold", "codes", "report")

#: Columns of `ledger.parquet`; exactly one `dropped` row per dropped record.
LEDGER_COLUMNS = ("source", "record_id", "stage", "action", "reason", "detail")

SPLITS = ("train", "valid", "test")


class RecordError(ValueError):
    """One recording cannot be used. It becomes one ledger row and the rest of the data goes through.

    Parameters
    ----------
    reason : str
        A short snake_case word, the same for every record with this fault, e.g. `signal_truncated`.
    detail : str
        What was found, where, for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


_LEAD_BY_KEY = {lead.lower(): lead for lead in LEADS} | {
    "di": "I", "dii": "II", "diii": "III", "mli": "I", "mlii": "II", "mliii": "III"
}  # fmt: skip


def normalize_lead(name: str) -> str:
    """Standard spelling of a lead name: `AVR`, `avr`, `aVR`, `Lead aVR` give `aVR`; others return stripped."""
    key = re.sub(r"^(lead|ecg)[\s_]+", "", name.strip().lower()).replace(" ", "")
    return _LEAD_BY_KEY.get(key, name.strip())


@dataclass(frozen=True)
class Record:
    """A recording as its file has it, in physical units.

    Attributes
    ----------
    signal : ndarray of float64, shape (n_samples, n_leads)
        Millivolts; NaN where the file marks a sample as missing.
    leads : tuple of str
        Names of the columns, normalized (`normalize_lead`).
    sampling_rate : float
        Hz.
    comments : tuple of str
        Header comments, without the `#`.
    """

    signal: np.ndarray
    leads: tuple[str, ...]
    sampling_rate: float
    comments: tuple[str, ...] = field(default=())

    def standard(self) -> Record:
        """The 12 standard leads in the order I II III aVR aVL aVF V1-V6, picked by name.

        Raises
        ------
        RecordError
            `lead_unknown`, `lead_missing` or `lead_repeated`, naming the leads.
        """
        unknown = [lead for lead in self.leads if lead not in LEADS]
        if unknown:
            raise RecordError("lead_unknown", f"{' '.join(unknown)} is not one of {' '.join(LEADS)}")
        missing = [lead for lead in LEADS if lead not in self.leads]
        if missing:
            raise RecordError("lead_missing", f"{' '.join(missing)}: {len(self.leads)} of 12 leads present")
        if len(self.leads) != len(LEADS):
            raise RecordError("lead_repeated", " ".join(self.leads))
        order = [self.leads.index(lead) for lead in LEADS]
        return Record(self.signal[:, order], LEADS, self.sampling_rate, self.comments)


def to_microvolts(signal_mv: np.ndarray) -> np.ndarray:
    """Millivolts to int16 microvolts; NaN and beyond +-32.767 mV become `SENTINEL`.

    Parameters
    ----------
    signal_mv : ndarray of float, any shape

    Returns
    -------
    ndarray of int16, same shape
    """
    microvolts = np.rint(signal_mv * 1000.0)
    holdable = np.abs(microvolts) <= LIMIT_UV  # False for NaN
    return np.where(holdable, microvolts, SENTINEL).astype(np.int16)


def ledger_frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    """A ledger table of the given rows: text columns in the standard order, also when empty."""
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS)).astype("str")


def data_hash(records: pd.DataFrame) -> str:
    """SHA-256 of what a model sees of these records: who, which split, which samples; not where they lie."""
    columns = ["record_id", "patient_id", "split", "sampling_rate", "n_samples", "sha256"]
    return sha256_frame(records.sort_values("record_id"), columns)


def require_columns(frame: pd.DataFrame, columns: list[str], where: str) -> None:
    """Raise `UserError` naming the file and the first missing column."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise UserError(
            f"{where}: column {missing[0]!r} is missing; the file has: {', '.join(map(str, frame.columns[:12]))}"
        )
