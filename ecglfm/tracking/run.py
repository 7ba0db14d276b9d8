"""MLflow runs that may never stop or hang a training.

What a run logs goes to its journal on the disk; a thread brings it from there to MLflow, and `tracking sync` what that
could not.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ecglfm.config import TrackingSlice
from ecglfm.config.difference import flatten
from ecglfm.tracking.earlier import SEPARATOR, telling_name
from ecglfm.tracking.journal import Content, Journal, contents, folder_of, run_key
from ecglfm.tracking.mirror import Mirror, warn
from ecglfm.tracking.store import valid_name, valid_names
from ecglfm.tracking.surroundings import surroundings

logger = logging.getLogger(__name__)

VALUE_LENGTH = 500  # characters of a parameter, the limit of older MLflow servers


def standard_tags(
    *,
    stage: str,
    encoder: str | None = None,
    task: str | None = None,
    fit: str | None = None,
    config_hash: str | None = None,
    data_hash: str | None = None,
    manifest_hash: str | None = None,
    rule: str | None = None,
) -> dict[str, str]:
    """Tags by which runs can be found again; those that do not apply are left out. `start_run` adds where it runs.

    Returns
    -------
    dict
        `stage, encoder, task, fit, config_hash, data_hash, manifest_hash, snakemake_rule`.
    """
    tags = {
        "stage": stage,
        "encoder": encoder,
        "task": task,
        "fit": fit,
        "config_hash": config_hash,
        "data_hash": data_hash,
        "manifest_hash": manifest_hash,
        "snakemake_rule": rule,
    }
    return {key: value for key, value in tags.items() if value is not None}


def parameters(content: Mapping[str, Any]) -> dict[str, str]:
    """Nested parameters as `section.key: text`, cut to what MLflow holds."""
    flat = flatten(content)
    texts = {name: str(flat[key]) for key, name in valid_names(flat).items()}
    return {k: text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…" for k, text in texts.items()}


class Run:
    """An MLflow run, or nothing at all where tracking is off; no method ever raises MLflow's trouble or waits for it.

    Also a context manager: the run ends `FINISHED`, or `FAILED` where the block raised.

    Parameters
    ----------
    journal : Journal, optional
    mirror : Mirror, optional

    Attributes
    ----------
    key : str or None
        Our identifier, to continue the run after a restart.
    """

    def __init__(self, journal: Journal | None = None, mirror: Mirror | None = None) -> None:
        self._journal, self._mirror = journal, mirror
        self.key = None if journal is None else journal.path.stem

    def log(self, metrics: Mapping[str, float | None], step: int) -> None:
        """Note metrics of one step. None, NaN and infinite values are left out."""
        names = valid_names(metrics)
        known = {names[name]: float(v) for name, v in metrics.items() if v is not None and math.isfinite(v)}
        self._note({"step": int(step), "metrics": known})

    def tag(self, name: str, value: str) -> None:
        """Set one tag, for what is known only later."""
        self._note({"tags": {valid_name(name): str(value)}})

    def artifact(self, path: str | Path) -> None:
        """Note one file, to be copied to the run's artifacts."""
        if self._journal is None:
            return
        try:
            self._journal.artifact(Path(path))
        except OSError as error:
            logger.warning("%s is no artifact: %s", path, error.strerror)

    def finish(self, status: str = "FINISHED") -> None:
        """End the run and see it through to MLflow, if it answers; `status` is `FINISHED`, `FAILED` or `KILLED`."""
        self._note({"status": status})
        if self._mirror is not None:
            self._mirror.finish()
        if self._journal is not None:
            self._journal.close()
        self._journal = self._mirror = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        killed = kind is not None and not issubclass(kind, Exception)
        self.finish("KILLED" if killed else "FINISHED" if kind is None else "FAILED")

    def _note(self, event: Mapping[str, Any]) -> None:
        if self._journal is not None:
            self._journal.write(event)


def start_run(
    tracking: TrackingSlice | None,
    *,
    stage: str,
    name: str,
    tags: Mapping[str, str],
    params: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
    told: Sequence[str] = (),
    parent: Content | None = None,
    key: str | None = None,
    step: int = 0,
    once: bool = False,
) -> Run:
    """Begin (or continue) a run in the experiment of the stage.

    Parameters
    ----------
    tracking : TrackingSlice or None
        None and `enabled: false` give a run that does nothing; of several ranks, the first alone has one.
    stage : str
        Name of the experiment, after that of the project.
    name : str
        What the run is about, for people; `telling_name` adds what differs where there is a `config`.
    tags : mapping
        See `standard_tags`; those of `surroundings` come with them.
    params : mapping
        Parameters that people compare, nested as the config is.
    config : mapping, optional
        All that the run does, nested; the artifact `config.yaml`.
    told : sequence of str
        Keys of `config` that the name always tells.
    parent : Content, optional
        The run that it belongs to, see `find_run`.
    key : str, optional
        `Run.key` of a run to continue.
    step : int
        Where it goes on: what was logged beyond is not logged twice.
    once : bool
        Log nothing where a finished run of this name has the same `config_hash` and `data_hash`.

    Returns
    -------
    Run
        Always; MLflow's trouble is one warning.
    """
    if tracking is None or not tracking.enabled:
        return Run()
    folder = folder_of(tracking) / stage
    try:
        if once and _is_known(folder, name, tags):
            return Run()
        key = run_key(key)
        journal = Journal(folder / f"{key}.jsonl")
    except OSError as error:
        logger.warning("%s: %s; nothing of this run reaches MLflow", folder, error.strerror)
        return Run()
    named = telling_name(name, config, folder=folder, tags=tags, told=told) if config else name
    about: dict[str, Any] = {"key": key, "stage": stage, "name": named, "step": step}
    all_tags = surroundings(tracking) | dict(tags)
    about["tags"] = {valid_name(tag): str(value) for tag, value in all_tags.items()}
    about["params"] = parameters(params)
    if config:
        about["config"] = config
    if parent is not None:
        about["parent"] = {"stage": parent.stage, "key": parent.key}
    journal.write({"run": about})
    try:
        return Run(journal, Mirror(tracking, journal))
    except Exception as error:  # a broken installation of MLflow
        warn(tracking.uri, error)
        return Run(journal)


def _is_known(folder: Path, name: str, tags: Mapping[str, str]) -> bool:
    """Whether a journal tells of a finished run of this name with the same `config_hash` and `data_hash`."""
    return any(
        content.status == "FINISHED"
        and content.name.split(SEPARATOR)[0] == name
        and all(content.tags.get(hash_) == tags[hash_] for hash_ in ("config_hash", "data_hash"))
        for content in contents(folder)
    )
