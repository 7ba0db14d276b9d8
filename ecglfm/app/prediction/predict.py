"""From recordings to a file: the table of what models say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ecglfm.app.prediction.predictor import Predictor
from ecglfm.app.prediction.recordings import Reader, Recording
from ecglfm.config import UserError
from ecglfm.provenance import atomic


def run_predict(
    folders: Sequence[Path],
    recordings: Sequence[Recording],
    reader: Reader,
    output: Path,
    *,
    workers: int = 1,
    threads: int = 1,
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
    workers : int
        Processes that read and prepare.
    threads : int
        Of torch.

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
    table = Predictor.load(folders, threads=threads).table(recordings, reader, workers=workers)
    with atomic(output) as temporary:
        _WRITERS[output.suffix](table, temporary)
    return table


def _write_json(table: pd.DataFrame, path: Path) -> None:
    table.to_json(path, orient="records", indent=1, force_ascii=False, double_precision=15)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".json": _write_json,
}
