"""One run of MLflow, brought to what its journal says: the same code during a run and in `tracking sync`."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from ecglfm.provenance import sha256_file
from ecglfm.tracking.journal import Content
from ecglfm.tracking.store import Store

logger = logging.getLogger(__name__)

CONFIG = "config.yaml"  # artifact with all of a run's configuration
PARENT_TAG = "mlflow.parentRunId"  # MLflow's own, by which its table nests runs


class Target:
    """A run in the store, which is made where it is not there; remembers what the store has of it.

    Parameters
    ----------
    store : Store
    content : Content
        What the journal says so far.
    results : path
        Folder from which paths of artifacts are.

    Attributes
    ----------
    sent : Counter
        What was lacking: runs, parameters, tags, metrics, artifacts, statuses; and doubled runs, which were deleted.
    """

    def __init__(self, store: Store, content: Content, results: Path) -> None:
        self.store, self.results = store, results
        self.sent: Counter[str] = Counter()
        self.params: set[str] = set()
        self.tags: dict[str, str] = {}
        self.metrics: dict[str, set[int]] = {}
        self.artifacts: dict[str, int] = {}
        self.status = "RUNNING"
        self._asked_for_parent = False
        found, _ = store.runs(content.stage, content.key)
        if found:
            self._know(found[0])
        else:
            self.run_id = store.create(content.stage, content.key, content.name, content.began)
            self.sent["runs"] += 1
        for double in found[1:]:  # made by a request that was given up, and which the server carried out later
            store.call("delete_run", double.info.run_id)
            self.sent["doubled runs"] += 1

    def _know(self, run: Any) -> None:
        """Ask what the store has of the run."""
        self.run_id, self.status = str(run.info.run_id), str(run.info.status)
        self.params, self.tags = set(run.data.params), dict(run.data.tags)
        self.metrics = {name: self.store.steps(self.run_id, name) for name in run.data.metrics}
        self.artifacts = self.store.artifacts(self.run_id)

    def bring(self, content: Content) -> None:
        """Send what the store lacks; may raise whatever MLflow comes up with.

        Of two values at one step, from before and after a resumption, the store keeps the first.
        """
        self._bring_params(content)
        self._bring_parent(content)
        self._bring_config(content)
        self._bring_metrics(content)
        self._bring_artifacts(content)
        status = content.status or "RUNNING"
        if status != self.status:
            if content.status:
                self.store.call("set_terminated", self.run_id, status, content.ended)
            else:
                self.store.call("update_run", self.run_id, status=status)
            self.status = status
            self.sent["statuses"] += 1

    def _bring_params(self, content: Content) -> None:
        params = {name: value for name, value in content.params.items() if name not in self.params}
        tags = {name: value for name, value in content.tags.items() if self.tags.get(name) != value}
        if params:
            self.store.log_params(self.run_id, params)
        if tags:
            self.store.log_tags(self.run_id, tags)
        self.params.update(params)
        self.tags.update(tags)
        self.sent.update({"parameters": len(params), "tags": len(tags)})

    def _bring_parent(self, content: Content) -> None:
        """Nest the run in the one it belongs to, once that is there: asked at the beginning and in the end."""
        if content.parent is None or (self._asked_for_parent and not content.status):
            return
        self._asked_for_parent = True
        found, _ = self.store.runs(*content.parent)
        if found and self.tags.get(PARENT_TAG) != (run_id := str(found[0].info.run_id)):
            self.store.log_tags(self.run_id, {PARENT_TAG: run_id})
            self.tags[PARENT_TAG] = run_id
            self.sent["tags"] += 1

    def _bring_config(self, content: Content) -> None:
        if not content.config:
            return
        text = yaml.safe_dump(content.config, sort_keys=False, allow_unicode=True)
        if self.artifacts.get(CONFIG) != (size := len(text.encode())):
            self.store.call("log_text", self.run_id, text, CONFIG)
            self.artifacts[CONFIG] = size
            self.sent["artifacts"] += 1

    def _bring_metrics(self, content: Content) -> None:
        lacking = {at: value for at, value in content.metrics.items() if at[1] not in self.metrics.get(at[0], ())}
        self.store.log_metrics(
            self.run_id, [(name, value, when, step) for (name, step), (value, when) in lacking.items()]
        )
        for name, step in lacking:
            self.metrics.setdefault(name, set()).add(step)
        self.sent["metrics"] += len(lacking)

    def _bring_artifacts(self, content: Content) -> None:
        for name, artifact in content.artifacts.items():
            if self.artifacts.get(name) == artifact.size:
                continue
            path = self.results / artifact.path
            if path.is_file() and path.stat().st_size == artifact.size and sha256_file(path) == artifact.sha256:
                self.store.call("log_artifact", self.run_id, str(path))
                self.sent["artifacts"] += 1
            else:
                logger.info("%s is not what run %s made any more: it is not copied", path, content.name)
            self.artifacts[name] = artifact.size
