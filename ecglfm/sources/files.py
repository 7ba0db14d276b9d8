"""One recording from a file that a person names, by its ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ecglfm.records import Record, RecordError
from ecglfm.sources.code15 import ExamFile, split_path
from ecglfm.sources.inside import Root, spelled
from ecglfm.sources.muse_xml import read_muse
from ecglfm.sources.wfdb_reader.files import read_wfdb


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
        A WFDB record name (`folder/00001_hr`) or any of its files (`.hea`, `.dat`, `.mat`); a GE MUSE `.xml`; an exam
        of CODE-15 %, `exams_part0.hdf5#EXAM_ID`.
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
        folder. `rate_unknown`: a `.npy` or `.npz`, which says neither rate nor leads.
    """
    record = _read(Path(path), checks, links)
    return record.named(leads or {}, file_leads) if leads or file_leads else record


def _read(path: Path, checks: str, links: str | Sequence[str | Path]) -> Record:
    ending = Path(path.name.partition("#")[0]).suffix.lower()
    root = Root(path.parent, links)
    if ending == ".xml":
        return read_muse(root, path.name)
    if ending in {".hdf5", ".h5"}:
        name, exam = split_path(path.name)
        return ExamFile(root, name).read(exam)
    if ending in {".npy", ".npz"}:
        raise RecordError(
            "rate_unknown",
            f"{path}: an array says neither rate nor leads; make its folder a source of kind numpy_folder",
        )
    names = [path.name] if path.suffix.lower() != ".hea" else []
    names += [path.stem] if path.suffix else []
    for name in names:
        if name and (path.parent / spelled(str(path.parent), f"{name}.hea")).is_file():
            return read_wfdb(root, name, checks)
    raise RecordError(
        "header_missing", f"{path}: no WFDB header {path.with_suffix('.hea')}; records are read by header"
    )
