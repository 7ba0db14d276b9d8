"""A project of which every file is read and checked, and what follows from all of them: fits, who trains on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecglfm.config.augmentation import check_augment
from ecglfm.config.base import UserError, parse
from ecglfm.config.encoders import (
    EncoderConfig,
    Stem,
    check_model,
    check_reads_same,
    check_whole,
    content_hash,
    read_description,
    remembered,
)
from ecglfm.config.finetuning import FinetuneConfig, check_kind
from ecglfm.config.fits import Fit, fold_fits, parse_fit
from ecglfm.config.input import InputConfig, check_input
from ecglfm.config.origin import Origin
from ecglfm.config.project.cross_validation import check_cross_validation, folds_of
from ecglfm.config.project.definitions import Definitions
from ecglfm.config.project.label_sources import check_label_sources
from ecglfm.config.project.project import ProjectConfig
from ecglfm.config.project.slice_keys import FinetuneSlice
from ecglfm.config.project.stratification import load_stratifying
from ecglfm.config.project.transport import find_model
from ecglfm.config.project.zero_shot import modes_of, unfitted
from ecglfm.config.sources import SourceConfig
from ecglfm.config.tasks import TaskConfig
from ecglfm.config.verification import VerificationConfig


class CheckedProject:
    """A checked project: `config.yaml` and every YAML that it chooses by name.

    Parameters
    ----------
    content : dict
        `config.yaml` as Snakemake merged it with recipes and `--config`.
    folder : path
        The folder that holds `sources/`, `encoders/`, `tasks/`.
    over : sequence of (str, mapping), optional
        What was merged over `config.yaml`, so that a mistake is named where it stands: see `Origin`.

    Raises
    ------
    UserError
        A line per mistake, naming file and key.
    """

    def __init__(
        self, content: dict[str, Any], folder: str | Path, *, over: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> None:
        self._origin = Origin(Path(folder) / "config.yaml", [layer for layer in over if layer[1]])
        self.config = config = parse(ProjectConfig, content, self._origin)
        self._known = remembered(config.results)
        self._definitions = Definitions(Path(folder), config.define, self._origin, self._known)
        where = self._definitions.where
        self.sources = {name: self._source(name) for name in config.sources}
        self.encoders = {name: self._definitions.encoder(name) for name in config.encoders}
        lent = {name: self._lent_input(name) for name in config.encoders}
        self.encoders |= {name: self._definitions.encoder(name, one) for name, one in lent.items() if one is not None}
        self.encoders = {name: config.leaderboard.given(name, one) for name, one in self.encoders.items()}
        tasks = {name: self._definitions.task(name) for name in config.tasks}
        self.tasks = {name: task for name, task in tasks.items() if isinstance(task, TaskConfig)}
        self.verifications = {name: task for name, task in tasks.items() if isinstance(task, VerificationConfig)}
        for name, encoder in self.encoders.items():
            if encoder.input is not None:
                check_input(encoder.input, config.preprocess, f"{where('encoders', name)}: input")
            if encoder.pretrain is not None:
                at = f"{where('encoders', name)}: pretrain.{'mixture' if encoder.pretrain.mixture else 'sources'}"
                self._check_sources(encoder.pretrain.named_sources, at, "encoders")
                at = f"{where('encoders', name)}: pretrain.augment"
                check_augment(encoder.pretrain.augment, config.preprocess, at, encoder.input)
            if encoder.import_path and Path(encoder.import_path, "encoder.json").exists():  # later is too late: hours
                at = f"{where('encoders', name)}: path"
                theirs = read_description(Path(encoder.import_path), "encoder", at)
                given = (theirs.preprocess, theirs.input, config.preprocess, encoder.input)
                check_reads_same(*given, f"{at}: {encoder.import_path}")
                check_model(theirs.model, encoder.model, f"{at}: {encoder.import_path}")
            if self.tasks and not self._modes(name):
                raise UserError(
                    f"{where('encoders', name)}: {unfitted(encoder)} {self.whose('finetune')} `finetune.modes`, beside"
                    " which its other fits stay"
                )
        for name, task in tasks.items():
            self._check_sources(task.sources, f"{where('tasks', name)}: sources", "tasks")
        for name, task in self.tasks.items():
            check_label_sources(task, self._kinds(name), where("tasks", name))
        for name, task in self.tasks.items() if not self.encoders else ():
            check_kind(config.finetune, task.kind, name)
        self.stratifying = load_stratifying(self._definitions, config.manifest.stratify, list(self.sources))
        self.finetunes = {
            (name, variant): self._finetune(name, where("encoders", name), variant)
            for name in self.encoders
            for variant in (None, *config.finetune.variants)
        }
        fitted = {task: self.task_sources(task) for task in self.tasks}
        check_cross_validation(config, fitted, self.encoders, self._definitions)
        self.model = find_model(config, self.tasks)
        self.imported = self._imported()

    def _imported(self) -> dict[tuple[str, Stem], str | None]:
        """SHA-256 of each folder that was made elsewhere; of one of ours Snakemake knows what it is."""
        folders: list[tuple[str, Stem]] = []
        for name, encoder in self.encoders.items():
            if encoder.import_path is None:
                continue
            if (maker := self.maker(encoder.import_path)) == name:
                raise UserError(
                    f"{self._definitions.where('encoders', name)}: path: {encoder.import_path} is where it will lie"
                    " itself; name the folder of another"
                )
            if maker is None:
                folders.append((encoder.import_path, "encoder"))
        folders += [(self.model.folder, "model")] if self.model else []
        hashes = {(folder, stem): content_hash(Path(folder), stem, self._known) for folder, stem in folders}
        for name, encoder in self.encoders.items():
            if encoder.pretrain and hashes.get((encoder.import_path or "", "encoder"), "") is None:
                check_whole(Path(encoder.import_path or ""), f"{self._definitions.where('encoders', name)}: path")
        return hashes

    def maker(self, folder: str) -> str | None:
        """Name of the encoder of this project that a folder, however spelled, is or will be; None: made elsewhere."""
        folders = {Path(self.config.results, "pretrain", name).resolve(): name for name in self.encoders}
        return folders.get(Path(folder).resolve())

    def _lent_input(self, name: str) -> InputConfig | None:
        """Contract of the encoder of this project that an imported one, which says none, begins with."""
        passed, own = {name}, self.encoders[name]
        while own.input is None and own.import_path and (maker := self.maker(own.import_path)) not in {None, *passed}:
            passed.add(maker or "")
            own = self.encoders[maker or ""]
        return None if own is self.encoders[name] else own.input

    def _source(self, name: str) -> SourceConfig:
        path, source = self._definitions.where("sources", name), self._definitions.source(name)
        root = self.config.roots.get(name, source.root)
        if source.kind == "synthetic":
            if root:
                raise UserError(
                    f"{path}: a synthetic source is written below `results` and takes no root, found {root!r}"
                )
            root = f"{self.config.results}/synthetic/{name}"
        self._check_patients(name, source)
        return source.model_copy(update={"root": root})

    def _check_patients(self, name: str, source: SourceConfig) -> None:
        """Raise where the source whose patients a source has is itself, is not there, or takes ids otherwise."""
        of = source.patient_id.of
        if of is None:
            return
        other, at = self._definitions.source(of), f"{self._definitions.where('sources', name)}: patient_id.of: {of}"
        if of == name or other.patient_id.of is not None:
            raise UserError(f"{at}: name another source, one whose patients are its own")
        if other.patient_id.normalise != source.patient_id.normalise:
            raise UserError(
                f"{at}: `patient_id.normalise` is {source.patient_id.normalise} here and {other.patient_id.normalise}"
                " there; one person would have two ids: write the same in both"
            )

    def _finetune(self, encoder: str, path: str, variant: str | None) -> FinetuneConfig:
        """Config.yaml's `finetune` with keys of the encoder and of the variant over it, checked against every task."""
        own = self.encoders[encoder].finetune
        where = dict.fromkeys(own, path)
        over = {} if variant is None else self.config.finetune.variants[variant]
        if variant is not None:
            path = f"{self._origin.of('finetune', 'variants', variant)}: finetune.variants.{variant}"
            where |= dict.fromkeys(over, path)
        merged = parse(FinetuneSlice, {"finetune": self.config.finetune.model_dump() | own | over}, path).finetune
        for name, task in self.tasks.items():
            check_kind(merged, task.kind, name, where)
        at = f"{where['augment']}: finetune.augment" if "augment" in where else "finetune.augment"
        check_augment(merged.augment, self.config.preprocess, at, self.encoders[encoder].input)
        return merged

    def _check_sources(self, named: list[str] | None, where: str, chosen: str) -> None:
        unknown = sorted(set(named or []) - set(self.sources))
        if unknown:
            raise UserError(
                f"{where}: {unknown[0]!r} is not in {self.whose('sources')} sources: {', '.join(self.sources)};"
                f" add it there, choose others in {self.whose(chosen)} `{chosen}` ([] for none), or mend that file"
            )

    def whose(self, key: str) -> str:
        """What a key was given by, as a possessive: `config.yaml's`, `--config's`."""
        name = self._origin.of(key)
        return "config.yaml's" if name == str(self._origin.file) else f"{name}'s"

    @property
    def fits(self) -> list[str]:
        """Names of the fits: mode, seed, share of the training patients, variant: `full-s0`, `full-s0-10pct-lr3`."""
        finetune = self.config.finetune
        return self._fits(finetune.seeds, finetune.fractions, (None, *finetune.variants))

    @property
    def efficiency_fits(self) -> list[str]:
        """Names of the fits of the target `label_efficiency`."""
        efficiency = self.config.finetune.label_efficiency
        return self._fits(efficiency.seeds, efficiency.fractions)

    def _modes(self, encoder: str) -> list[str]:
        """Modes of `finetune.modes` that there are for an encoder, in the order of its kind."""
        modes = modes_of(self.encoders[encoder], self._lender(encoder))
        return [mode for mode in modes if mode in self.config.finetune.modes]

    def _lender(self, name: str) -> EncoderConfig:
        """The encoder of this project that an imported one is a copy of, at however many hands; else itself."""
        passed = {name}
        while (own := self.encoders[name]).import_path and own.pretrain is None:
            maker = self.maker(own.import_path)
            if maker is None or maker in passed:
                break
            passed.add(name := maker)
        return own

    def has_fit(self, encoder: str, fit: str) -> bool:
        """Whether an encoder has weights to train in the mode of a fit."""
        return parse_fit(fit).mode in self._modes(encoder)

    def fit_beside(self, encoder: str, fit: str) -> str:
        """The fit of an encoder that stands beside one of others: of the same mode, or of one that it has."""
        return fit if self.has_fit(encoder, fit) else parse_fit(fit)._replace(mode=self._modes(encoder)[0]).name

    def _fits(self, seeds: list[int], fractions: list[float], variants: Sequence[str | None] = (None,)) -> list[str]:
        return [
            Fit(mode, seed, part, variant=variant).name
            for mode in self.config.finetune.modes
            for seed in seeds
            for part in fractions
            for variant in variants
        ]

    def cross_validated(self, task: str) -> int | None:
        """Number of folds of a task; None: it has the splits train, valid and test."""
        return folds_of(self.config, self.task_sources(task))

    def models(self, task: str, fit: str) -> list[str]:
        """Names of the models that are evaluated together as one fit of a task: itself, or one of each fold."""
        folds = self.cross_validated(task)
        return [fit] if folds is None else fold_fits(fit, folds)

    def task_sources(self, task: str) -> list[str]:
        """Sources of a task, in the project's order."""
        named = (self.tasks | self.verifications)[task].sources
        return [name for name in self.sources if named is None or name in named]

    def _kinds(self, task: str) -> dict[str, str]:
        """Kinds whose selectors apply to the sources of a task."""
        return {name: self.sources[name].native_kind for name in self.task_sources(task)}

    def pretrain_sources(self, encoder: str) -> list[str]:
        """Sources of an encoder's `pretrain` section, in the project's order; none without that section.

        Those that are cross-validated are left out: an encoder that has seen a patient is no test on them.
        """
        pretrain = self.encoders[encoder].pretrain
        if pretrain is None:
            return []
        free = [name for name in self.sources if name not in self.config.manifest.cross_validated]
        named = pretrain.named_sources
        return [name for name in free if named is None or name in named]
