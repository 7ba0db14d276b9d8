"""What a recording is: leads by name, microvolts, identifiers, and the tables every stage shares.

Signals are int16 microvolts, time-major `(n_samples, 12)`, in the standard lead order; a sample that
cannot be held is `SENTINEL`. Everything that reads or writes a table of records takes its column
names from here.
"""

from __future__ import annotations

import copy
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecglfm.config import LEADS, UserError

SENTINEL = np.int16(-32768)
LIMIT_UV = 32767
ALL_LEADS = (1 << len(LEADS)) - 1  # the `lead_mask` of a recording that has all twelve

#: Columns of `index/{source}.parquet`; the database's own columns follow as `native.{column}`.
#: `codes` is a list of {code, likelihood}; `fold` is the database's own fold or null.
INDEX_COLUMNS = ("record_id", "source", "patient_id", "path", "age", "sex", "fold", "codes", "report")

#: Columns of `ledger.parquet`; exactly one `dropped` row per dropped record.
LEDGER_COLUMNS = ("source", "record_id", "stage", "action", "reason", "detail")

SPLITS = ("train", "valid", "test")

#: How a person names leads, for messages.
NAME_LEADS = "say which they are with `leads: {THEIR NAME: V1, …}` in the source's YAML"


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


#: `Lead I`, `EKG_I`, `ECG Lead I`, `MDC_ECG_LEAD_I` (the nomenclature of DICOM and HL7) before the name itself.
_BEFORE = re.compile(r"(mdc[\s_]*)?((ecg|ekg|lead)([\s_:.]+|-)?)*")
#: The name: `d` is French and Spanish, `ml` a monitor's.
_LEAD = re.compile(
    r"((?:d|ml)[\s_.-]*)?(?P<limb>i{1,3})|d[\s_.-]*(?P<number>[1-3])"
    r"|a[\s_.-]*v[\s_.-]*(?P<augmented>[rlf])|v[\s_.-]*0?(?P<chest>[1-6])"
)
#: `I (mV)`, `I [uV]`, `I/mV`, `Lead I (Einthoven)` after it.
_AFTER = re.compile(r"(\s*\(einthoven\)|\s*[(\[]\s*(n|u|µ|m|)v\s*[)\]]|[\s_/]+(n|u|µ|m)v)$")


@lru_cache(maxsize=4096)
def normalize_lead(name: str) -> str:
    """Standard spelling of a lead name: `AVR`, `avr`, `Lead aVR`, `EKG_aVR`, `aVR (mV)` give `aVR`; `V01` gives `V1`.

    Names that are not known return stripped. `-aVR` is another lead.
    """
    key = unicodedata.normalize("NFKC", name).strip().lower().replace("μ", "µ")
    start = _BEFORE.match(key)
    match = _LEAD.fullmatch(_AFTER.sub("", key[start.end() if start else 0 :]))
    if match is None:
        return name.strip()
    if match["augmented"]:
        return f"aV{match['augmented'].upper()}"
    return f"V{match['chest']}" if match["chest"] else (match["limb"] or "i" * int(match["number"])).upper()


