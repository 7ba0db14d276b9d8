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


def run_embed_prepared(folder: Path, tables: Sequence[Path], output: Path, *, threads: int = 1) -> int:
    """The stage `embed`: write the vectors of all recordings of a database, and those of their windows beside them.

    Parameters
    ----------
    folder : path
        Of an encoder, or of a model.
    tables : sequence of path
        `preprocess/{source}/{shard}.parquet` of all shards of one source.
    output : path
        `{name}.parquet`, in the order of `record_id`, whatever the shards; that of windows is `{name}.windows.parquet`.
    threads : int
        Of torch.

    Returns
    -------
    int
        Number of recordings.

    Raises
    ------
    UserError
        The encoder cannot be read or reads other signals, or samples are not those of the tables.
    """
    from ecglfm.training.vectors import weights_hash, write_vectors

    if output.suffix != ".parquet":
        raise UserError(f"--output {output}: with --prepared it is a table *.parquet")
    missing = [table for table in tables if not table.is_file()]
    if missing or len({table.parent for table in tables}) > 1:
        what = "no such table" if missing else "of another source than the first; one at a time"
        raise UserError(
            f"--prepared {(missing or tables[-1:])[0]}: {what}; give preprocess/SOURCE/*.parquet of one source"
        )
    embedder = RecordEmbedder.load(folder, threads=threads)
    records = pd.concat([pd.read_parquet(table, columns=_COLUMNS) for table in tables])
    records = records.sort_values("record_id", ignore_index=True)
    root = tables[0].parent.parent
    signals, wanted = Signals(records, root), embedder.encoder.preprocess
    if len(records):
        check_samples(records, root, table="the table beside them")
        check_reads(
            records, signals, reader=f"the encoder {folder}", sampling_rate=wanted.sampling_rate,
            leads=wanted.leads, anew="the stage `pretrain`",
        )  # fmt: skip
    write_vectors(output, embedder.module, weights_hash(folder), records, as_read(signals, embedder.encoder))
    return len(records)
