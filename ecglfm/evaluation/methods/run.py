"""A finished run as the methods section reads it: one file after the other, and which of them said what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ecglfm.config import (
    CardSlice,
    ManifestSlice,
    PreprocessConfig,
    SourceSlice,
    TaskSlice,
    UserError,
    load,
)
from ecglfm.config.base import Section
from ecglfm.evaluation.report import FittedModel, description_of, read_if_there
from ecglfm.provenance import read_json

SectionT = TypeVar("SectionT", bound=Section)


class Said(NamedTuple):
    """A sentence, the files of the results that it was read off, and what it is about.

    Attributes
    ----------
    text : str
    files : tuple of str
    about : str
        `{encoder}/{task}/{fit}` of a model, name of an encoder or task; empty: the sentence says it itself.
    """

    text: str
    files: tuple[str, ...]
    about: str = ""


@dataclass(frozen=True)
class Run:
    """Results of a finished run, and the models of it that are written about.

    Attributes
    ----------
    results : path
    fits : tuple of FittedModel
        In the order of their paths.
    """

    results: Path
    fits: tuple[FittedModel, ...]

    @property
    def encoders(self) -> list[str]:
        """Encoders of the models, each once."""
        return sorted({fit.encoder for fit in self.fits})

    @property
    def tasks(self) -> list[str]:
        """Tasks of the models, each once."""
        return sorted({fit.task for fit in self.fits})

    def json(self, file: str) -> dict[str, Any] | None:
        """A JSON file of the results, None where it does not exist."""
        return read_if_there(self.results / file, read_json)

    def slice(self, cls: type[SectionT], file: str) -> SectionT | None:
        """A slice of the config as its jobs were told last, None where it does not exist."""
        return load(cls, self.results / file) if (self.results / file).exists() else None

    @property
    def audit(self) -> dict[str, Any] | None:
        """`manifest/audit.json`."""
        return self.json("manifest/audit.json")

    @property
    def manifest(self) -> ManifestSlice | None:
        """`config/manifest.yaml`."""
        return self.slice(ManifestSlice, "config/manifest.yaml")

    @property
    def preprocess(self) -> PreprocessConfig | None:
        """`config/preprocess.yaml`."""
        return self.slice(PreprocessConfig, "config/preprocess.yaml")

    @property
    def card(self) -> CardSlice | None:
        """`config/card.yaml`."""
        return self.slice(CardSlice, "config/card.yaml")

    def source(self, name: str) -> SourceSlice | None:
        """`config/source/{name}.yaml`."""
        return self.slice(SourceSlice, f"config/source/{name}.yaml")

    def task(self, name: str) -> TaskSlice | None:
        """`config/labels/{name}.yaml`."""
        return self.slice(TaskSlice, f"config/labels/{name}.yaml")

    def models_of(self, task: str) -> list[tuple[str, dict[str, Any] | None]]:
        """`model.json` of each model of a task, of a cross-validation the first: its path, and what it holds."""
        files = [description_of(fit, self.metrics(fit)) for fit in self.fits if fit.task == task]
        return [(file, self.json(file)) for file in files]

    def metrics(self, fit: FittedModel) -> dict[str, Any]:
        """`metrics.json` of a model."""
        return self.json(f"evaluate/{fit.path}/metrics.json") or {}


def find_run(
    results: Path, *, encoders: Sequence[str] = (), tasks: Sequence[str] = (), fits: Sequence[str] = ()
) -> Run:
    """The evaluated models of a results folder, all of them or those that are named.

    Raises
    ------
    UserError
        There is no results folder, no model was evaluated, or none that is named so.
    """
    if not results.is_dir():
        raise UserError(f"--results {results}: no such folder")
    paths = sorted((results / "evaluate").glob("*/*/*/metrics.json"))
    found = [FittedModel(*path.parts[-4:-1]) for path in paths]
    if not found:
        raise UserError(f"{results}/evaluate: no model was evaluated; `snakemake evaluate_all` does so")
    chosen = found
    for option, wanted, place in (("--encoder", encoders, 0), ("--task", tasks, 1), ("--fit", fits, 2)):
        have = sorted({fit[place] for fit in found})
        if unknown := sorted(set(wanted) - set(have)):
            raise UserError(f"{option} {unknown[0]}: not among those evaluated: {', '.join(have)}")
        chosen = [fit for fit in chosen if not wanted or fit[place] in wanted]
        if not chosen:
            raise UserError(f"{option} {' '.join(wanted)}: evaluated, but not with the other options")
    return Run(results, tuple(chosen))
