"""Training state on disk: whole or not there, never of another config, never written by two runs.

`checkpoints/step-00000100/` holds what DeepSpeed saved and `manifest.json`, which lists every file with
its SHA-256. A checkpoint gets its name only when all of it is on the disk, and no file of it is opened
before its hash agrees: DeepSpeed's files are pickles.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from ecglfm import distributed
from ecglfm.config import EncoderSlice, PretrainConfig, UserError
from ecglfm.provenance import read_json, sha256_file, sha256_json, write_json

logger = logging.getLogger(__name__)

_TAG = "state"  # DeepSpeed's name for what it saves
_OURS = "ecglfm"  # what we give it to save with that
_UNFINISHED = ".saving-"


def config_hash(config: EncoderSlice) -> str:
    """SHA-256 of what determines the weights: without names, `EXECUTION` keys and quality limits.

    A limit that changes which records there are changes the data's hash.
    """
    content = config.model_dump(mode="json", exclude={"encoder": True, "preprocess": {"quality"}})
    if content["config"]["pretrain"] is not None:
        for key in PretrainConfig.EXECUTION:
            del content["config"]["pretrain"][key]
    return sha256_json(content)


class Lock:
    """A file that says who writes a folder: process, machine, Slurm job.

    Parameters
    ----------
    path : path
        Its folder is made. The file stays, empty, when nobody holds it.

    Raises
    ------
    UserError
        Somebody else who is still running, or of whom that cannot be told, holds it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        me = {
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "host": socket.gethostname(),
            "job": os.environ.get("SLURM_JOB_ID"),
        }
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)  # two processes that find the same stale lock
            file.seek(0)
            text = file.read()
            holder = _parse_holder(text)
            if holder is not None:
                if _is_running(holder, me):
                    raise UserError(
                        f"{self.path}: process {holder['pid']} on {holder['host']} (job {holder['job']}) already trains"
                        " here; wait for it or stop it. If it is gone for certain, delete this file"
                    )
                logger.info("took over the lock of process %s on %s, gone", holder["pid"], holder["host"])
            file.truncate(0)
            file.write(json.dumps(me))

    def release(self) -> None:
        """Let others write."""
        if self.path.exists():
            self.path.write_text("", encoding="utf-8")


def _parse_holder(text: str) -> dict[str, Any] | None:
    """Content of a lock file; None for nobody (empty, or torn by a crash while it was written)."""
    try:
        holder = json.loads(text)
    except json.JSONDecodeError:
        return None
    return holder if isinstance(holder, dict) and {"pid", "started", "host", "job"} <= set(holder) else None


