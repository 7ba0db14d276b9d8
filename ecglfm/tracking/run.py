"""MLflow runs that may never stop or hang a training.

The first trouble is one warning, and the rest of that run goes without MLflow; `history.csv` has it all.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from ecglfm.config import TrackingSlice
from ecglfm.provenance import git_commit
from ecglfm.tracking.store import Store, valid_key

logger = logging.getLogger(__name__)

FLUSH_METRICS = 200  # MLflow takes at most 1000 in one request
FLUSH_SECONDS = 5.0
VALUE_LENGTH = 500  # characters of a parameter, the limit of older MLflow servers


def standard_tags(
    *,
    stage: str,
    encoder: str | None = None,
    task: str | None = None,
    fit: str | None = None,
    config_hash: str | None = None,
    data_hash: str | None = None,
    rule: str | None = None,
) -> dict[str, str]:
    """Tags that every run carries, so that runs can be found again; those that do not apply are left out.

    Returns
    -------
    dict
        `stage, encoder, task, fit, git_commit, config_hash, data_hash, snakemake_rule`.
    """
    tags = {
        "stage": stage,
        "encoder": encoder,
        "task": task,
        "fit": fit,
        "git_commit": git_commit(),
        "config_hash": config_hash,
        "data_hash": data_hash,
        "snakemake_rule": rule,
    }
    return {key: value for key, value in tags.items() if value is not None}


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as `section.key: text`, cut to what MLflow holds.

    Parameters
    ----------
    content : mapping
        For instance `section.model_dump()`.
    """
    flat: dict[str, str] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            text = str(value)
            flat[valid_key(name)] = text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"
    return flat


class Run:
    """An MLflow run, or nothing at all where tracking is off; no method ever raises MLflow's trouble.

    Also a context manager: the run ends `FINISHED`, or `FAILED` where the block raised.

    Attributes
    ----------
    run_id : str or None
        MLflow's identifier, to continue the run after a restart.
    """

    def __init__(self, store: Store | None = None, run_id: str | None = None) -> None:
        self._store = store
        self.run_id = run_id
        self._waiting: list[tuple[str, float, int, int]] = []
        self._flushed = time.monotonic()

    def log(self, metrics: Mapping[str, float | None], step: int) -> None:
        """Note metrics of one step; they are sent in batches. None, NaN and infinite values are left out."""
        if self._store is None:
            return
        now = int(time.time() * 1000)
        for key, value in metrics.items():
            if value is not None and math.isfinite(value):
                self._waiting.append((valid_key(key), float(value), now, int(step)))
        if len(self._waiting) >= FLUSH_METRICS or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting, self._flushed = self._waiting, [], time.monotonic()
        for start in range(0, len(waiting), FLUSH_METRICS):
            batch = waiting[start : start + FLUSH_METRICS]
            self._try(partial(Store.log_metrics, run_id=self.run_id, metrics=batch))

    def tag(self, key: str, value: str) -> None:
        """Set one tag, for what is known only later."""
        self._try(lambda store: store.call("set_tag", self.run_id, valid_key(key), str(value)))

    def artifact(self, path: str | Path) -> None:
        """Copy one file to the run's artifacts."""
        self._try(lambda store: store.call("log_artifact", self.run_id, str(path)))

    def finish(self, status: str = "FINISHED") -> None:
        """Send what waits and end the run; `status` is `FINISHED`, `FAILED` or `KILLED`."""
        self.flush()
        self._try(lambda store: store.call("set_terminated", self.run_id, status))
        self._store = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        killed = kind is not None and not issubclass(kind, Exception)
        self.finish("KILLED" if killed else "FINISHED" if kind is None else "FAILED")

    def _try(self, action: Callable[[Store], None]) -> None:
        """Do something with MLflow; at the first trouble warn once and do without it from then on."""
        if self._store is None:
            return
        try:
            action(self._store)
        except Exception as error:  # whatever MLflow, its database driver or its server come up with
            _warn(self._store.uri, error)
            self._store = None
            self._waiting = []


def start_run(
    tracking: TrackingSlice | None,
    *,
    stage: str,
    name: str,
    tags: Mapping[str, str],
    params: Mapping[str, Any],
    run_id: str | None = None,
    once: bool = False,
) -> Run:
    """Begin (or continue) a run in the experiment named after the stage.

    Parameters
    ----------
    tracking : TrackingSlice or None
        None, `enabled: false` and every rank but the first give a run that does nothing.
    stage : str
        Name of the experiment.
    name : str
        Name of the run, for people.
    tags : mapping
        See `standard_tags`.
    params : mapping
        Parameters, nested as the config is; see `flatten`.
    run_id : str or None
        A run to continue; a new one is begun where the store does not know it.
    once : bool
        Log nothing where a finished run of this name has the same `config_hash` and `data_hash`.

    Returns
    -------
    Run
        Always; MLflow's trouble is one warning and a run that does nothing.
    """
    rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or "0"
    if tracking is None or not tracking.enabled or rank != "0":
        return Run()
    try:
        store = Store(tracking)
        if once and store.knows(stage, name, tags):
            return Run()
        return Run(store, store.begin(stage, name, tags, flatten(params), run_id))
    except Exception as error:  # as in Run._try
        _warn(tracking.uri, error)
        return Run()


def _warn(uri: str, error: Exception) -> None:
    reason = next(iter(str(error).strip().splitlines()), "")[:300]
    text = f"MLflow ({uri}) is out of reach, this run goes on without it: {type(error).__name__}: {reason}"
    logger.warning("%s", re.sub(r"//[^/@\s]*@", "//", text))  # a server's password does not belong in a log
