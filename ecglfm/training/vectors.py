"""Vectors of recordings: made window by window, kept in tables by the stage `embed`, read again by linear probes.

A table of windows says by whose weights it was made, and each row which samples it is of: vectors of another encoder or
of other signals are never taken for these. A record's vector is the mean of those of its windows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from tqdm import tqdm

from ecglfm import distributed
from ecglfm.config import UserError
from ecglfm.data.tables import table_pieces, write_pieces
from ecglfm.models.encoders import Encoder
from ecglfm.models.heads import ECGModel
from ecglfm.provenance import code_version, sha256_file, sha256_json
from ecglfm.training.inference import CropReader, aggregate_by_record, evaluating, model_input
from ecglfm.training.precision import calculating

_BATCH = 64  # windows in one forward
_RECORDS = 8192  # records that are embedded and written together
_MADE_BY = "made_by"  # key in the metadata of a table of vectors


def weights_hash(path: Path) -> str:
    """Hash of weights and description of the encoder in a folder, or of the model where there is none."""
    folder = path if path.is_dir() else path.parent
    stem = "encoder" if (folder / "encoder.json").exists() else "model"
    return sha256_json([sha256_file(folder / f"{stem}.{ending}") for ending in ("safetensors", "json")])


def encoder_of(embedder: Encoder | ECGModel) -> Encoder:
    """An encoder itself, or the one within a model."""
    return embedder.encoder if isinstance(embedder, ECGModel) else embedder


def vector_columns(dim: int) -> list[str]:
    """Names of the columns of a vector."""
    return [f"vector.{number:04d}" for number in range(dim)]


def windows_of(table: Path) -> Path:
    """Where the vectors of windows lie, beside a table of records' vectors."""
    return table.with_suffix(".windows.parquet")


def embed_windows(
    embedder: Encoder | ECGModel, signals: CropReader, windows: pd.DataFrame, *, precision: str = "fp32",
    stop: distributed.StopFlag | None = None, shown: tqdm[None] | None = None,
) -> np.ndarray:  # fmt: skip
    """Vector of each window, in their order.

    Parameters
    ----------
    embedder : Encoder or ECGModel
        Its `embed` gives vectors.
    signals : CropReader
    windows : DataFrame
        `row, start, valid` of each, as `signals.windows` makes them.
    precision : str
        Numbers of the products, as `ecglfm.training.precision` has them.
    stop : StopFlag, optional
        Ends it before the next forward.
    shown : tqdm, optional
        Is told how many windows are done; None: one for these.

    Returns
    -------
    ndarray of float32, shape (windows, dim)

    Raises
    ------
    Stopped
        `stop` was raised, before the end.
    """
    encoder = encoder_of(embedder)
    row, start, valid = (windows[column].to_numpy() for column in ("row", "start", "valid"))
    # A mask is of a whole batch: padded windows go by themselves, so that no window's numbers depend on its neighbours.
    kinds = (np.flatnonzero(valid >= encoder.crop_samples), np.flatnonzero(valid < encoder.crop_samples))
    batches = [places[first : first + _BATCH] for places in kinds for first in range(0, len(places), _BATCH)]
    parts = [np.zeros((0, embedder.embedding_dim), np.float32)]
    own = tqdm(total=len(windows), desc="embed", unit="window", leave=False, disable=None if shown is None else True)
    with evaluating(embedder) as device, own:
        for places in batches:
            distributed.end_if(stop)
            x, mask = model_input(signals.crops(row[places], start[places], encoder.crop_samples), valid[places])
            with calculating(precision, device):
                vectors = embedder.embed(x.to(device), None if mask is None else mask.to(device))
            parts.append(vectors.float().cpu().numpy())
            (own if shown is None else shown).update(len(places))
    return np.concatenate(parts)[np.argsort(np.concatenate(kinds))]


