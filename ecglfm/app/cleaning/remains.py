"""What results still have of people whom `exclude_patients` leaves out: what was not asked for again since.

The stage `index` keeps since when the people are left out (`note_excluded`); all that a run makes later is made without
them. Of what is older, a table is judged by its ids and a model or checkpoint by the fingerprints of the recordings
that it saw (`ecglfm.models.seen`); figures, numbers and pages, which name nobody, by their age.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ecglfm.data.tables import table_pieces
from ecglfm.models.seen import fingerprints, read_seen
from ecglfm.provenance import read_json
from ecglfm.sources.patients import excluded_since

#: Stages that are made of tables of recordings, and where MLflow keeps copies of such tables.
_TABLES = ("ingest", "preprocess", "embed", "labels", "mlartifacts")
#: Stages all of whose files are made of all records, or of models of them.
_BY_AGE = ("evaluate", "verify", "transport", "lead_sets", "leaderboard", "confounders", "serial", "umap", "report")
#: Stages of models, and how deep the folder of one lies.
_MODELS = {"pretrain": 1, "finetune": 3}
_INFO = {"pretrain": "encoder.json", "finetune": "model.json"}
_IDS = ("record_id", "record", "record_a", "record_b")


def find_remains(results: Path, sources: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Files and folders that have people who were left out since, or that were made when they were in the index.

    Parameters
    ----------
    results : path
    sources : sequence of str
        Those with `exclude_patients`; where nobody is left out of an index nothing is looked at.

    Returns
    -------
    found : list of path
        Sorted; a folder stands for all of its files where all of them are meant.
    unknown : list of str
        A line for each that cannot be judged, which is to be kept.
    """
    indexes = {name: results / "index" / f"{name}.parquet" for name in sources}
    changed = {name: excluded_since(path) for name, path in indexes.items() if path.is_file()}
    out = {name: at for name, at in changed.items() if at is not None}
    if not out:
        return [], []
    since, unknown = max(out.values()), list[str]()
    known = tuple((name, indexes[name].absolute(), indexes[name].stat().st_mtime_ns) for name in out)
    found = {path for stage in (*_TABLES, *_BY_AGE) for path in _of_tables(results / stage, since, known, unknown)}
    found |= {path for stage in _BY_AGE for path in _older(results / stage, since) if path.suffix != ".parquet"}
    found |= set(_older(results / "discover", since))  # a table of loci names nobody, and is of all people
    found |= {path for path in _older(results / "finetune", since) if path.suffix == ".html"}  # copies of the card
    manifest = results / "manifest" / "records.parquet"
    try:
        written = manifest.stat().st_mtime_ns
        present = _fingerprints(manifest.absolute(), written) if written >= max(at for _, _, at in known) else None
    except (pa.ArrowException, OSError):
        present = None
    if present is not None:
        found |= {path for stage in _MODELS for path in _of_models(results, stage, since, present, unknown)}
    elif any((results / stage).is_dir() for stage in _MODELS):
        why = "is missing or older than the index, or broken"
        unknown.append(f"{manifest} {why}: models are judged when it is made anew")
    return _folded(results, found), unknown


