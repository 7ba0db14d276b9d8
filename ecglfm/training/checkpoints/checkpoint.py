"""Training state on disk: whole or not there, and never of another config.

`checkpoints/step-00000100/` holds a file of every rank (`pieces`), `state.json` and `manifest.json`, which lists them
with their SHA-256. It gets its name only when all of it is on the disk, and no file of it is opened before its hash
agrees. `saver` writes them.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

from ecglfm.config import EncoderSlice, PretrainConfig, UserError
from ecglfm.provenance import read_json, sha256_file, sha256_json, write_json, write_text
from ecglfm.training.checkpoints.pieces import Pieces

logger = logging.getLogger(__name__)

_UNFINISHED = ".saving-"
_STATE = "state.json"


def config_hash(config: EncoderSlice) -> str:
    """SHA-256 of what determines the weights: without names, `EXECUTION` keys and quality limits.

    A limit that changes which records there are changes the data's hash. `SPREAD` keys say how a global batch is
    spread; its size is in the identity of a checkpoint.
    """
    content = config.model_dump(mode="json", exclude={"encoder": True, "preprocess": {"quality"}})
    if config.config.pretrain is not None:
        content["config"]["pretrain"] = decisive(config.config.pretrain)
        if config.sha256 is not None:  # which tells the weights that it begins with; where they lie is no matter
            del content["config"]["path"]
    return sha256_json(content)


def decisive(config: PretrainConfig) -> dict[str, Any]:
    """The section as JSON has it, without `EXECUTION` and `SPREAD` keys: equal trainings have equal ones."""
    return config.model_dump(mode="json", exclude=set(PretrainConfig.EXECUTION | PretrainConfig.SPREAD))


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
    keep_every : int
        Checkpoints at its multiples are kept besides; 0: none.
    pairs_per_update : int
        Batch size over all processes and forwards; another one is another training.
    schedule_steps : int, optional
        Updates in all, where the learning rate depends on them: then more of them are another training, too.
    """

    def __init__(
        self, folder: str | Path, *, config_hash: str, data_hash: str, keep_last: int, keep_every: int = 0,
        pairs_per_update: int = 0, schedule_steps: int | None = None,
    ) -> None:  # fmt: skip
        self.folder = Path(folder)
        self.identity: dict[str, Any] = {
            "config_hash": config_hash,
            "data_hash": data_hash,
            "pairs_per_update": pairs_per_update,
        }
        if schedule_steps is not None:
            self.identity["schedule_steps"] = schedule_steps
        self.keep_last, self.keep_every = keep_last, keep_every

    def path(self, step: int) -> Path:
        """Folder of the checkpoint after update number `step`."""
        return self.folder / f"step-{step:08d}"

    def steps(self) -> list[int]:
        """Steps of all checkpoints, whole or not, ascending."""
        return sorted(int(path.name[5:]) for path in self.folder.glob("step-*") if path.name[5:].isdigit())

    def open_run(self, total: int | None = None) -> dict[str, Any]:
        """Make the folder this training's; one that is another's is set aside first. Rank 0 only.

        Parameters
        ----------
        total : int, optional
            Steps asked for: a folder that is beyond them is another training's, too.

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
        # What file systems and file managers leave (.nfs…, .DS_Store) is not of the checkpoint, and never opened.
        if unlisted := sorted(name for name in set(found) - set(manifest["files"]) if Path(name).name[0] != "."):
            return f"{unlisted[0]} is not in its manifest"
        for name, expected in manifest["files"].items():
            if name not in found:
                return f"{name} is missing"
            if found[name].is_symlink() or found[name].stat().st_size != expected["size"]:
                return f"{name} has {found[name].stat().st_size} bytes instead of {expected['size']}"
            if sha256_file(found[name]) != expected["sha256"]:
                return f"{name} does not have the SHA-256 of its manifest"
        return None

    def unfinished(self, step: int) -> Path:
        """Folder of a checkpoint that is being written."""
        return self.folder / f"{_UNFINISHED}{step:08d}"

    def complete(self, step: int, state: str, notes: list[dict[str, Any]]) -> None:
        """Make a checkpoint of what all ranks have written to `unfinished`; then drop the oldest. Rank 0 only.

        Parameters
        ----------
        step : int
        state : str
            JSON of what is no tensor.
        notes : list of dict
            `size` and `sha256` of each rank's file.

        Raises
        ------
        UserError
            As `give_up`.
        """
        unfinished = self.unfinished(step)
        try:
            files = {file_of(rank): note for rank, note in enumerate(notes)}
            write_text(unfinished / _STATE, state)
            size = (unfinished / _STATE).stat().st_size
            files[_STATE] = {"size": size, "sha256": sha256_file(unfinished / _STATE)}
            manifest = {"step": step, "world_size": len(notes), "files": files} | self.identity
            write_json(unfinished / "manifest.json", manifest)
            _sync(unfinished)
            _remove(self.path(step))  # one that was skipped as damaged
            unfinished.rename(self.path(step))
            _sync(self.folder)
        except OSError as error:
            self.give_up(step, error)
        self._prune(step)

    def give_up(self, step: int, error: object) -> NoReturn:
        """Remove what was written of a checkpoint, and say why it will not be. Rank 0 only."""
        _remove(self.unfinished(step))
        left = [other for other in self.steps() if other < step]
        before = f"{self.path(left[-1]).name} is as it was" if left else "there is none before it"
        raise UserError(
            f"{self.path(step)}: the checkpoint was not written ({error}), {before}; mend that and run again"
        )

    def load(self, step: int) -> tuple[Pieces, dict[str, Any]]:
        """Open a checkpoint that `newest` found whole.

        Returns
        -------
        pieces : Pieces
        state : dict
            As `save` was given it.
        """
        folder = self.path(step)
        return Pieces(sorted(folder.glob("rank-*.safetensors"))), read_json(folder / _STATE)

    def remove(self) -> None:
        """Remove the folder, and those of other settings that were set aside. Rank 0 only."""
        for path in (self.folder, *self.folder.parent.glob(f"{self.folder.name}.set-aside-*")):
            shutil.rmtree(path)

    def _prune(self, newest: int) -> None:
        """Drop checkpoints that need not be kept."""
        if not self.keep_last:
            return
        for step in [step for step in self.steps() if step <= newest][: -self.keep_last]:
            if not (self.keep_every and step % self.keep_every == 0):
                _remove(self.path(step))

    def _foreign(self, total: int | None) -> str | None:
        """Why this folder is not this training's; None where it is."""
        notes = [self.folder / "run.json", *(self.path(step) / "manifest.json" for step in self.steps())]
        for path in notes:
            note = _read_mapping(path) or {}
            for key, value in self.identity.items():
                if note.get(key, value) != value:
                    return f"holds the state of another training ({key.replace('_hash', '')} has changed)"
        beyond = [step for step in self.steps() if total is not None and step > total]
        return f"holds step {beyond[0]}, beyond the {total} asked for" if beyond else None


def _read_mapping(path: Path) -> dict[str, Any] | None:
    """Content of a JSON mapping; None where there is none to be read."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def file_of(rank: int) -> str:
    """Name of what a rank has written."""
    return f"rank-{rank:05d}.safetensors"


def _remove(path: Path) -> None:
    """Remove a folder where it exists."""
    if path.exists():
        shutil.rmtree(path)


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
