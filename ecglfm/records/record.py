"""What a recording is: leads by name, in physical units or in int16 microvolts.

Signals are stored time-major, `(n_samples, 12)`, in the standard lead order; a sample that cannot be held is
`SENTINEL`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ecglfm.config import LEADS
from ecglfm.records.errors import RecordError
from ecglfm.records.leads import LeadChoice, choose_leads, normalize_lead

SENTINEL = np.int16(-32768)
LIMIT_UV = 32767
#: What is too long for one recording, of all leads together: 12 leads at 500 Hz for six hours. A damaged or hostile
#: file may state, or in little room hold, any number.
MAX_SAMPLES = 1 << 27
ALL_LEADS = (1 << len(LEADS)) - 1  # the `lead_mask` of a recording that has all twelve


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
