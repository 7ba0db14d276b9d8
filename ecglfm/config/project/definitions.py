"""Where a source, an encoder or a task is described: in a file of its own, or under `define` in the config itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field

from ecglfm.config.base import Name, Section, UserError, parse, read_yaml
from ecglfm.config.encoders import EncoderConfig, read_description
from ecglfm.config.input import InputConfig
from ecglfm.config.origin import Origin
from ecglfm.config.sources import SourceConfig
from ecglfm.config.tasks import TaskConfig
from ecglfm.config.verification import VerificationConfig, parse_task


class DefineConfig(Section):
    """Sources, encoders and tasks in the config itself, so that one file is a whole project."""

    sources: dict[Name, dict[str, Any]] = Field(
        {}, description="name: what would stand in config/sources/NAME.yaml, which is then not read"
    )
    encoders: dict[Name, dict[str, Any]] = Field({}, description="name: likewise of config/encoders/NAME.yaml")
    tasks: dict[Name, dict[str, Any]] = Field(
        {}, description="name: likewise of config/tasks/NAME.yaml; paths of label files start in the working folder"
    )


class Definitions:
    """Reads what the names of a project stand for.

    Parameters
    ----------
    folder : path
        Holds `sources/`, `encoders/`, `tasks/`.
    define : DefineConfig
    origin : Origin
        Says in which file `define` stands.
    known : mapping, optional
        `remembered` of imported folders, which may have been put away since.
    """

    def __init__(
        self, folder: Path, define: DefineConfig, origin: Origin, known: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.folder, self._define, self._origin, self._known = folder, define, origin, known

    def where(self, kind: str, name: str) -> str:
        """What a message calls the description of a name in `sources`, `encoders` or `tasks`."""
        if name in getattr(self._define, kind):
            return f"{self._origin.of('define', kind, name)}: define.{kind}.{name}"
        return str(self.folder / kind / f"{name}.yaml")

    def source(self, name: str) -> SourceConfig:
        """A database; raises `UserError` as `load` does."""
        return parse(SourceConfig, self._content("sources", name), self.where("sources", name))

    def encoder(self, name: str, lent: InputConfig | None = None) -> EncoderConfig:
        """An encoder; one to be imported needs no `model` and no `input`, which its folder says; raises likewise.

        `lent` is the `input` of one that will lie in that folder.
        """
        content, where = self._content("encoders", name), self.where("encoders", name)
        if lent is not None:
            content = {"input": lent.model_dump(mode="json")} | content
        if content.get("weights") == "import":
            content = self._said_by_folder(content, where) | content
        return parse(EncoderConfig, content, where)

    def _said_by_folder(self, content: dict[str, Any], where: str) -> dict[str, Any]:
        """`model` and `input` of the folder that an encoder is imported from, or was; {} where it is not there yet."""
        path, is_told = content.get("path"), "model" in content
        if not path and not is_told:
            raise UserError(f"{where}: `weights: import` needs `path:`")
        if not path or (is_told and "input" in content):
            return {}
        said: dict[str, Any] | None = self._known.get(str(path), {}).get("said")
        if not Path(str(path), "encoder.json").exists() and (said or is_told):
            return said or {}
        description = read_description(Path(str(path)), "encoder", f"{where}: path")
        return description.model_dump(mode="json", include={"model", "input"})

    def task(self, name: str) -> TaskConfig | VerificationConfig:
        """A label set or a verification, paths of label files as the working folder sees them; raises likewise."""
        folder = Path() if name in self._define.tasks else self.folder
        return parse_task(self._content("tasks", name), self.where("tasks", name), folder)

    def _content(self, kind: str, name: str) -> dict[str, Any]:
        own: dict[str, dict[str, Any]] = getattr(self._define, kind)
        return own[name] if name in own else read_yaml(self.folder / kind / f"{name}.yaml", own)
