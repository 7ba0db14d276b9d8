"""What is known beforehand of sources that hold recordings or people of each other, before any signal is compared."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.config import ManifestSlice
from ecglfm.config.databases import known_databases
from ecglfm.sources.base import made_by

_DATABASE = "native.database"  # of the Challenge's records


def held_databases(slice: ManifestSlice, results: Path) -> dict[str, list[str]]:  # noqa: A002
    """Published databases that each source holds, by the config that its index was made with.

    Parameters
    ----------
    slice : ManifestSlice
    results : path
        Holds `index/`. An index that is missing, or of an earlier version, says nothing.

    Returns
    -------
    dict
        Source: names in `ecglfm.config.databases.DATABASES`; sources of which none is known are left out.
    """
    found = {}
    for source in slice.sources:
        path = results / "index" / f"{source}.parquet"
        kind, parts = "", list[str]()
        if path.is_file():
            kind = str(made_by(path).get("kind", ""))
            if kind == "challenge2021":
                column = pq.read_table(path, columns=[_DATABASE])[_DATABASE]
                parts = pc.unique(column.drop_null()).to_pylist()
        found[source] = known_databases(kind, parts, slice.holds.get(source, ()))
    return {source: names for source, names in found.items() if names}
