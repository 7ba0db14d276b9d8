"""From recordings to a file: the table of what models say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ecglfm.app.prediction.predictor import Predictor
from ecglfm.app.prediction.previous import Earlier, match, origins, with_changes
from ecglfm.app.prediction.recordings import Reader, Recording
from ecglfm.config import UserError
from ecglfm.provenance import atomic


def run_predict(
    folders: Sequence[Path],
    recordings: Sequence[Recording],
    reader: Reader,
    output: Path,
    *,
    previous: Earlier | None = None,
    workers: int = 1,
    threads: int = 1,
    precision: str = "fp32",
    compiled: bool = False,
    at: Sequence[float] = (),
) -> pd.DataFrame:
    """Write what models say of recordings.

    Parameters
    ----------
    folders : sequence of path
        Of models that `finetune` wrote; several are an ensemble, whose outputs are averaged.
    recordings : sequence of Recording
    reader : Reader
    output : path
        `.csv`, `.parquet` or `.json` (a list of rows), a row per recording in the order of `recordings`.
    previous : Earlier, optional
        Where the last recording before each is looked for; adds the columns of `with_changes`.
    workers : int
        Processes that read and prepare.
    threads : int
        Of torch.
    precision, compiled, at
        As `Predictor.load` takes them.

    Returns
    -------
    DataFrame
        The table, its rows as `Predictor.answer` describes them.

    Raises
    ------
    UserError
        A model cannot be read, the models of an ensemble are of different tasks, or `output` has another ending.
    """
    if output.suffix not in _WRITERS:
        raise UserError(f"--output {output}: the ending says the format; write one of *{', *'.join(_WRITERS)}")
    predictor = Predictor.load(folders, threads=threads, precision=precision, compiled=compiled, at=at)
    table = predictor.table(recordings, reader, workers=workers)
    if previous is not None:
        table = _compared(predictor, table, recordings, reader, previous, workers=workers)
    with atomic(output) as temporary:
        _WRITERS[output.suffix](table, temporary)
    return table


def _compared(
    predictor: Predictor,
    table: pd.DataFrame,
    recordings: Sequence[Recording],
    reader: Reader,
    previous: Earlier,
    *,
    workers: int,
) -> pd.DataFrame:
    """The table beside what is said of the recordings before; each is asked once, and not if it has a row already."""
    pairs = match(origins(recordings, reader), origins(previous.recordings, previous.reader))
    wanted = {pair.name for pair in pairs.values()}
    if previous.reader is not reader or not wanted <= set(table["record"]) | {None}:
        asked = [one for one in previous.recordings if one.name in wanted]
        before = predictor.table(asked, previous.reader, workers=workers) if asked else table.iloc[:0]
    else:
        before = table
    return with_changes(table, before, pairs, predictor.outputs)


def _write_json(table: pd.DataFrame, path: Path) -> None:
    table.to_json(path, orient="records", indent=1, force_ascii=False, double_precision=15)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".json": _write_json,
}