def _older(folder: Path, since: float = np.inf) -> Iterator[Path]:
    """Files in a folder, near or far, that are older; those of another project and behind links are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = (name for name in folders if not Path(place, name, "config/identity.json").is_file())
        for path in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):  # a run may be under way
                if path.lstat().st_mtime < since:
                    yield path


#: Name, path and age of the index of each source.
_Indexes = tuple[tuple[str, Path, int], ...]


def _of_tables(folder: Path, since: float, indexes: _Indexes, unknown: list[str]) -> Iterator[Path]:
    """Older tables with a recording that is in its index no longer, with the array and the ledger beside each."""
    for path in (path for path in _older(folder, since) if path.suffix == ".parquet"):
        try:
            others = _has_others(path.absolute(), path.stat().st_mtime_ns, indexes)
        except (pa.ArrowException, OSError):
            unknown.append(f"{path}: no table that can be read")
            continue
        if others:
            yield path
            shard = path.name.split(".")[0]
            beside = (path.with_name(f"{shard}{ending}") for ending in (".npy", ".parquet", ".ledger.parquet"))
            yield from (other for other in beside if folder.name in ("ingest", "preprocess") and other.is_file())


@lru_cache(maxsize=1)
def _ids(indexes: _Indexes) -> dict[str, pa.ChunkedArray]:
    """Ids of the recordings of each source."""
    return {name: pq.read_table(path, columns=["record_id"])["record_id"] for name, path, _ in indexes}


@lru_cache(maxsize=1 << 16)  # `ecglfm status --watch` asks every ten seconds
def _has_others(path: Path, _written: int, indexes: _Indexes) -> bool:
    """Whether a table names a recording of these sources that is not among those of its index."""
    columns = [name for name in _IDS if name in pq.read_schema(path).names]
    for ids in pq.read_table(path, columns=columns).columns:
        for source, known in _ids(indexes).items():
            mine = ids.filter(pc.starts_with(ids, f"{source}/"))
            if pc.any(pc.invert(pc.is_in(mine, known.cast(mine.type)))).as_py():
                return True
    return False


def _of_models(
    results: Path, stage: str, since: float, present: np.ndarray, unknown: list[str]
) -> Iterator[Path]:  # fmt: skip
    """Older files of models that saw a recording that the manifest no longer has, and what broken off ones left."""
    for folder in sorted(path for path in (results / stage).glob("/".join("*" * _MODELS[stage])) if path.is_dir()):
        info = folder / _INFO[stage]
        if info.is_file() and info.stat().st_mtime < since and _saw_others(folder, info, present) is not False:
            yield from _older(folder, since)
            continue
        encoder = results / "pretrain" / folder.relative_to(results / stage).parts[0] / "encoder.json"
        for checkpoints in sorted(path for path in folder.glob("checkpoints*") if path.is_dir()):
            if not any(_older(checkpoints, since)):
                continue
            others = _saw_others(checkpoints, encoder if stage == "finetune" else None, present)
            if others:
                yield from _older(checkpoints)
            elif others is None and (checkpoints.suffix or not info.is_file()):  # not those of a whole model
                unknown.append(f"{checkpoints}: it does not say which recordings it was trained on")


@lru_cache(maxsize=1)
def _fingerprints(manifest: Path, _written: int) -> np.ndarray:
    """Fingerprints of all recordings of the manifest."""
    return np.concatenate([fingerprints(piece["sha256"]) for piece in table_pieces(manifest, ["sha256"])])


def _saw_others(folder: Path, info: Path | None, present: np.ndarray) -> bool | None:
    """Whether a model, or what is in its checkpoints, saw other recordings than these; None: it does not say.

    What an encoder that was imported, as `info` says, saw elsewhere does not count, nor what one saw before it came.
    """
    parts = {name: seen for name, (_, seen) in read_seen(folder).items() if name != "before"}
    if info is not None:
        content = read_json(info) if info.is_file() else {}
        weights = content.get("encoder", content).get("weights")
        if weights != "pretrain":
            parts.pop("pretraining", None)
            if info.parent == folder and info.name == "encoder.json":  # nothing of ours was seen
                return False
    if not parts:
        return None
    return bool((~np.isin(np.concatenate(list(parts.values())), present)).any())


def _folded(results: Path, found: set[Path]) -> list[Path]:
    """Folders in place of files, where all that is in one is meant."""
    meant = set(found)
    for folder in sorted({parent for path in found for parent in path.parents}, key=lambda path: -len(path.parts)):
        if folder.is_relative_to(results) and folder != results and meant.issuperset(folder.iterdir()):
            meant.add(folder)
    return sorted(path for path in meant if path.parent not in meant)


def show_remains(found: Sequence[Path], unknown: Sequence[str] = ()) -> str:
    """One line of how many there are and what to do, one of what cannot be judged; empty where there is none."""
    lines = []
    if found:
        lines.append(
            f"Made before people were left out (exclude_patients), and not asked for again: {_some(found, ', ')};"
            " ecglfm clean --excluded removes it"
        )
    if unknown:
        lines.append(f"Not known whether people who were left out are in it: {_some(unknown, '; ')}")
    return "\n".join(lines)


def _some(items: Sequence[object], mark: str) -> str:
    return mark.join(map(str, items[:3])) + (f" and {len(items) - 3} more" if items[3:] else "")
