"""What every database adapter offers: its tables, an index of its records, a record.

An adapter turns a database's own tables into rows of `INDEX_COLUMNS` and adds those tables' columns as
`native.{column}`, text as the file has it. Everything after the index is the same for all databases. The index
is made and written in pieces, for a database may have millions of records.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.config.sources import PatientIds
from ecglfm.provenance import atomic, sha256_file
from ecglfm.records import INDEX_COLUMNS, Record, normalize_lead
from ecglfm.sources.inside import Root
from ecglfm.sources.patients import Excluded, Patients
from ecglfm.sources.tables import ORDER, ROWS_TOGETHER, sort, to_table
from ecglfm.sources.wfdb_reader import read_wfdb

#: Keys of an index's metadata.
UNKNOWN_PATIENTS, MADE_BY, MADE_OF = "patients_unknown", "made_by", "made_of"


class Source(ABC):
    """One database on disk.

    Parameters
    ----------
    name : str
        Name of the source in the project; the prefix of its record and patient ids.
    root : path
        Its folder.
    config : SourceConfig

    Raises
    ------
    UserError
        `file_leads` names a lead twice.
    """

    #: Source whose patients those of the table `config.patients` are.
    patients_of = "ptbxl"

    def __init__(self, name: str, root: str | Path, config: SourceConfig) -> None:
        self.name = name
        self.root = Path(root)
        self._inside = Root(root, config.links)
        self.config = config
        names = [normalize_lead(lead) for lead in config.file_leads]
        if any(names.count(lead) > 1 for lead in LEADS):
            raise UserError(f"source {name}: `file_leads` names a lead twice: {' '.join(config.file_leads)}")

    def tables(self) -> list[Path]:
        """The database's own tables, which `index` reads."""
        return [self.root / name for name in self.config.tables]

    @cached_property
    def excluded(self) -> Excluded | None:
        """The people of `exclude_patients`; None without it."""
        path = self.config.exclude_patients
        return Excluded(Path(path), self.name, self.config.patient_id) if path else None

    @abstractmethod
    def pieces(self) -> Iterator[pd.DataFrame]:
        """Yield the index, some thousand rows at a time: `INDEX_COLUMNS`, then `native.{column}`.

        One row per record, in natural order of the native id, and never more than some thousand of them in memory.
        `patient_id` is null where the database does not say it.
        """

    def recordings(self) -> Iterator[pd.DataFrame]:
        """Yield the pieces of the index without the people of `exclude_patients`, of whom nothing goes further.

        Raises
        ------
        UserError
            As `pieces`; or that file cannot be read, or nobody else is left.
        """
        if self.excluded is None:
            yield from self.pieces()
            return
        n_left = 0
        for piece in map(self.excluded.without, self.pieces()):
            n_left += len(piece)
            if len(piece):
                yield piece
        self.excluded.tell(n_left)

    def index(self) -> pd.DataFrame:
        """The whole index at once, for a database that fits into memory."""
        people = Patients(self.name, self.config.patient_id)
        return standard_first(pd.concat(map(people.add, self.recordings()), ignore_index=True))

    def read(self, path: str) -> Record:
        """Read the record at `path`, as the index gives it, its leads as the file names them; raises `RecordError`."""
        return read_wfdb(self._inside, path, self.config.checks)

    def record(self, path: str) -> Record:
        """Read the record at `path`, its leads named as the config says; raises `RecordError`."""
        record = self.read(path)
        if self.config.leads or self.config.file_leads:
            return record.named(self.config.leads, self.config.file_leads)
        return record


def in_id_order(frames: Iterable[pd.DataFrame], path: Path) -> Iterator[pa.Table]:
    """Rows of an index in the order of their column `ORDER`, the native id, some thousand at a time.

    Raises
    ------
    UserError
        There is no row, or an id stands twice; `path` is named.
    """
    for number, table in enumerate(unique(sort(map(to_table, frames), ORDER), f"{path}:")):
        if not number and not len(table):
            raise UserError(f"{path}: holds no recording")
        yield table


def unique(tables: Iterable[pa.Table], where: str, hint: str = "; record ids must be unique") -> Iterator[pa.Table]:
    """Pass on tables sorted by `ORDER`; raises as `check_neighbours`, with record ids where `ORDER` is no text."""
    last: list[object] = []
    for table in tables:
        ids = table["record_id" if pa.types.is_binary(table.schema.field(ORDER).type) else ORDER].to_pylist()
        check_neighbours([*last, *ids], where, hint)
        last = ids[-1:]
        yield table


def check_neighbours(ids: Sequence[object], where: str, hint: str = "; record ids must be unique") -> None:
    """Raise `UserError` where two sorted native ids are alike; `where` and a hint are said with it."""
    again = next((number for before, number in pairwise(ids) if before == number), None)
    if again is not None:
        raise UserError(f"{where} {again} stands twice{hint}")


def standard_first(frame: pd.DataFrame) -> pd.DataFrame:
    """A piece of an index with the standard columns first."""
    return frame[[*INDEX_COLUMNS, *(column for column in frame.columns if column not in INDEX_COLUMNS)]]


