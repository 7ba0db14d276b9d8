"""A checked project, and what each of its jobs is told: the slice that its stage depends on, and nothing more.

The workflow writes each slice to `<results>/config/…yaml`; that file is the only config the command
line reads. A key that is not in a stage's slice cannot rerun that stage.
"""

from __future__ import annotations

import yaml

from ecglfm.config.base import Section
from ecglfm.config.discovery import discover_slices
from ecglfm.config.finetuning import FinetuneConfig
from ecglfm.config.leaderboard import LeaderboardSlice
from ecglfm.config.project.checked_project import CheckedProject
from ecglfm.config.project.slice_keys import (
    CardSlice,
    DownloadSlice,
    EncoderSlice,
    EvaluateSlice,
    FinetuneSlice,
    ManifestSlice,
    PromptsSlice,
    SerialSlice,
    SourceSlice,
    TaskSlice,
    TrackingSlice,
    TransportSlice,
    VerifySlice,
)
from ecglfm.config.project.transport import FinishedModel
from ecglfm.config.source_kinds import KINDS
from ecglfm.config.sources import DownloadConfig


class Project(CheckedProject):
    """A checked project, and the slices that are its jobs' configs.

    Parameters are those of `CheckedProject`.
    """

    def source_slice(self, source: str) -> SourceSlice:
        """Slice for index and ingest; the number of shards is the jobs' own argument."""
        update = {"shards": 1, "download": DownloadConfig()}
        config = self.sources[source].model_copy(update=update)
        if not isinstance(config.patients, str):
            return SourceSlice(source=source, config=config)
        of = next((name for name, other in self.sources.items() if other.kind == "ptbxl"), "ptbxl")
        return SourceSlice(source=source, config=config, patients_of=of)

    def download_slice(self, source: str) -> DownloadSlice | None:
        """Slice for download; None for a source that nobody has but its owner."""
        config = self.sources[source]
        kind = KINDS.get(config.kind)
        page = kind.page if kind else None
        if config.download_url is None and page is None:
            return None
        return DownloadSlice(
            source=source,
            root=config.root or "",
            url=config.download_url,
            only=config.download_patterns,
            tables=config.tables,
            page=page,
            credentialed=kind is not None and kind.credentialed,
        )

    def manifest_slice(self) -> ManifestSlice:
        """Slice for manifest."""
        shards = {name: source.shards for name, source in self.sources.items()}
        tasks = self.stratifying
        kinds = {name: source.native_kind for name, source in self.sources.items() if tasks}
        manifest = self.config.manifest
        holds = {name: source.holds for name, source in self.sources.items() if source.holds}
        return ManifestSlice(
            sources=list(self.sources), manifest=manifest, shards=shards, tasks=tasks, kinds=kinds, holds=holds
        )

    def task_slice(self, task: str) -> TaskSlice:
        """Slice for labels."""
        kinds = self._kinds(task)
        config = self.tasks[task].model_copy(update={"sources": list(kinds)})
        return TaskSlice(task=task, config=config, kinds=kinds, fitted=bool(self.encoders))

    def encoder_slice(self, encoder: str) -> EncoderSlice:
        """Slice for pretrain."""
        config = self.encoders[encoder]
        if config.pretrain is not None:
            # Sorted: their order in config.yaml changes nothing, so it must not start a training anew.
            pretrain = config.pretrain.model_copy(update={"sources": sorted(self.pretrain_sources(encoder))})
            config = config.model_copy(update={"pretrain": pretrain})
        sha256 = self.imported.get((config.import_path, "encoder")) if config.import_path else None
        return EncoderSlice(encoder=encoder, config=config, preprocess=self.config.preprocess, sha256=sha256)

    def finetune_slice(self, encoder: str, variant: str | None = None) -> FinetuneSlice:
        """Slice for finetune, the same for every fit of an encoder in a variant."""
        named = {key: FinetuneConfig.model_fields[key].default for key in FinetuneConfig.NAMED}
        return FinetuneSlice(finetune=self.finetunes[encoder, variant].model_copy(update=named))

    def evaluate_slice(self) -> EvaluateSlice:
        """Slice for evaluate."""
        tested_only = sorted(filter(self.config.manifest.tested_only, self.sources))
        return EvaluateSlice(evaluate=self.config.evaluate, tested_only=tested_only)

    def transport_slice(self, model: FinishedModel) -> TransportSlice:
        """Slice for `evaluate_on`."""
        chosen = {key: value for key, value in self.config.finetune if key.startswith("threshold")}
        return TransportSlice(
            model=model.folder,
            sha256=self.imported[model.folder, "model"],
            transport=self.config.transport,
            evaluate=self.config.evaluate,
            finetune=FinetuneConfig().model_copy(update=chosen),
        )

    def verify_slice(self, task: str) -> VerifySlice:
        """Slice for verify."""
        config = self.verifications[task].model_copy(update={"sources": self.task_sources(task)})
        shared = self.config.evaluate.model_dump(include={"bootstrap", "confidence", "seed", "min_patients"})
        return VerifySlice(task=task, config=config, **shared)

    def serial_slice(self) -> SerialSlice:
        """Slice for serial."""
        chosen = self.config.serial
        time = {n: chosen.time[s.native_kind] for n, s in self.sources.items() if s.native_kind in chosen.time}
        shared = self.config.evaluate.model_dump(include={"bootstrap", "confidence", "seed", "min_patients"})
        return SerialSlice(sources=list(self.sources), gaps=chosen.gaps, time=time, **shared)

    def tracking_slice(self) -> TrackingSlice:
        """Where metrics go."""
        results = self.config.results
        uri = self.config.tracking.uri or f"sqlite:///{results}/mlflow.db"
        return TrackingSlice(
            uri=uri,
            artifacts=f"{results}/mlartifacts",
            enabled=self.config.tracking.enabled,
            project=self.config.tracking.project,
        )

    def slices(self) -> dict[str, str]:
        """Text of every slice, by its path under `<results>/config` without `.yaml`."""
        sections: dict[str, Section] = {
            "preprocess": self.config.preprocess,
            "manifest": self.manifest_slice(),
            "evaluate": self.evaluate_slice(),
            "card": CardSlice(
                card=self.config.card,
                licences={name: one.licence for name, one in self.sources.items()},
                pretrained_on={name: one.pretrained_on for name, one in self.encoders.items() if one.pretrained_on},
                encoder_licences={name: one.licence for name, one in self.encoders.items() if one.licence},
            ),
            "confounders": self.config.confounders,
            "lead_sets": self.config.lead_sets,
            "leaderboard": LeaderboardSlice(
                leaderboard=self.config.leaderboard, weights={name: one.weights for name, one in self.encoders.items()}
            ),
            "serial": self.serial_slice(),
            "tracking": self.tracking_slice(),
        }
        if self.model is not None:
            sections["transport"] = self.transport_slice(self.model)
        sections |= {f"source/{name}": self.source_slice(name) for name in self.sources}
        downloads = {name: self.download_slice(name) for name in self.sources}
        sections |= {f"download/{name}": slice_ for name, slice_ in downloads.items() if slice_ is not None}
        sections |= {f"labels/{name}": self.task_slice(name) for name in self.tasks}
        if "zero_shot" in self.config.finetune.modes:
            sections |= {f"prompts/{name}": PromptsSlice.of(name, task) for name, task in self.tasks.items()}
        sections |= {f"verify/{name}": self.verify_slice(name) for name in self.verifications}
        sections |= {f"pretrain/{name}": self.encoder_slice(name) for name in self.encoders}
        sections |= discover_slices(self.config.discover, self.sources, self.config.serial.time)
        sections |= {"/".join(filter(None, ("finetune", *one))): self.finetune_slice(*one) for one in self.finetunes}
        return {
            name: yaml.safe_dump(section.model_dump(mode="json"), sort_keys=True, allow_unicode=True).rstrip()
            for name, section in sections.items()
        }
