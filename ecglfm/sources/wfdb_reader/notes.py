"""What the comments of WFDB headers say, and rows of an index from them.

For databases whose only table is their headers. The signal lines are left to ingest, which refuses a broken
header with a reason: here such a header merely says nothing.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import pandas as pd

from ecglfm.records import RecordError
from ecglfm.sources.inside import Root
from ecglfm.sources.snomed import parse_dx
from ecglfm.sources.tables import parse_age, parse_sex
from ecglfm.sources.wfdb_reader.header import MAX_HEADER_BYTES, decode, is_segmented, split_header

logger = logging.getLogger(__name__)

_KEY = re.compile(r"\w[\w ]{0,63}", re.ASCII)
_BRACKETED = re.compile(r"<(\w[\w ]*)>\s*:?([^<]*)", re.ASCII)  # `<age>: 65 <sex>: F`
#: As MIMIC-IV-ECG and exports say whose a record is, in a comment.
_PATIENT = re.compile(r"<?(?:subject|patient)[ _-]?id>?\s*[:=]\s*([^\s<]\S*)", re.ASCII | re.IGNORECASE)

ValueT = TypeVar("ValueT")


class Notes(NamedTuple):
    """What a header says beside its signals: comments without `#`, those like `key: value`, and if it has segments."""

    comments: tuple[str, ...] = ()
    values: dict[str, str] = {}  # noqa: RUF012 (never changed)
    segmented: bool = False


def read_text(root: Root, path: str) -> str:
    """Text of a small file at a path relative to the root; raises RecordError (missing, outside, over 1 MB)."""
    folder, name = root.split(path)
    with root.open(folder, name, "file_missing") as (descriptor, size):
        if size > MAX_HEADER_BYTES:
            raise RecordError("file_too_long", f"{name} is longer than {MAX_HEADER_BYTES} bytes")
        return decode(os.read(descriptor, size))


def stated_patient(comments: Iterable[str]) -> str | None:
    """Whose a record is, by the comments of its header: `subject_id: 7`, `<patient id>: 7`; None where none says it."""
    said = next(filter(None, map(_PATIENT.search, comments)), None)
    return said[1] if said else None


def read_notes(root: Root, path: str) -> Notes:
    """Notes of the header of the record at `path`; empty ones where it is missing, too long or outside the root."""
    try:
        return parse_notes(read_text(root, f"{path}.hea"), path.rpartition("/")[2])
    except RecordError:
        return Notes()  # ingest says why it cannot be read, in the ledger


def parse_notes(text: str, record: str) -> Notes:
    """Notes in the text of a header: `#Age: 74`, `# Age: 74` and `#<age>: 74` all give `age`; the first one counts."""
    lines, comments = split_header(text)
    values: dict[str, str] = {}
    for comment in comments:
        key, colon, value = comment.partition(":")
        pairs = [(key, value)] if colon and _KEY.fullmatch(key) else _BRACKETED.findall(comment)
        for key, value in pairs:
            values.setdefault(key.strip().lower(), value.strip())
    return Notes(comments, values, bool(lines) and is_segmented(lines[0], record))


class Refused(dict[str, "Counter[str]"]):
    """Ages and sexes in headers that cannot be read, by what they should be, counted."""

    def parse(self, texts: list[str], parse: Callable[[str], ValueT], what: str) -> list[ValueT | None]:
        """Each text through `parse`; one that it refuses is None."""
        values: list[ValueT | None] = []
        for text in texts:
            try:
                values.append(parse(text))
            except ValueError:
                values.append(None)
                self.setdefault(what, Counter())[text] += 1
        return values

    def warn(self) -> None:
        """Say in a warning how many there were."""
        for what, texts in self.items():
            examples = ", ".join(repr(text[:40]) for text, _ in texts.most_common(3))
            logger.warning(
                "%d headers state no readable %s, e.g. %s; it is unknown there", texts.total(), what, examples
            )


def header_index(
    name: str, ids: Sequence[str], paths: Sequence[str], notes: Sequence[Notes], keys: Sequence[str], refused: Refused
) -> pd.DataFrame:
    """Rows of an index from headers alone, in the given order; a patient is known where a comment says whose it is.

    Parameters
    ----------
    name : str
        Name of the source.
    ids, paths : sequence of str
        Native ids, and where the records lie.
    notes : sequence of Notes
    keys : sequence of str
        Keys of comments that become `native.{key}`.
    refused : Refused
        Counts ages and sexes that cannot be read; they are unknown.

    Returns
    -------
    DataFrame
        `INDEX_COLUMNS`, with the codes of `#Dx:` (`parse_dx`) and all comments as `report`, then native columns.
    """
    values = [note.values for note in notes]
    record_id = [f"{name}/{native_id}" for native_id in ids]
    patients = [patient and f"{name}/{patient}" for patient in (stated_patient(note.comments) for note in notes)]
    native = {f"native.{key}": pd.Series([v.get(key) for v in values], dtype="string") for key in keys}
    return pd.DataFrame(
        {
            "record_id": record_id,
            "source": name,
            "patient_id": pd.Series(patients, dtype="string"),
            "path": list(paths),
            "age": pd.Series(refused.parse([v.get("age", "") for v in values], parse_age, "age"), dtype="float64"),
            "sex": pd.Series(refused.parse([v.get("sex", "") for v in values], parse_sex, "sex"), dtype="string"),
            "fold": pd.Series(pd.NA, index=range(len(record_id)), dtype="Int64"),
            "codes": [parse_dx(v.get("dx", "")) for v in values],
            "report": ["; ".join(note.comments) for note in notes],
        }
        | native
    )