def write_index(
    path: str | Path, pieces: Iterable[pd.DataFrame], warned: Sequence[str] = (), slice_: SourceSlice | None = None
) -> tuple[int, int, int]:
    """Write `index/{source}.parquet` piece by piece.

    Parameters
    ----------
    path : path
    pieces : iterable of DataFrame
        As `Source.recordings` yields them.
    warned : sequence of str
        Goes into the file's metadata as `warnings`, a JSON list; may be filled while the pieces are made.
    slice_ : SourceSlice, optional
        Says how ids of patients are taken, and stands in the metadata as `made_by`, with the SHA-256 of the
        database's tables as `made_of` (see `check_made_by`);
        `patients_unknown` there is the number of records that have none.

    Returns
    -------
    records, patients, unknown : int
        `unknown` records state no patient, and are patients of their own.
    """
    people = Patients(Path(path).stem, slice_.config.patient_id if slice_ else PatientIds())
    made_by = {MADE_BY: json.dumps(_made_by(slice_)), MADE_OF: json.dumps(_made_of(slice_))} if slice_ else {}
    patients, writer = 0, None
    with atomic(path) as temporary:
        try:
            for piece in pieces:
                table = to_table(standard_first(people.add(piece)))
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table.cast(writer.schema), row_group_size=ROWS_TOGETHER)
            if writer is None:
                raise UserError(f"{path}: no recording to write")
            patients = people.finish()
            said = {"warnings": json.dumps(list(warned)), UNKNOWN_PATIENTS: json.dumps(people.unknown), **made_by}
            writer.add_key_value_metadata(said)
        finally:
            if writer is not None:
                writer.close()
        if people.alike:
            _tell_apart(temporary, people, said)
    return people.records, patients, people.unknown


def _tell_apart(path: Path, people: Patients, said: dict[str, str]) -> None:
    """Write an index again, in which nobody's recordings are no patient's."""
    with pq.ParquetFile(path) as file, atomic(path) as other, pq.ParquetWriter(other, file.schema_arrow) as writer:
        start = 0
        for batch in file.iter_batches(ROWS_TOGETHER):
            table, at = pa.Table.from_batches([batch]), batch.schema.get_field_index("patient_id")
            ids = people.apart(table["patient_id"].to_pandas(), start)
            table = table.set_column(at, table.schema.field(at), pa.array(ids, table.schema.field(at).type))
            writer.write_table(table, row_group_size=ROWS_TOGETHER)
            start += len(table)
        writer.add_key_value_metadata(said)


def unknown_patients(path: Path) -> int:
    """Records of an index that state no patient."""
    return int(json.loads((pq.read_metadata(path).metadata or {}).get(UNKNOWN_PATIENTS.encode(), b"0")))


def _made_by(slice_: SourceSlice) -> dict[str, Any]:
    """What of a source's config decides its index; not its root, as records are found relative to that."""
    config = slice_.config.model_dump(mode="json", exclude_defaults=True, exclude={"root"})
    return {"source": slice_.source, **config, "patients_of": slice_.patients_of}


def made_by(path: Path) -> dict[str, Any]:
    """What of its source's config an index was made by, without defaults; empty in one of an earlier version."""
    return dict(json.loads((pq.read_metadata(path).metadata or {}).get(MADE_BY.encode(), b"{}")))


def patient_ids(path: Path) -> PatientIds:
    """How an index took ids of patients."""
    return PatientIds.model_validate(made_by(path).get("patient_id", {}))


def _made_of(slice_: SourceSlice) -> dict[str, Any]:
    """Size and SHA-256 of each table of the database, and of the user's own files."""
    paths = {name: Path(slice_.config.root or "", name) for name in slice_.config.tables}
    paths |= {str(Path(name).resolve()): Path(name) for name in slice_.config.own_files}
    return {name: [path.stat().st_size, sha256_file(path)] for name, path in paths.items() if path.is_file()}


def _edited(index: Path, table: Path, size: int, sha256: str) -> bool:
    """Whether a table has changed since; every shard asks, so only one written after the index is hashed."""
    if not table.is_file():
        return False
    status = table.stat()
    return status.st_size != size or (status.st_mtime > index.stat().st_mtime and sha256_file(table) != sha256)


def check_made_by(path: Path, slice_: SourceSlice) -> None:
    """Raise `UserError` where an index was made by another config of its source, or of other tables of the database.

    One of an earlier version passes.
    """
    metadata, then = pq.read_metadata(path).metadata or {}, made_by(path)
    if not then:
        return
    again = f"run `ecglfm index` again, or snakemake --forcerun {path}"
    now = _made_by(slice_)
    changed = sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key))
    if changed:
        raise UserError(
            f"{path}: this index is older than the config of source {slice_.source!r}, in which"
            f" {', '.join(f'`{key}`' for key in changed)} changed since; {again}"
        )
    made_of, root = json.loads(metadata.get(MADE_OF.encode(), b"{}")), Path(slice_.config.root or "")
    edited = [str(root / name) for name, (size, sha256) in made_of.items() if _edited(path, root / name, size, sha256)]
    if edited:
        raise UserError(f"{path}: this index is older than {', '.join(edited)}, which changed since; {again}")
