"""The ECG before: which recording of the same person it is, and what has changed since then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pandas as pd

from ecglfm.app.prediction.recordings import Reader, Recording
from ecglfm.records import RecordError
from ecglfm.sources.origin import Origin

_SECONDS = 86400.0


class Earlier(NamedTuple):
    """Recordings among which the one before is looked for, and what reads them.

    Attributes
    ----------
    recordings : sequence of Recording
    reader : Reader
    """

    recordings: Sequence[Recording]
    reader: Reader


class Pair(NamedTuple):
    """The recording before another, or why there is none.

    Attributes
    ----------
    name : str or None
        Of the earlier one.
    days : float or None
        Between the two; None where a file does not say when it was made.
    reason : str
        Why nothing can be compared.
    """

    name: str | None = None
    days: float | None = None
    reason: str = ""


def origins(recordings: Sequence[Recording], reader: Reader) -> dict[str, Origin]:
    """Whose each recording is and when it was made, by name; what the list of recordings says comes first."""
    return {one.name: _origin(one, reader) for one in recordings}


def _origin(recording: Recording, reader: Reader) -> Origin:
    try:
        found = reader.origin(recording.path)
    except RecordError:  # it gets a row of its own, with this fault
        found = Origin()
    return Origin(recording.patient_id or found.patient, recording.when or found.when)


def match(now: Mapping[str, Origin], before: Mapping[str, Origin]) -> dict[str, Pair]:
    """The earlier recording of each: of the same patient the last that was made before it.

    A single earlier recording was named by a person and is taken for each, unless the files say that it is of another
    patient or not earlier.

    Parameters
    ----------
    now, before : mapping of str to Origin
        By name of the recording.
    """
    if len(before) == 1:
        ((name, origin),) = before.items()
        return {new: _named(own, name, origin) for new, own in now.items()}
    of_patient: dict[str, list[tuple[datetime, str]]] = {}
    for name, origin in before.items():
        if origin.patient is not None and origin.when is not None:
            of_patient.setdefault(origin.patient, []).append((origin.when, name))
    return {name: _last_before(origin, of_patient) for name, origin in now.items()}


def _named(own: Origin, name: str, origin: Origin) -> Pair:
    if own.patient and origin.patient and own.patient != origin.patient:
        return Pair(reason=f"another patient: {name} is of {origin.patient}, this one of {own.patient}")
    if own.when is None or origin.when is None:
        return Pair(name)
    if origin.when >= own.when:
        return Pair(reason=f"not earlier: {name} was made {origin.when}, this one {own.when}")
    return Pair(name, (own.when - origin.when).total_seconds() / _SECONDS)


def _last_before(own: Origin, of_patient: Mapping[str, list[tuple[datetime, str]]]) -> Pair:
    if own.patient is None or own.when is None:
        return Pair(reason="the file does not say " + ("whose it is" if own.patient is None else "when it was made"))
    when, found = max((one for one in of_patient.get(own.patient, []) if one[0] < own.when), default=(None, None))
    if when is None:
        return Pair(reason="no earlier recording of this patient")
    return Pair(found, (own.when - when).total_seconds() / _SECONDS)


def with_changes(
    table: pd.DataFrame, before: pd.DataFrame, pairs: Mapping[str, Pair], outputs: Mapping[str, str]
) -> pd.DataFrame:
    """The table with what was said of the earlier recordings, and the change since.

    Parameters
    ----------
    table, before : DataFrame
        As `Predictor.table` gives them.
    pairs : mapping of str to Pair
        By `record` of the table.
    outputs : mapping of str to str
        Label: its column, `probability.{label}` or as its kind has it.

    Returns
    -------
    DataFrame
        With `previous`, the name of the earlier recording, `previous_days` between the two, `previous.{label}`,
        `change.{label}` (now less then), and `previous_reason` where there is none.
    """
    chosen = [pairs[name] for name in table["record"]]
    known = before.drop_duplicates("record").set_index("record")
    faults = known["reason"].where(known[list(outputs.values())].isna().all(axis=1), "")
    added: dict[str, list[object] | pd.Series] = {
        "previous": pd.Series([pair.name for pair in chosen], dtype=object),
        "previous_days": pd.Series([pair.days for pair in chosen], dtype="float64"),
    }
    for label, column in outputs.items():
        then = pd.Series([known[column].get(pair.name) for pair in chosen], dtype="float64")
        added[f"previous.{label}"] = then
        added[f"change.{label}"] = table[column].astype("float64").reset_index(drop=True) - then
    added["previous_reason"] = [pair.reason or faults.get(pair.name, "") for pair in chosen]
    return pd.concat([table.reset_index(drop=True), pd.DataFrame(added)], axis=1)
