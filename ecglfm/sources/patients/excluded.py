"""People who must not be in the data, such as those who withdrew: a file of their ids."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.sources import PatientIds
from ecglfm.config.wording import counted
from ecglfm.provenance import read_json, write_json
from ecglfm.sources.patients.ids import NOBODYS, is_nobody, normal_id

logger = logging.getLogger(__name__)

_MAX_BYTES = 1 << 28  # ten million ids
_INSTITUTION = re.compile("^I000[16]/")  # before HEEDB's own ids
_WHOLE = re.compile(r"(?<![^/])(\d+)\.0+$", re.ASCII)  # `7.0`, as PTB-XL's table has its ids; the index has `7`
#: What a file's first line may call its column.
_HEADERS = {"eid", "id", "patient", "patient_id", "patientid", "participant", "subject_id", "f.eid"}


class Excluded:
    """Leaves their recordings out of an index.

    Parameters
    ----------
    path : path
        An id a line, as the database or the index writes it (`1234567`, `1234567.0`, `ukbiobank/1234567`; HEEDB's with
        or without their institution), or the record's where a recording states no patient; a first line may be a
        header, quotes and empty lines are passed over.
    source : str
    config : PatientIds
        Which spellings of an id are one patient.

    Raises
    ------
    UserError
        The file cannot be read, or a line is more than an id.
    """

    def __init__(self, path: Path, source: str, config: PatientIds) -> None:
        self._path, self._source, self._config = path, source, config
        self._ids = {self._normal(text) for text in _lines(path)}
        self._found: set[str] = set()
        self._people: set[str] = set()
        self._n_out = 0

    def without(self, piece: pd.DataFrame) -> pd.DataFrame:
        """The rows of a piece of an index (`Source.pieces`) whose patient is not excluded."""
        if not self._ids:
            return piece
        codes, unique = pd.factorize(piece["patient_id"])  # -1, the last one, where none is stated
        out = np.array([text in self for text in unique] + [False])[codes]
        alone = np.array([is_nobody(text, self._config) for text in unique] + [True])[codes]
        out[alone] |= np.array([text in self or text + NOBODYS in self for text in piece["record_id"][alone]], bool)
        self._n_out += int(out.sum())
        return piece[~out].reset_index(drop=True)

    def __contains__(self, patient: str) -> bool:
        """Whether a patient of an index, `{source}/{native patient}`, is excluded."""
        own = patient.partition("/")[2]
        spellings = {patient, own, _INSTITUTION.sub("", own)}
        if self._config.of is not None:
            spellings.add(f"{self._config.of}/{own}")
        found = {self._normal(text) for text in spellings} & self._ids
        self._found |= found
        self._people |= {patient} if found else set()
        return bool(found)

    def _normal(self, text: str) -> str:
        """What spellings of an id have in common; nobody is kept for want of a `.0`, unless the config says so."""
        return normal_id(text if self._config.normalise else _WHOLE.sub(r"\1", text), self._config)

    def note(self) -> dict[str, int | str]:
        """What tells these people from others, once all of the index has passed, and from which nobody learns who.

        Three digits of the digest: a list of thousands of ids has many people that they fit.
        """
        digest = hashlib.sha256("\n".join(sorted(self._people)).encode()).hexdigest()
        return {"people": len(self._people), "digest": digest[:3]} if self._people else {}

    def tell(self, left: int) -> None:
        """Say, once all of the index has passed, what was left out, in numbers and without an id.

        Raises
        ------
        UserError
            Nothing is left.
        """
        if not left:
            raise UserError(
                f"source {self._source}: every recording is of a patient in {self._path} (`exclude_patients`)"
            )
        people, ids = counted(len(self._found), "patient"), counted(len(self._ids), "id")
        logger.warning(
            "source %s: %s left out, as %s says (`exclude_patients`); %s nobody",
            self._source, counted(self._n_out, f"recording of {people} is", f"recordings of {people} are"), self._path,
            counted(len(self._ids) - len(self._found), f"of its {ids} matches", f"of its {ids} match"),
        )  # fmt: skip


def note_excluded(index: Path, excluded: Excluded | None) -> None:
    """Keep, beside an index that was written, since when it is without these people; nothing where there are none.

    The time stays as long as they are the same, whatever else makes the index anew. It is no output of the workflow.
    """
    path, people = _note_of(index), excluded.note() if excluded else {}
    if not people:
        path.unlink(missing_ok=True)
    elif not path.is_file() or people.items() - read_json(path).items():
        write_json(path, people | {"since": index.stat().st_mtime})


def excluded_since(index: Path) -> float | None:
    """When the people changed who are left out of an index, seconds since the epoch; None: nobody is."""
    path = _note_of(index)
    return float(read_json(path)["since"]) if path.is_file() else None


def _note_of(index: Path) -> Path:
    return index.with_name(f"{index.stem}.excluded.json")


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path}: `exclude_patients` names a file with an id a line; this one has over 256 MB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise UserError(f"{path}: `exclude_patients` names a file with an id a line: {why}") from None
    lines = [line.strip().strip("\"'").strip() for line in text.splitlines()]
    if lines and lines[0].casefold() in _HEADERS:
        lines[0] = ""
    for number, line in enumerate(lines, 1):
        if any(mark in line for mark in ",;\t"):
            raise UserError(f"{path}: line {number}: one id a line is expected, found more; cut out the column of ids")
    return [line for line in lines if line]
