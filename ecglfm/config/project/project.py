"""`config/config.yaml`: what a user chooses to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from ecglfm.config.analyses import ConfoundersConfig, LeadSetsConfig, SerialConfig
from ecglfm.config.base import Name, Section
from ecglfm.config.discovery import DiscoverConfig
from ecglfm.config.evaluation import EvaluateConfig, TransportConfig
from ecglfm.config.finetuning import FinetuneConfig
from ecglfm.config.leaderboard import LeaderboardConfig
from ecglfm.config.manifest import ManifestConfig
from ecglfm.config.project.definitions import DefineConfig
from ecglfm.config.signals import PreprocessConfig
from ecglfm.config.text import at_home
from ecglfm.config.version import newer


class TrackingConfig(Section):
    """MLflow."""

    uri: str | None = Field(None, description="tracking URI; null: sqlite:///<results>/mlflow.db")
    enabled: bool = Field(True, description="false: write history.csv only")
    project: Name | None = Field(
        None,
        description="where several projects share a server: experiments are PROJECT/pretrain and so on; null: pretrain",
    )


class CardConfig(Section):
    """Cards of models: what their makers mean them for, and mean beats of hits, false alarms and misses."""

    records: int = Field(
        0,
        ge=0,
        description="test records of each group of a label, drawn blindly; 0: no mean beats, and no time for them",
    )
    labels: int = Field(4, ge=1, description="labels that have them, those with most positive test records")
    intended_use: str | None = Field(
        None,
        min_length=1,
        description="for whom and for what models are meant; null: the card says that nobody has said",
    )
    out_of_scope: str | None = Field(
        None, min_length=1, description="what they are not to be used for, beside what the card says of itself"
    )


class ProjectConfig(Section):
    """`config/config.yaml`: what to run. It chooses sources, encoders and tasks by file name."""

    version: int = Field(
        1,
        ge=1,
        description="of the names of keys, for `ecglfm config migrate`; 1: from before it was said",
    )
    results: str = Field("results", description="folder of every output")
    sources: list[Name] = Field(min_length=1, description="stems of config/sources/*.yaml, or names under `define`")
    encoders: list[Name] = Field(description="likewise of config/encoders/*.yaml; [] for the data alone")
    tasks: list[Name] = Field(description="likewise of config/tasks/*.yaml; [] for none")
    roots: dict[str, str] = Field({}, description="source: folder, instead of the `root` in its YAML")
    preprocess: PreprocessConfig = Field(PreprocessConfig(), description="signals")
    manifest: ManifestConfig = Field(ManifestConfig(), description="splits")
    finetune: FinetuneConfig = Field(FinetuneConfig(), description="fine-tuning")
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="evaluation")
    model: str | None = Field(
        None,
        description="`snakemake evaluate_on`: folder of a finished model, to be measured on this project's records",
    )
    transport: TransportConfig = Field(TransportConfig(), description="`evaluate_on`: what it looks at")
    card: CardConfig = Field(CardConfig(), description="cards of models")
    confounders: ConfoundersConfig = Field(
        ConfoundersConfig(), description="what encoders and models know of device, site, year and noise"
    )
    lead_sets: LeadSetsConfig = Field(LeadSetsConfig(), description="models at fewer leads")
    leaderboard: LeaderboardConfig = Field(LeaderboardConfig(), description="all encoders on one page")
    serial: SerialConfig = Field(SerialConfig(), description="several recordings of the same people")
    discover: DiscoverConfig = Field(DiscoverConfig(), description="from an encoder's vectors to genes")
    tracking: TrackingConfig = Field(TrackingConfig(), description="MLflow")
    define: DefineConfig = Field(
        DefineConfig(), description="sources, encoders and tasks that are described here instead of in files"
    )

    @model_validator(mode="before")
    @classmethod
    def _is_not_newer(cls, content: Any) -> Any:
        """Before its keys are looked at, of which some may be unknown here."""
        if isinstance(content, dict) and (said := newer(content)):
            raise ValueError(said)
        return content

    _home = field_validator("model")(at_home)

    @field_validator("roots")
    @classmethod
    def _roots_at_home(cls, roots: dict[str, str]) -> dict[str, str]:
        return {source: at_home(root) or "" for source, root in roots.items()}

    @field_validator("results")
    @classmethod
    def _one_spelling(cls, value: str) -> str:
        if wrong := sorted({letter for letter in value if letter in "{}<>*\n" or not letter.isprintable()}):
            raise ValueError(
                f"{wrong[0]!r} in the folder's name means something else to Snakemake; choose another name"
            )
        return str(Path(value).expanduser())  # `results/` and `./results` are `results`

    @model_validator(mode="after")
    def _names_are_unique(self) -> ProjectConfig:
        for key in ("sources", "encoders", "tasks"):
            names = getattr(self, key)
            if len(names) != len(set(names)):
                raise ValueError(f"`{key}` names one twice: {names}; name each once")
        by_source = {
            "roots": list(self.roots),
            "manifest.folds": list(self.manifest.folds),
            "manifest.fractions": list(self.manifest.fractions),
            "transport.sources": self.transport.sources or [],
            "discover.features.sources": self.discover.features.sources or [],
        }
        for key, named in by_source.items():
            unknown = sorted(set(named) - set(self.sources))
            if unknown:
                raise ValueError(f"`{key}` names {unknown[0]!r}, which is not in sources {self.sources}")
        return self
