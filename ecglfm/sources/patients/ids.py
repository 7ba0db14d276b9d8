"""Whose recording is it? Ids of patients as a database writes them: unknown ones, spellings of one, one for everybody.

A patient is what keeps recordings of one person in one split, so what an export or a spreadsheet did to the ids is
said before anything is split by them. Ids are kept as written unless the config decides otherwise: in one laboratory
`007` and `7` are two people, in another one.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ecglfm.config import UserError
from ecglfm.config.sources import PatientIds
from ecglfm.config.wording import counted
from ecglfm.sources.tables import Sorter, merge_join

logger = logging.getLogger(__name__)

#: Words that say that nobody knows the patient: Excel's and pandas' own, and what is written over an id, too.
UNSTATED = {"", "nan", "na", "n/a", "none", "null", "unknown", "unspecified", "u", "?", "-", "-1"} | {
    "#n/a", "<na>", "nat", "unk", "anonymous", "anonymized", "anonymised", "removed", "redacted", "deidentified"
}  # fmt: skip
#: Behind the id of a recording that is a patient of its own, where that id alone is another patient's.
NOBODYS = " (unknown)"
#: Characters of an id; more are no id, but what a damaged table or file says in its place.
LONGEST = 200
#: So few recordings of one patient are never too many.
FEW = 100
_PLAIN = r"^[^/]*/(?:I000[16]/)?[1-9][0-9]{0,17}$"  # HEEDB: `I0001/` before the number
_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,2})?", re.ASCII)
_ODD = {"zeros": re.compile("0+"), "spreadsheet": re.compile(r"\d(\.\d+)?[eE]\+\d{2}", re.ASCII)}  # the latter Excel's
_EXAMPLES = 3


def normal_text(text: str) -> str:
    """The same text for spellings of it: Unicode's forms, letters' case, dashes, spaces, characters of no width."""
    shown = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf")
    dashed = "".join("-" if unicodedata.category(c) == "Pd" else c for c in shown)
    return unicodedata.normalize("NFC", " ".join(dashed.split()).casefold())


def normal_number(text: str) -> str:
    """`normal_text`, and the same whole number for spellings of it: `7`, `007`, `7.0`, `+7`, `7e0`."""
    text = normal_text(text)
    if not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    return str(int(number)) if number == number.to_integral_value() else text


_NORMAL: dict[str, Callable[[str], str]] = {"as_written": str, "text": normal_text, "number": normal_number}


def normal_id(text: str, config: PatientIds) -> str:
    """What spellings of one patient have in common, by `patient_id.normalise`."""
    return _NORMAL[config.normalise or "as_written"](text)


def is_nobody(patient: str, config: PatientIds) -> bool:
    """Whether a patient of an index, `{source}/{native patient}`, stands for nobody."""
    own = patient.partition("/")[2].strip().casefold()
    return len(own) > LONGEST or own in UNSTATED or any(own == text.strip().casefold() for text in config.unknown)


class Patients:
    """Passes an index on with its patients filled in, and says what is odd about their ids.

    Parameters
    ----------
    source : str
        Name of the source.
    config : PatientIds

    Attributes
    ----------
    records, unknown : int
        Rows so far, and those of no known patient: such a recording is a patient of its own.
    alike : bool
        After `finish`: the id of such a recording is also that of a patient, who is somebody else.
    """

    def __init__(self, source: str, config: PatientIds) -> None:
        self._source, self._config = source, config
        self._ids, self._texts = Sorter("key"), Sorter("text")
        self._odd = {"zeros": 0, "spreadsheet": 0}
        self._example = {"zeros": "", "spreadsheet": ""}
        self._nobodys: list[np.ndarray] = []
        self.records = self.unknown = 0
        self.alike = False

    def add(self, piece: pd.DataFrame) -> pd.DataFrame:
        """Rows of an index (`patient_id` null where the database does not say) with every patient filled in."""
        codes, unique = pd.factorize(piece["patient_id"])
        number = np.bincount(codes[codes >= 0], minlength=len(unique))
        final = pd.Series(unique, dtype=object)
        if self._config.of is not None and len(final):
            final = final.str.replace(f"^{re.escape(self._source)}/", f"{self._config.of}/", regex=True)
        plain = pc.match_substring_regex(pa.array(final, pa.large_string()), _PLAIN).to_numpy(zero_copy_only=False)
        odd = np.flatnonzero(~plain | bool(self._config.unknown))
        keys = final.copy()
        if len(odd):  # most databases number their patients, and nothing about a plain number needs a look
            final.iloc[odd], keys.iloc[odd] = self._looked_at(final.iloc[odd], number[odd])
        stated = final.notna().to_numpy()
        of_keys, ids = (pa.array(texts[stated], pa.large_string()) for texts in (keys, final))
        self._ids.add(pa.table({"key": of_keys, "id": ids, "n": number[stated].astype(np.int64)}))
        filled = final.reindex(codes).set_axis(piece.index)
        nobodys = filled.isna()
        for texts, alone in ((final[stated], False), (piece["record_id"][nobodys], True)):
            own = pa.array(texts, pa.large_string())
            self._texts.add(pa.table({"text": own, "alone": np.full(len(own), alone)}))
        self._nobodys.append(nobodys.to_numpy())
        self.records += len(piece)
        self.unknown += int(nobodys.sum())
        return piece.assign(patient_id=filled.where(~nobodys, piece["record_id"]).astype("str"))

    def _looked_at(self, written: pd.Series, number: np.ndarray) -> tuple[list[str | None], list[str | None]]:
        """Some ids as the config wants them, None for nobody, and what spellings of one have in common."""
        final: list[str | None] = []
        keys: list[str | None] = []
        normal = _NORMAL[self._config.normalise or "as_written"]
        for text, count in zip(written, number.tolist(), strict=True):
            prefix, _, own = text.partition("/")
            if is_nobody(text, self._config):
                final.append(None)
                keys.append(None)
                continue
            for name, pattern in _ODD.items():
                if pattern.fullmatch(own):
                    self._odd[name] += count
                    self._example[name] = self._example[name] or own
            final.append(f"{prefix}/{normal(own)}")
            keys.append(f"{prefix}/{normal_number(own)}")
        return final, keys

    def _of_id(self) -> Iterator[pd.DataFrame]:
        """Records `n` of each `id`, all spellings of an id in one table."""
        for (table,) in merge_join([self._ids.tables()], "key") if len(self._ids) else ():
            yield table.to_pandas().groupby(["key", "id"], as_index=False, sort=False)["n"].sum()

    def _are_alike(self) -> bool:
        """Whether a recording of nobody has the id of a patient."""
        for (table,) in merge_join([self._texts.tables()], "text") if 0 < self.unknown < self.records else ():
            alone = table["alone"].to_numpy()
            if pc.any(pc.is_in(table["text"].filter(alone), table["text"].filter(~alone))).as_py():
                return True
        return False

    def apart(self, patient_ids: pd.Series, start: int) -> pd.Series:
        """Patients of the rows from `start` on, as `add` gave them, where nobody's have ids that no patient has."""
        nobodys = np.concatenate(self._nobodys)[start : start + len(patient_ids)]
        return patient_ids.mask(nobodys, patient_ids + NOBODYS)

    def finish(self) -> int:
        """Warn of what is odd, and count the patients; to be called once, after the last piece.

        Raises
        ------
        UserError
            One id holds an improbable share of the records.
        """
        known, spellings, mixed = 0, 0, 0
        largest = (0, "")
        examples: list[tuple[int, list[str]]] = []
        for table in self._of_id():
            known += len(table)
            if len(table):
                numbers = table["n"].to_numpy()
                largest = max(largest, (int(numbers.max()), str(table["id"].to_numpy()[numbers.argmax()])))
            again = table[table["key"].duplicated(keep=False)]
            for _, group in again.groupby("key", sort=False):
                spellings, mixed = spellings + 1, mixed + int(group["n"].sum())
                examples.append((-int(group["n"].sum()), sorted(group["id"])))
            examples = sorted(examples)[:_EXAMPLES]
        self.alike = self._are_alike()
        self._warn(spellings, mixed, [ids for _, ids in examples])
        self._refuse(*largest)
        return known + self.unknown

    def _warn(self, spellings: int, mixed: int, examples: list[list[str]]) -> None:
        where = f"source {self._source}"
        if self.unknown == self.records:
            logger.warning(
                "%s: patients unknown: no record of %d states one; each is split on its own, and leakage between those "
                "of one person cannot be excluded; `columns: {patient_id: COLUMN}` names a column of a table",
                where, self.records,
            )  # fmt: skip
        elif self.unknown:
            logger.warning(
                "%s: patients partly unknown: %s; each is split on its own, and leakage "
                "between those of one person cannot be excluded", where, counted(
                    self.unknown, f"of {self.records} records states none", f"of {self.records} records state none"
                ),
            )  # fmt: skip
        if self.alike:
            logger.warning(
                "%s: of recordings that state no patient, some have the id of a patient, who is somebody else: as "
                "patients they are called `RECORD (unknown)`", where,
            )  # fmt: skip
        if spellings and self._config.normalise is None:
            shown = "; ".join(" ".join(repr(text.partition("/")[2]) for text in ids[:6]) for ids in examples)
            logger.warning(
                "%s: %s written in several ways (%s), and each way is a patient of its own: "
                "%s; `patient_id: {normalise: text}` or `number` makes them one, `as_written` says that they differ",
                where, counted(spellings, "patient id is", "patient ids are"), counted(mixed, "record"), shown,
            )  # fmt: skip
        if self._odd["spreadsheet"]:
            logger.warning(
                "%s: %s patient ids such as %r: Excel shortens long numbers so, and different people "
                "get the same id; export the column as text",
                where, counted(self._odd["spreadsheet"], "record has", "records have"), self._example["spreadsheet"],
            )  # fmt: skip
        if self._odd["zeros"] > 1 and self._config.normalise is None:
            logger.warning(
                "%s: %d records have the patient id %r, and count as one patient; if it stands for nobody, write it "
                "into `patient_id: {unknown: [ID, …]}`", where, self._odd["zeros"], self._example["zeros"],
            )  # fmt: skip

    def _refuse(self, number: int, patient: str) -> None:
        share = number / max(1, self.records)
        if number > FEW and share > self._config.largest_share:
            shown = patient.partition("/")[2]
            raise UserError(
                f"source {self._source}: {number} of {self.records} records have the patient id {shown!r}: an "
                f"anonymised or shortened id? Write `patient_id: {{unknown: [{shown!r}]}}` if it stands for nobody, or "
                "`patient_id: {largest_share: 1}` if it is one person's"
            )
