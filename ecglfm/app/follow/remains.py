"""What results still have of people whom `exclude_patients` leaves out: what was not asked for again since.

Everything that a run makes after the index is made from it. Of what is older, a table is judged by its ids and a model
by the fingerprints of the recordings that it saw (`ecglfm.models.seen`); figures, numbers and pages, which name nobody,
by their age.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.data.tables import table_pieces
from ecglfm.models.seen import fingerprints, read_seen
from ecglfm.provenance import read_json

#: Stages that are made of tables of recordings, and where MLflow keeps copies of such tables.
_TABLES = ("ingest", "preprocess", "embed", "labels", "mlartifacts")
#: Stages all of whose files are made of all records, or of models of them.
_BY_AGE = ("evaluate", "verify", "transport", "lead_sets", "confounders", "serial", "umap", "report")
#: Stages of models, and how deep the folder of one lies.
_MODELS = {"pretrain": 1, "finetune": 3}
_INFO = {"pretrain": "encoder.json", "finetune": "model.json"}
_IDS = ("record_id", "record_a", "record_b")


def find_remains(results: Path, sources: Sequence[str]) -> list[Path]:
    """Files and folders that have people who are in an index no longer, or that were made when they were.

    Parameters
    ----------
    results : path
    sources : sequence of str
        Those with `exclude_patients`; none, or none with an index: nothing is looked at.

    Returns
    -------
    list of path
        Sorted; a folder stands for all of its files where all of them are meant.
    """
    indexes = {name: results / "index" / f"{name}.parquet" for name in sources}
    indexes = {name: path for name, path in indexes.items() if path.is_file()}
    if not indexes:
        return []
    since = max(path.stat().st_mtime for path in indexes.values())
    records = {name: pq.read_table(path, columns=["record_id"])["record_id"] for name, path in indexes.items()}
    found = {path for stage in (*_TABLES, *_BY_AGE) for path in _of_tables(results / stage, since, records)}
    found |= {path for stage in _BY_AGE for path in _older(results / stage, since) if path.suffix != ".parquet"}
    found |= {path for stage in _MODELS for path in _of_models(results, stage, since)}
    return _folded(results, found)


def _older(folder: Path, since: float) -> Iterator[Path]:
    """Files in a folder, near or far, that are older; those of another project and behind links are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = (name for name in folders if not Path(place, name, "config/identity.json").is_file())
        for path in (Path(place, name) for name in names):
            if path.lstat().st_mtime < since:
                yield path


def _of_tables(folder: Path, since: float, records: dict[str, pa.ChunkedArray]) -> Iterator[Path]:
    """Older tables with a recording that is in its index no longer, with the array and the ledger beside each."""
    for path in _older(folder, since):
        if path.suffix == ".parquet" and _has_others(path, records):
            yield path
            shard = path.name.split(".")[0]
            beside = (path.with_name(f"{shard}{ending}") for ending in (".npy", ".parquet", ".ledger.parquet"))
            yield from (other for other in beside if folder.name in ("ingest", "preprocess") and other.is_file())


def _has_others(path: Path, records: dict[str, pa.ChunkedArray]) -> bool:
    """Whether a table names a recording of these sources that is not among those of its index."""
    columns = [name for name in _IDS if name in pq.read_schema(path).names]
    for ids in pq.read_table(path, columns=columns).columns:
        for source, known in records.items():
            mine = ids.filter(pc.starts_with(ids, f"{source}/"))
            if pc.any(pc.invert(pc.is_in(mine, known.cast(mine.type)))).as_py():
                return True
    return False


def _of_models(results: Path, stage: str, since: float) -> Iterator[Path]:
    """Older files of models that saw a recording that the manifest no longer has, and what broken off ones left."""
    pattern = "/".join("*" * _MODELS[stage])
    for folder in sorted(path for path in (results / stage).glob(pattern) if path.is_dir()):
        whole = folder / _INFO[stage]
        if not whole.is_file() or (whole.stat().st_mtime < since and _saw_others(folder, whole, results)):
            yield from _older(folder, since)
        else:
            yield from (path for aside in folder.glob("checkpoints.set-aside-*") for path in _older(aside, since))


def _saw_others(folder: Path, info: Path, results: Path) -> bool:
    """Whether a model saw other recordings than those of the manifest; of one that does not say it is taken for yes.

    What an encoder that was imported saw elsewhere does not count.
    """
    content = read_json(info)
    weights = content.get("encoder", content).get("weights")
    parts = {name: seen for name, (_, seen) in read_seen(folder).items()}
    if weights != "pretrain":
        parts.pop("pretraining", None)
    if not parts:
        return not (info.name == "encoder.json" and weights != "pretrain")
    left = np.concatenate(list(parts.values()))
    for piece in table_pieces(results / "manifest/records.parquet", ["sha256"]):
        left = left[~np.isin(left, fingerprints(piece["sha256"]))]
    return bool(len(left))


def _folded(results: Path, found: set[Path]) -> list[Path]:
    """Folders in place of files, where all that is in one is meant."""
    meant = set(found)
    for folder in sorted({parent for path in found for parent in path.parents}, key=lambda path: -len(path.parts)):
        if folder.is_relative_to(results) and folder != results and meant.issuperset(folder.iterdir()):
            meant.add(folder)
    return sorted(path for path in meant if path.parent not in meant)


def show_remains(found: Sequence[Path]) -> str:
    """One line of how many there are and what to do; empty where there is none."""
    if not found:
        return ""
    shown = ", ".join(map(str, found[:3])) + (f" and {len(found) - 3} more" if found[3:] else "")
    return (
        f"Made before people were left out (exclude_patients), and not asked for again: {shown};"
        " ecglfm clean --excluded removes it"
    )