def _process_start(pid: int) -> str | None:
    """Start of a process in clock ticks after boot (proc(5), stat field 22): tells a reused pid apart."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_running(holder: dict[str, Any], me: dict[str, Any]) -> bool:
    """Whether the holder of a lock still runs; also when that cannot be told."""
    if holder["host"] == me["host"]:
        return holder["started"] is not None and _process_start(int(holder["pid"])) == holder["started"]
    if holder["job"] is None:
        return True
    if holder["job"] == me["job"]:  # our own earlier life, before a requeue
        return False
    try:
        shown = subprocess.run(
            ["squeue", "--noheader", "--jobs", str(holder["job"])], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    if shown.returncode != 0:
        return "Invalid job id" not in shown.stderr
    return bool(shown.stdout.strip())


class Checkpoints:
    """The folder of one training.

    Parameters
    ----------
    folder : path
        `<output>/checkpoints`.
    config_hash, data_hash : str
        What makes a checkpoint this training's.
    keep_last : int
        0 keeps all.
    pairs_per_update : int
        Batch size over all processes and forwards; another one is another training.
    schedule_steps : int, optional
        Updates in all, where the learning rate depends on them: then more of them are another training, too.
    """

    def __init__(
        self, folder: str | Path, *, config_hash: str, data_hash: str, keep_last: int, pairs_per_update: int = 0,
        schedule_steps: int | None = None,
    ) -> None:  # fmt: skip
        self.folder = Path(folder)
        self.identity: dict[str, Any] = {
            "config_hash": config_hash,
            "data_hash": data_hash,
            "pairs_per_update": pairs_per_update,
        }
        if schedule_steps is not None:
            self.identity["schedule_steps"] = schedule_steps
        self.keep_last = keep_last

    def path(self, step: int) -> Path:
        """Folder of the checkpoint after update number `step`."""
        return self.folder / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """Steps of all checkpoints, whole or not, ascending."""
        return sorted(int(path.name[5:]) for path in self.folder.glob("step-*") if path.name[5:].isdigit())

    def open_run(self, total: int) -> dict[str, Any]:
        """Make the folder this training's; one that is another's is set aside first. Rank 0 only.

        Parameters
        ----------
        total : int
            Updates asked for: a folder that is beyond them is another training's, too.

        Returns
        -------
        dict
            Content of `run.json`, e.g. `mlflow_run_id`.
        """
        reason = self._foreign(total)
        if reason is not None:
            number = 1
            while (aside := self.folder.with_name(f"{self.folder.name}.set-aside-{number}")).exists():
                number += 1
            self.folder.rename(aside)
            logger.warning("%s: %s; renamed to %s, training starts at step 0", self.folder, reason, aside.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(path)
        run = _read_mapping(self.folder / "run.json") or {}
        self.note(run)
        return run

    def note(self, run: dict[str, Any]) -> None:
        """Write `run.json`: whose folder this is, and what a resumed training needs to know."""
        write_json(self.folder / "run.json", run | self.identity)

    def newest(self) -> int:
        """Step of the newest whole checkpoint; others are named in a warning and skipped. 0: there is none."""
        for step in reversed(self.steps()):
            fault = self.fault(step)
            if fault is None:
                return step
            logger.warning("%s is skipped: %s", self.path(step), fault)
        return 0

    def fault(self, step: int) -> str | None:
        """What is wrong with a checkpoint, None for nothing; every file is read and hashed."""
        folder = self.path(step)
        manifest = _read_mapping(folder / "manifest.json")
        if manifest is None or not isinstance(manifest.get("files"), dict):
            return "manifest.json is missing or not readable"
        found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if not path.is_dir()}
        del found["manifest.json"]
        if unlisted := sorted(set(found) - set(manifest["files"])):
            return f"{unlisted[0]} is not in its manifest"
        for name, expected in manifest["files"].items():
            if name not in found:
                return f"{name} is missing"
            if found[name].is_symlink() or found[name].stat().st_size != expected["size"]:
                return f"{name} has {found[name].stat().st_size} bytes instead of {expected['size']}"
            if sha256_file(found[name]) != expected["sha256"]:
                return f"{name} does not have the SHA-256 of its manifest"
        return None

    def save(self, engine: Any, step: int, state: dict[str, Any] | None = None) -> None:
        """Save the engine's state, and `state` of ours with it; every rank must call it."""
        unfinished = self.folder / f"{_UNFINISHED}{step:08d}"
        distributed.from_main(lambda: _remove(unfinished))
        engine.save_checkpoint(str(unfinished), tag=_TAG, client_state={_OURS: state or {}}, save_latest=False)
        distributed.barrier()
        distributed.from_main(lambda: self._finish(unfinished, step))

    def load(self, engine: Any, step: int) -> dict[str, Any]:
        """Load a checkpoint that `newest` found whole; every rank must call it.

        Returns
        -------
        dict
            The `state` that `save` was given.

        Raises
        ------
        UserError
            It was made by another number of processes, and ZeRO has cut it to pieces accordingly.
        """
        made_by = read_json(self.path(step) / "manifest.json")["world_size"]
        if made_by != distributed.world_size() and engine.zero_optimization():
            raise UserError(
                f"{self.path(step)} was made by {made_by} processes with ZeRO and cannot be continued by"
                f" {distributed.world_size()}; run with {made_by}, or move {self.folder} away to start anew"
            )
        loaded, content = engine.load_checkpoint(str(self.path(step)), tag=_TAG)
        if loaded is None:
            raise UserError(f"{self.path(step)} holds no training state for this setting; move it away")
        return dict(content.get(_OURS) or {})

    def _finish(self, unfinished: Path, step: int) -> int:
        """List, sync and name what was saved; then drop the oldest."""
        files = {}
        for path in sorted(path for path in unfinished.rglob("*") if path.is_file()):
            _sync(path)
            files[str(path.relative_to(unfinished))] = {"size": path.stat().st_size, "sha256": sha256_file(path)}
        manifest = {"step": step, "world_size": distributed.world_size(), "files": files} | self.identity
        write_json(unfinished / "manifest.json", manifest)
        for folder in (unfinished / _TAG, unfinished):
            _sync(folder)
        _remove(self.path(step))  # one that was skipped as damaged
        unfinished.rename(self.path(step))
        _sync(self.folder)
        if self.keep_last:
            for old in [other for other in self.steps() if other <= step][: -self.keep_last]:
                _remove(self.path(old))
        logger.info("saved %s", self.path(step))
        return 0

    def _foreign(self, total: int) -> str | None:
        """Why this folder is not this training's; None where it is."""
        notes = [self.folder / "run.json", *(self.path(step) / "manifest.json" for step in self.steps())]
        for path in notes:
            note = _read_mapping(path) or {}
            for key, value in self.identity.items():
                if note.get(key, value) != value:
                    return f"holds the state of another training ({key.replace('_hash', '')} has changed)"
        beyond = [step for step in self.steps() if step > total]
        return f"holds step {beyond[0]}, beyond the {total} asked for" if beyond else None


def _read_mapping(path: Path) -> dict[str, Any] | None:
    """Content of a JSON mapping; None where there is none to be read."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _remove(path: Path) -> int:
    """Remove a folder where it exists."""
    if path.exists():
        shutil.rmtree(path)
    return 0


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
