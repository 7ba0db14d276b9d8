"""One recording from a file that a person names."""

from __future__ import annotations

from pathlib import Path

from ecglfm.records import Record, RecordError
from ecglfm.sources.wfdb_files import read_wfdb


def read_record(path: str | Path) -> Record:
    """Read a recording.

    Parameters
    ----------
    path : path
        A WFDB record name (`folder/00001_hr`) or any of its files (`.hea`, `.dat`, `.mat`).

    Returns
    -------
    Record
        `.signal` float64 mV (samples, leads) and `.leads` as the file has them, names normalized,
        `.sampling_rate` in Hz.

    Raises
    ------
    RecordError
        There is no such record (`header_missing`), or it cannot be read; its files must lie in one folder.
    """
    path = Path(path)
    names = [path.name] if path.suffix != ".hea" else []
    names += [path.stem] if path.suffix else []
    for name in names:
        if name and (path.parent / f"{name}.hea").is_file():
            return read_wfdb(path.parent, name)
    raise RecordError(
        "header_missing", f"{path}: no WFDB header {path.with_suffix('.hea')}; records are read by header"
    )