def write_vectors(
    output: Path, embedder: Encoder | ECGModel, made_by: str, records: pd.DataFrame, signals: CropReader
) -> None:
    """Write a table of records' vectors, and beside it that of the vectors of their windows.

    Parameters
    ----------
    output : path
        A row per record: `record`, `patient_id`, `vector.0000`, …
    embedder : Encoder or ECGModel
    made_by : str
        `weights_hash` of it.
    records : DataFrame
        `record_id`, `patient_id`, `sha256`.
    signals : CropReader
        Their samples, as the encoder reads them.
    """
    encoder = encoder_of(embedder)
    names, all_windows = vector_columns(embedder.embedding_dim), signals.windows(encoder.crop_samples)
    about = {_MADE_BY: made_by, "encoder": str(encoder.info.get("name", "")), "version": code_version()["version"]}
    named = records.rename(columns={"record_id": "record"})
    with (
        write_pieces(windows_of(output), about) as write_windows,
        write_pieces(output, about) as write_records,
        tqdm(total=len(all_windows), desc=f"embed {output.stem}", unit="window", disable=None) as shown,
    ):
        for first in range(0, max(len(records), 1), _RECORDS):  # once where there are none
            part = named.iloc[first : first + _RECORDS]
            windows = all_windows[all_windows["row"].between(first, first + _RECORDS - 1)]
            vectors = embed_windows(embedder, signals, windows, shown=shown)
            of_windows = part.iloc[windows["row"].to_numpy() - first][["record", "sha256"]]
            of_windows = of_windows.assign(start=windows["start"].to_numpy()).reset_index(drop=True)
            write_windows(of_windows.join(pd.DataFrame(vectors, columns=names)))
            means = aggregate_by_record(windows["row"].to_numpy(), vectors)
            write_records(
                part[["record", "patient_id"]].reset_index(drop=True).join(pd.DataFrame(means, columns=names))
            )


def read_vectors(
    folder: Path, encoder: Encoder, made_by: str, records: pd.DataFrame, windows: pd.DataFrame
) -> np.ndarray:
    """Vectors of windows as the stage `embed` wrote them.

    Parameters
    ----------
    folder : path
        `embed/{encoder}`, which holds a table of windows per source.
    encoder : Encoder
    made_by : str
        `weights_hash` of it.
    records : DataFrame
        Rows of the manifest: `record_id`, `source`, `sha256`.
    windows : DataFrame
        `row, start, valid` of all windows of these records, in the order of `row`.

    Returns
    -------
    ndarray of float32, shape (windows, dim)

    Raises
    ------
    UserError
        A table is missing, was made by other weights, or lacks a window or has it of other samples.
    """
    vectors = np.zeros((len(windows), encoder.embedding_dim), np.float32)
    found = np.zeros(len(windows), bool)
    first = np.searchsorted(windows["row"].to_numpy(), np.arange(len(records)))
    for source, rows in records.groupby("source").indices.items():
        path = windows_of(folder / f"{source}.parquet")
        _check_made_by(path, made_by)
        index, sha256 = pd.Index(records["record_id"].iloc[rows]), records["sha256"].to_numpy()
        for piece in table_pieces(path, ["record", "sha256", "start", *vector_columns(encoder.embedding_dim)]):
            place = index.get_indexer(piece["record"])
            piece, row = piece[place >= 0], rows[place[place >= 0]]
            if (stale := piece["sha256"].to_numpy() != sha256[row]).any():
                raise _older(path, f"its vectors of {piece['record'].iloc[stale.argmax()]} are of other samples")
            window = first[row] + piece["start"].to_numpy() // encoder.crop_samples
            vectors[window], found[window] = piece.iloc[:, 3:].to_numpy(), True
        here = np.isin(windows["row"].to_numpy(), rows)
        if not found[here].all():
            lacking = records["record_id"].iloc[windows["row"].to_numpy()[here & ~found][0]]
            raise _older(path, f"has no vectors of {lacking}")
    return vectors


def _check_made_by(path: Path, made_by: str) -> None:
    if not path.exists():
        raise UserError(f"{path}: no such file; make it with the stage `embed`, or leave --vectors out")
    if (pq.read_metadata(path).metadata or {}).get(_MADE_BY.encode()) != made_by.encode():
        raise _older(path, "its vectors were made by other weights")


def _older(path: Path, what: str) -> UserError:
    return UserError(f"{path}: {what}: run the stage `embed` again (snakemake --forcerun {path})")
