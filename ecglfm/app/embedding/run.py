"""`ecglfm embed`: a table of vectors, of recordings that a person names or of a database that is prepared already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecglfm.app.embedding.embedder import RecordEmbedder
from ecglfm.app.prediction import Reader, Recording
from ecglfm.config import UserError
from ecglfm.data.samples import Signals, check_reads, check_samples
from ecglfm.data.signals import as_read
from ecglfm.data.tables import shard_tables
from ecglfm.provenance import atomic

_COLUMNS = ["record_id", "source", "patient_id", "shard", "offset", "n_samples", "sampling_rate", "sha256"]


def run_embed(
    folder: Path, recordings: Sequence[Recording], reader: Reader, output: Path, *, workers: int = 1, threads: int = 1,
    precision: str = "fp32", compiled: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Write the vectors of recordings.

    Parameters
    ----------
    folder : path
        Of an encoder, or of a model.
    recordings : sequence of Recording
    reader : Reader
    output : path
        `.csv` or `.parquet`.
    workers : int
        Processes that read and prepare.
    threads : int
        Of torch.
    precision, compiled
        As `RecordEmbedder.load` takes them.

    Returns
    -------
    DataFrame
        As `RecordEmbedder.table` gives it.

    Raises
    ------
    UserError
        The encoder cannot be read, or `output` has another ending.
    """
    if output.suffix not in (".csv", ".parquet"):
        raise UserError(f"--output {output}: the ending says the format; write *.csv or *.parquet")
    embedder = RecordEmbedder.load(folder, threads=threads, precision=precision, compiled=compiled)
    table = embedder.table(recordings, reader, workers=workers)
    with atomic(output) as temporary:
        if output.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)
    return table


def run_embed_prepared(
    folder: Path, prepared: Path, output: Path, *, shards: int | None = None, threads: int = 1
) -> int:
    """The stage `embed`: write the vectors of all recordings of a database, and those of their windows beside them.

    Parameters
    ----------
    folder : path
        Of an encoder, or of a model.
    prepared : path
        `preprocess/{source}`, the tables and signals of all shards of one source.
    output : path
        `{name}.parquet`, in the order of `record_id`, whatever the shards; that of windows is `{name}.windows.parquet`.
    shards : int or None
        How many there are; None: all that are found.
    threads : int
        Of torch.

    Returns
    -------
    int
        Number of recordings.

    Raises
    ------
    UserError
        A shard is missing, the encoder cannot be read or reads other signals, or samples are not those of the tables.
    """
    from ecglfm.training.vectors import weights_hash, write_vectors

    if output.suffix != ".parquet":
        raise UserError(f"--output {output}: with --prepared it is a table *.parquet")
    tables = shard_tables(prepared, ".parquet", shards)
    embedder = RecordEmbedder.load(folder, threads=threads)
    records = pd.concat([pd.read_parquet(table, columns=_COLUMNS) for table in tables])
    records = records.sort_values("record_id", ignore_index=True)
    signals, wanted = Signals(records, prepared.parent), embedder.encoder.preprocess
    if len(records):
        check_samples(records, prepared.parent, table="the table beside them")
        check_reads(
            records, signals, reader=f"the encoder {folder}", sampling_rate=wanted.sampling_rate,
            leads=wanted.leads, anew="the stage `pretrain`",
        )  # fmt: skip
    write_vectors(output, embedder.module, weights_hash(folder), records, as_read(signals, embedder.encoder))
    return len(records)