def _spelled_like(name: str) -> set[str]:
    """Standard leads that a name which is none has within it: `III filtered` has III; `-aVR` is another lead."""
    return {normalize_lead(word) for word in re.split(r"[\s_/:;,()\[\]]+|(?<=\w)-", name)} & set(LEADS)


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
    foreign : mapping of int to str
        Columns in units that are no voltage, and the units; their samples are NaN.
    flags : tuple of (str, str)
        Reason and detail of what the file itself says against it, for the ledger.
    """

    signal: np.ndarray
    leads: tuple[str, ...]
    sampling_rate: float
    comments: tuple[str, ...] = field(default=())
    foreign: Mapping[int, str] = field(default_factory=dict)
    flags: tuple[tuple[str, str], ...] = field(default=())

    def named(self, leads: Mapping[str, str], file_leads: Sequence[str] = ()) -> Record:
        """The same recording, its leads named as a person says.

        Parameters
        ----------
        leads : mapping of str to str
            A name in the file, in any spelling of `normalize_lead`, and the standard lead that it is.
        file_leads : sequence of str
            Names of all columns in their order, whatever the file calls them; none: the file's.

        Raises
        ------
        RecordError
            `lead_count`: `file_leads` are not as many as the file has.
        """
        names = tuple(normalize_lead(lead) for lead in file_leads) or self.leads
        if len(names) != len(self.leads):
            raise RecordError(
                "lead_count",
                f"`file_leads` names {len(names)} leads, the file has {len(self.leads)}: {' '.join(self.leads)[:200]}",
            )
        known = {normalize_lead(theirs).lower(): ours for theirs, ours in leads.items()}
        renamed = copy.copy(self)
        renamed.__dict__["leads"] = tuple(known.get(name.lower(), name) for name in names)
        return renamed

    def choice(self) -> LeadChoice:
        """Where the standard leads come from; raises as `standard`."""
        choice = choose_leads(self.leads)
        for column in choice.columns if self.foreign else ():
            if column in self.foreign:
                raise RecordError(
                    "unit_unknown", f"lead {self.leads[column]} is in {self.foreign[column]!r}, not in nV, uV, mV or V"
                )
        return choice

    def standard(self) -> StandardRecord:
        """The 12 standard leads in the order I II III aVR aVL aVF V1-V6, picked by name.

        Other leads are ignored. Missing limb leads are computed where two of the six are there, but for one that an
        ignored lead's name has within it, for that was recorded; other missing leads are NaN.

        Raises
        ------
        RecordError
            `lead_missing`: no standard lead at all; `lead_repeated`: one of them twice; `unit_unknown`: one in a unit
            that is no voltage.
        """
        choice = self.choice()
        if choice.complete:
            signal = self.signal[:, list(choice.columns)]
        else:
            signal = np.full((len(self.signal), len(LEADS)), np.nan)
            signal[:, list(choice.recorded)] = self.signal[:, list(choice.columns)]
            for lead, (first, second), (of_first, of_second) in choice.sums:
                signal[:, lead] = of_first * signal[:, first] + of_second * signal[:, second]
        return StandardRecord(
            signal, self.sampling_rate, choice.lead_mask, choice.derived, choice.ignored, self.comments
        )

    def microvolts(self) -> Microvolts:
        """The standard leads in int16 microvolts (`to_microvolts`), as ingest stores them; raises as `standard`."""
        standard = self.standard()
        signal = to_microvolts(standard.signal)
        return Microvolts(
            signal, self.sampling_rate, standard.lead_mask, standard.derived, standard.ignored, self.flags
        )


@dataclass(frozen=True)
class StandardRecord:
    """A recording in the standard leads, in physical units.

    Attributes
    ----------
    signal : ndarray of float64, shape (n_samples, 12)
        Millivolts; NaN where a sample is missing, and all along a missing lead.
    sampling_rate : float
        Hz.
    lead_mask : int
        Bit i is set where `LEADS[i]` was recorded or derived.
    derived : tuple of str
        Limb leads that were computed from two others.
    ignored : tuple of str
        Leads of the file that are not standard ones.
    comments : tuple of str
    """

    signal: np.ndarray
    sampling_rate: float
    lead_mask: int
    derived: tuple[str, ...]
    ignored: tuple[str, ...]
    comments: tuple[str, ...] = field(default=())


class Microvolts(NamedTuple):
    """A recording as ingest stores it: `signal` int16 microvolts (n_samples, 12); the rest as `StandardRecord`.

    `flags` are those of `Record`.
    """

    signal: np.ndarray
    sampling_rate: float
    lead_mask: int
    derived: tuple[str, ...]
    ignored: tuple[str, ...]
    flags: tuple[tuple[str, str], ...] = ()


class LeadChoice(NamedTuple):
    """Where the standard leads come from in a file.

    `recorded` are the leads in the file, as numbers in `LEADS`, and `columns` the file's columns that hold them; `sums`
    are the leads to compute: (lead, two recorded leads, their weights).
    """

    recorded: tuple[int, ...]
    columns: tuple[int, ...]
    sums: tuple[tuple[int, tuple[int, int], tuple[float, float]], ...]
    ignored: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """All twelve are in the file."""
        return len(self.recorded) == len(LEADS)

    @property
    def derived(self) -> tuple[str, ...]:
        """Names of the leads to compute."""
        return tuple(LEADS[lead] for lead, _, _ in self.sums)

    @property
    def lead_mask(self) -> int:
        """Bit i is set where `LEADS[i]` is in the file or can be computed."""
        return sum(1 << lead for lead in [*self.recorded, *(lead for lead, _, _ in self.sums)])


#: Limb leads as sums of I and II: III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
_LIMB = ((1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0))


@lru_cache(maxsize=256)
def choose_leads(names: tuple[str, ...]) -> LeadChoice:
    """Find the standard leads among the normalized lead names of a file; raises as `Record.standard`."""
    repeated = [lead for lead in LEADS if names.count(lead) > 1]
    if repeated:
        raise RecordError(
            "lead_repeated",
            f"{' '.join(repeated)} in {' '.join(names)[:200]}; name the leads in their order with `file_leads`",
        )
    recorded = tuple(number for number, lead in enumerate(LEADS) if lead in names)
    columns = tuple(names.index(LEADS[number]) for number in recorded)
    if not recorded:
        raise RecordError(
            "lead_missing", f"none of {' '.join(LEADS)} among {' '.join(names)[:200]}; {NAME_LEADS}, or `file_leads`"
        )
    ignored = tuple(name for name in names if name not in LEADS)
    unclear = set().union(*map(_spelled_like, ignored))  # recorded, though not under a name that is known
    limb = [lead for lead in recorded if lead < len(_LIMB)]
    sums = []
    if len(limb) >= 2:
        first, second = limb[:2]
        (a, b), (c, d) = _LIMB[first], _LIMB[second]
        determinant = a * d - b * c  # never 0: no two limb leads point the same way
        for lead, (x, y) in enumerate(_LIMB):
            if lead not in recorded and LEADS[lead] not in unclear:
                weights = ((x * d - y * c) / determinant, (a * y - b * x) / determinant)
                sums.append((lead, (first, second), weights))
    return LeadChoice(recorded, columns, tuple(sums), ignored)


def to_microvolts(signal_mv: np.ndarray) -> np.ndarray:
    """Millivolts to int16 microvolts; NaN and beyond +-32.767 mV become `SENTINEL`.

    Parameters
    ----------
    signal_mv : ndarray of float, any shape

    Returns
    -------
    ndarray of int16, same shape
    """
    microvolts = signal_mv * 1000.0
    np.rint(microvolts, out=microvolts)
    if microvolts.size and not (microvolts.min() >= -LIMIT_UV and microvolts.max() <= LIMIT_UV):  # True for NaN
        microvolts[~(np.abs(microvolts) <= LIMIT_UV)] = SENTINEL
    return microvolts.astype(np.int16)


def ledger_frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    """A ledger table of the given rows: text columns in the standard order, also when empty."""
    return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS)).astype("str")


#: Columns of the manifest that `data_hash` is of.
HASHED = ["record_id", "patient_id", "split", "sampling_rate", "n_samples", "sha256"]


def data_hash(records: pd.DataFrame) -> str:
    """SHA-256 of what a model sees of these records: who, which split, which samples; not where they lie."""
    return data_hash_of_pieces([records.sort_values("record_id")])


def data_hash_of_pieces(pieces: Iterable[pd.DataFrame]) -> str:
    """`data_hash` of a table in pieces, sorted by `record_id`."""
    digest = hashlib.sha256()
    for number, piece in enumerate(pieces):
        digest.update(piece[HASHED].to_csv(index=False, header=number == 0).encode())
    return digest.hexdigest()


def require_columns(frame: pd.DataFrame, columns: list[str], where: str) -> None:
    """Raise `UserError` naming the file and the first missing column."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise UserError(
            f"{where}: column {missing[0]!r} is missing; the file has: {', '.join(map(str, frame.columns[:12]))}"
        )
