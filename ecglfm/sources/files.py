"""One recording from a file that a person names: WFDB by its header, others by what they are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecglfm.config import UserError
from ecglfm.records import Record, RecordError
from ecglfm.sources.arrays import ExamFile, split_path
from ecglfm.sources.devices import (
    Head,
    identify,
    known_format,
    read_device_file,
    read_device_head,
    read_muse,
    read_muse_head,
)
from ecglfm.sources.inside import Root, spelled
from ecglfm.sources.wfdb_reader import read_header_text, read_wfdb


def read_record(
    path: str | Path,
    *,
    leads: Mapping[str, str] | None = None,
    file_leads: Sequence[str] = (),
    checks: str = "stated",
    links: str | Sequence[str | Path] = "inside",
) -> Record:
    """Read a recording.

    Parameters
    ----------
    path : path
        A WFDB record name (`folder/00001_hr`) or any of its files (`.hea`, `.dat`, `.mat`); an exam of CODE-15 %,
        `exams_part0.hdf5#EXAM_ID`; a file in another format, known by its content whatever its ending: GE MUSE
        and CardioSoft XML, and with `ecglfm[formats]` DICOM, HL7 aECG, SCP-ECG, EDF and others (docs/vendor-files.md).
    leads, file_leads, checks, links
        As the keys of a source in `config/sources/`: `leads={"C1": "V1"}`, `file_leads=["I", "II"]`,
        `checks="strict"`, `links="follow"`.

    Returns
    -------
    Record
        `.signal` float64 mV (samples, leads) and `.leads` as the file has them, names normalized,
        `.sampling_rate` in Hz. A channel in a unit that is no voltage is NaN.

    Raises
    ------
    RecordError
        There is no such record (`header_missing`, `signal_missing`), or it cannot be read; its files must lie in one
        folder. `rate_unknown`: a `.npy` or `.npz`, which says neither rate nor leads. `format_not_installed`:
        `ecglfm[formats]` reads it; `format_unsupported`, `format_unknown`: nothing does.
    UserError
        `path` is no path.
    """
    if not isinstance(path, str | os.PathLike):
        what = type(path).__name__
        raise UserError(f"read_record takes the path of a file, not {what}; ecglfm.as_record makes one of an array")
    record = _read(Path(path), checks, links)
    return record.named(leads or {}, file_leads) if leads or file_leads else record


def _read(path: Path, checks: str, links: str | Sequence[str | Path]) -> Record:
    ending = Path(path.name.partition("#")[0]).suffix.lower()
    root = Root(path.parent, links)
    if ending in {".hdf5", ".h5"}:
        if "#" not in path.name:
            ExamFile(root, path.name)  # which says what is wrong with it, before that no exam is named
        name, exam = split_path(path.name)
        return ExamFile(root, name).read(exam)
    if ending in {".npy", ".npz"}:
        raise RecordError(
            "rate_unknown",
            f"{path}: an array says neither rate nor leads; make its folder a source of kind numpy_folder",
        )
    header = _wfdb_name(path)
    if header and _is_part(root, header, path):
        return read_wfdb(root, header, checks)
    if identify(root, path.name) is not None:
        return read_device_file(root, path.name, known_format(root, path.name), checks)
    if ending == ".xml":
        return read_muse(root, path.name)  # which says what is wrong with it
    if path.is_file():
        raise RecordError("format_unknown", f"{path}: in none of the formats that are known, and of no WFDB header")
    raise RecordError(
        "header_missing", f"{path}: no WFDB header {path.with_suffix('.hea')}; records are read by header"
    )


def read_head(path: str | Path, *, links: str | Sequence[str | Path] = "inside") -> Head | None:
    """What a file says beside its waveforms; None for WFDB and arrays, which have no such part.

    Parameters
    ----------
    path, links
        As `read_record` takes them.

    Raises
    ------
    RecordError
        The file cannot be read.
    """
    place = Path(path)
    root, header = Root(place.parent, links), _wfdb_name(place)
    if "#" in place.name or (header and _is_part(root, header, place)):
        return None
    if identify(root, place.name) is None:
        return read_muse_head(root, place.name) if place.suffix.lower() == ".xml" else None  # which says what is wrong
    return read_device_head(root, place.name, known_format(root, place.name))


def _wfdb_name(path: Path) -> str:
    """Name of the WFDB header that lies beside a file, or that a record's name means; empty where there is none."""
    names = [path.name] if path.suffix.lower() != ".hea" else []
    names += [path.stem] if path.suffix else []
    found = (name for name in names if name and (path.parent / spelled(str(path.parent), f"{name}.hea")).is_file())
    return next(found, "")


def _is_part(root: Root, header: str, path: Path) -> bool:
    """Whether a path is a record of a header: its name, its own files, or one that it names, whatever its ending.

    `a.dcm` beside `a.hea` is another recording.
    """
    if path.suffix.lower() in {".hea", ".dat", ".mat"} or not path.is_file():
        return True
    text = read_header_text(root, root.folder(()), header)
    return any(line.split()[:1] == [path.name] for line in text.splitlines()[1:])
