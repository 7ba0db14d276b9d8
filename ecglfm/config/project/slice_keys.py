"""The keys of each slice: what the jobs of a stage are told, and which file below `<results>/config` says it.

`slices.py` fills them in.
"""

from __future__ import annotations

import re

from pydantic import Field

from ecglfm.config.base import Section
from ecglfm.config.encoders import EncoderConfig
from ecglfm.config.evaluation import EvaluateConfig, TransportConfig
from ecglfm.config.finetuning import FinetuneConfig
from ecglfm.config.input import InputConfig
from ecglfm.config.manifest import ManifestConfig
from ecglfm.config.project.project import CardConfig
from ecglfm.config.signals import PreprocessConfig
from ecglfm.config.sources import SourceConfig
from ecglfm.config.tasks import TaskConfig
from ecglfm.config.verification import VerificationConfig


class SourceSlice(Section):
    """`config/source/{source}.yaml`, for index and ingest."""

    source: str = Field(description="name of the source")
    config: SourceConfig = Field(description="its YAML, with the root resolved")
    patients_of: str = Field("ptbxl", description="source whose patients those of the table `patients` are")


class DownloadSlice(Section):
    """`config/download/{source}.yaml`: what `download` fetches; a change of it reruns nothing."""

    source: str = Field(description="name of the source")
    root: str = Field(description="folder to fill")
    url: str | None = Field(
        description="a folder with SHA256SUMS.txt, or what Zenodo's or figshare's API lists; null: fetched from nowhere"
    )
    only: list[str] = Field([], description="patterns of paths; empty: every file")
    tables: tuple[str, ...] = Field((), description="files that are fetched whatever the patterns")
    page: str | None = Field(None, description="where people get it, or apply for access")
    credentialed: bool = Field(False, description="access is applied for there")


class ManifestSlice(Section):
    """`config/manifest.yaml`."""

    LATER = frozenset({"holds"})

    sources: list[str] = Field(description="sources of the project")
    manifest: ManifestConfig = Field(description="the section")
    shards: dict[str, int] = Field(
        {}, description="source: number of shards; files of an earlier, larger number are passed over"
    )
    tasks: dict[str, TaskConfig] = Field({}, description="those of `stratify`, with the sources filled in")
    kinds: dict[str, str] = Field({}, description="with `tasks`, source: kind whose selectors apply")
    holds: dict[str, list[str]] = Field({}, description="source: published databases that it says its files come from")


class TaskSlice(Section):
    """`config/labels/{task}.yaml`."""

    task: str = Field(description="name of the task")
    config: TaskConfig = Field(description="its YAML, with the sources filled in")
    kinds: dict[str, str] = Field(description="source: kind whose selectors apply")
    fitted: bool = Field(False, description="encoders are fitted to it: then no split may be empty")


class PromptsSlice(Section):
    """`config/prompts/{task}.yaml`, where `finetune.modes` has zero_shot."""

    task: str = Field(description="name of the task")
    prompts: dict[str, list[str]] = Field(description="label: sentences that say it")

    @classmethod
    def of(cls, task: str, config: TaskConfig) -> PromptsSlice:
        """What a task has for every label: its `prompts`, and the name of one that has none."""
        said = {label: config.prompts.get(label, [re.sub(r"[_-]+", " ", label)]) for label in config.labels}
        return cls(task=task, prompts=said)


class EncoderSlice(Section):
    """`config/pretrain/{encoder}.yaml`."""

    LATER = frozenset({"sha256"})

    encoder: str = Field(description="name of the encoder")
    config: EncoderConfig = Field(description="its YAML, with the sources filled in")
    preprocess: PreprocessConfig = Field(description="how the signals it reads are made")
    sha256: str | None = Field(None, description="of the folder that `weights: import` takes")

    @property
    def input(self) -> InputConfig | None:
        """How what it reads is made of prepared signals; None: it reads these."""
        return self.config.input

    @property
    def leads(self) -> list[str]:
        """Of what it reads, in their order."""
        return (self.input or self.preprocess).leads

    @property
    def sampling_rate(self) -> int:
        """Of what it reads, Hz."""
        return (self.input or self.preprocess).sampling_rate


class FinetuneSlice(Section):
    """`config/finetune/{encoder}.yaml` or `…/{encoder}/{variant}.yaml`: the section, as they have it."""

    finetune: FinetuneConfig = Field(
        description="config.yaml's section, with the keys of encoder and variant over it, without what `--fit` names"
    )


class EvaluateSlice(Section):
    """`config/evaluate.yaml`."""

    evaluate: EvaluateConfig = Field(description="the section")
    tested_only: list[str] = Field([], description="sources that are evaluated by themselves")


class TransportSlice(Section):
    """`config/transport.yaml`, where the config names a `model`."""

    model: str = Field(description="folder of the finished model")
    sha256: str | None = Field(description="of that folder")
    transport: TransportConfig = Field(description="the section")
    evaluate: EvaluateConfig = Field(description="the section")
    finetune: FinetuneConfig = Field(description="the section as far as it says how thresholds are chosen")


class CardSlice(Section):
    """`config/card.yaml`: what cards say beside what the run found."""

    LATER = frozenset({"encoder_licences"})

    card: CardConfig = Field(CardConfig(), description="the section")
    licences: dict[str, str | None] = Field({}, description="source: what may be done with its recordings")
    pretrained_on: dict[str, list[str]] = Field(
        {}, description="imported encoder: published databases that it says it was pretrained on"
    )
    encoder_licences: dict[str, str] = Field({}, description="encoder: what may be done with its weights")


class VerifySlice(Section):
    """`config/verify/{task}.yaml`."""

    task: str = Field(description="name of the task")
    config: VerificationConfig = Field(description="its YAML, with the sources filled in")
    bootstrap: int = Field(description="resamples of patients behind each interval")
    confidence: float = Field(description="coverage of the intervals")
    seed: int = Field(description="seed of the resampling and of every drawing")
    min_patients: int = Field(description="patients with several recordings that an interval needs")


class SerialSlice(Section):
    """`config/serial.yaml`."""

    sources: list[str] = Field(description="sources of the project")
    gaps: list[float] = Field(description="ends of the bins of time between two recordings (days)")
    time: dict[str, str] = Field(description="source: column of its table that says when a recording was made")
    bootstrap: int = Field(description="resamples of patients behind each interval")
    confidence: float = Field(description="coverage of the intervals")
    seed: int = Field(description="seed of the resampling")
    min_patients: int = Field(description="patients with several recordings that an interval needs")


class TrackingSlice(Section):
    """`config/tracking.yaml`: where metrics go; a change of it reruns nothing."""

    uri: str = Field(description="MLflow tracking URI")
    artifacts: str = Field(description="folder of artifacts, used when the URI is not a server's")
    enabled: bool = Field(description="false: history.csv only")
    project: str | None = Field(None, description="what experiments begin with, and a tag; None: the working folder")

    @property
    def has_password(self) -> bool:
        """Whether the URI tells more than everybody should know: `//user:password@host`."""
        return re.search(r"//[^/@\s]*@", self.uri) is not None
