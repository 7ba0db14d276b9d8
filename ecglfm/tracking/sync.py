"""Makes MLflow whole from the journals of a results folder; what is there already is left as it is."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from ecglfm.config import TrackingSlice, UserError
from ecglfm.tracking.earlier import heads
from ecglfm.tracking.journal import Content, reading, results_of
from ecglfm.tracking.store import Store, without_password
from ecglfm.tracking.target import Target

logger = logging.getLogger(__name__)


def sync(results: Path, tracking: TrackingSlice) -> Counter[str]:
    """Bring every run of a results folder to MLflow, as far as it lacks something of it.

    A run whose process is gone without an end is `KILLED`. Runs that are going on bring themselves, and those that a
    user has deleted in MLflow, alone or with their experiment, stay deleted.

    Parameters
    ----------
    results : path
        Its `tracking/` holds the journals.
    tracking : TrackingSlice
        Where MLflow is.

    Returns
    -------
    Counter
        `journals`, `going on`, `deleted`, and what was lacking, as in `Target.sent`.

    Raises
    ------
    UserError
        MLflow is out of reach; what was brought until then stays, and the next sync goes on.
    """
    # Nobody waits for this: a slow server may take its time.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    done: Counter[str] = Counter()
    paths = _parents_first(results / "tracking")
    try:
        if paths:
            store = Store(tracking)
            deleted = _deleted_experiments(store, {path.parent.name for path in paths})
            for path in tqdm(paths, desc="sync", unit="run", leave=False, disable=None):
                known = path.parent.name in deleted
                done += Counter({"journals": 1, "deleted": 1}) if known else _sync_run(store, path)
    except Exception as error:  # whatever MLflow, its database driver or its server come up with
        reason = next(iter(str(error).strip().splitlines()), "")[:300]
        raise UserError(
            without_password(f"MLflow ({tracking.uri}): {type(error).__name__}: {reason}; nothing is lost, sync again")
        ) from None
    return done


def _parents_first(folder: Path) -> list[Path]:
    """Journals by the time at which their runs began: a run knows its parent, which therefore began before it."""
    known = [(content.began, path) for stage in folder.glob("*/") for path, content in heads(stage)]
    others = set(folder.glob("*/*.jsonl")) - {path for _, path in known}
    return [path for _, path in sorted(known)] + sorted(others)


def _deleted_experiments(store: Store, stages: set[str]) -> set[str]:
    """Stages whose experiment was deleted in MLflow; each is named."""
    deleted = set()
    for stage in sorted(stages):
        if (identifier := store.deleted_experiment(stage)) is not None:
            deleted.add(stage)
            logger.warning(
                "the experiment %r was deleted in MLflow: its runs are passed over; to have them again, restore it"
                " (mlflow experiments restore --experiment-id %s) and sync again",
                store.experiment_name(stage), identifier,
            )  # fmt: skip
    return deleted


def _sync_run(store: Store, path: Path) -> Counter[str]:
    """One journal; what it brought."""
    done = Counter({"journals": 1})
    with reading(path) as reader:
        if not reader.lock():
            return done + Counter({"going on": 1})
        content = Content()
        reader.read(content)
        if not content.key:
            logger.warning("%s is not the journal of a run; it is passed over", path)
            return done
        active, deleted = store.runs(content.stage, content.key)
        if deleted and not active:
            return done + Counter({"deleted": 1})
        content.status = content.status or "KILLED"
        target = Target(store, content, results_of(path))
        target.bring(content)
        return done + target.sent
