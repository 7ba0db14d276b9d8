"""Databases: one adapter file per kind, one contract, on this page.

An adapter is a class of `ecglfm.sources.base.Source`, made with the source's name, root and config. It offers

`tables()`
    The database's own tables, which the index is made from; Snakemake watches the same list (`Kind.tables`).
`pieces()`
    The index, some thousand rows at a time, a row per recording: `records.INDEX_COLUMNS`, then every column of those
    tables as `native.{column}`, text as the file has it. Reads tables, or headers where there is no table, and never
    a signal.
`read(path)`
    The recording at a `path` of the index as a `records.Record`. The default reads WFDB.

**Ids.** `record_id` is `{source}/{native id}` and unique, `patient_id` is `{source}/{native patient}`; a recording
whose patient is not stated is its own. Rows are in natural order of the native id (2 before 10), or in the order of
the files where one file holds many recordings (`code15`), or of the letters of paths that number alike (`heedb`).

**Columns.** `age` in years, 90 where the database withholds ages above 89 (`>89`, 300); any other above 125 or below 0
is an error in a table and empty, with a warning, where a recording's own file says it or the table is `heedb`'s; `sex`
male, female or null; `fold` the database's own or null; `codes` a list of {code, likelihood 0-100}, 100 where a code is
just listed; `report` text.
What the database does not say is null or empty, never guessed.

**Leads and units.** `Record.leads` has the file's leads in the file's order, spelled by `records.normalize_lead`; the
signal is in mV, NaN where a sample is missing; a column in a unit that is no voltage is in `Record.foreign`, and counts
only if it is a lead that is used. `Source.record` names the leads as the config's `leads` and `file_leads` say, and
`Record.standard` selects, derives and orders the 12.

**Nothing disappears.** A row of the table whose file is missing or broken stays in the index; `read` raises
`RecordError(reason, detail)` and ingest makes it a row of the ledger. What a table does not have is counted in a
warning wherever the index sees it: files of `ludb` and of the kinds for a person's own records, exams in a part of
`code15`, measurements of `mimic_iv_ecg`; but files of `ptbxl` and `mimic_iv_ecg` are not searched for more. The user's
mistake (no table or an empty one, a row of too few cells, a cell that cannot be read, an id twice) is a `UserError`
with file, row and column.

**Excluded people.** What makes an index or lists recordings takes `Source.recordings()`, the pieces without patients
of `exclude_patients`; an adapter need not know. No message names a recording whose file name tells that it is of one.

**Memory.** A database may have millions of recordings, so nothing is held of all of them: tables are read in pieces
(`tables.csv_table`), sorted through a temporary file and joined in step (`tables.reorder`).

**Nothing is trusted.** Paths come from tables and headers: open them through `ecglfm.sources.inside`, which keeps
them in the root, also behind symlinks; `links` of the config says where symlinks may lead beside it. No pickle,
no eval, and no memory for a size that only a header claims.

To add a kind, write its adapter in the room where it belongs and one line in `KINDS` of
`ecglfm/config/source_kinds.py`; `docs/config/data.md` has an example.

**Rooms.** `databases`: those that others have, too. `folders` and `devices`: a person's own recordings, in WFDB and
arrays, and as devices and hospitals write them. What they are read with: `wfdb_reader`, `arrays`, `tables` (which do
most of the work for a CSV), `patients`; `tree` finds files. `download` fetches, `synthesis` makes the databases of the
demo.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from ecglfm.config import SourceSlice, UserError
from ecglfm.config.source_kinds import KINDS

if TYPE_CHECKING:
    from ecglfm.sources.base import Source


def open_source(slice: SourceSlice) -> Source:  # noqa: A002 (the slice of the config)
    """Adapter of a source, after checking that its root is there.

    Raises
    ------
    UserError
        The root is not a folder.
    """
    config = slice.config
    root = Path(config.root or "")
    if not config.root or not root.is_dir():
        raise UserError(
            f"source {slice.source}: root {config.root!r} is not a folder; set `root` in "
            f"config/sources/{slice.source}.yaml or `roots: {{{slice.source}: DIR}}` in config.yaml"
        )
    module, name = KINDS[config.native_kind].adapter.split(":")
    source: Source = getattr(importlib.import_module(module), name)(slice.source, root, config)
    source.patients_of = slice.patients_of
    return source
