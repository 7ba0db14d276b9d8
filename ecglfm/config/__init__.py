"""The typed configuration: every key a user may write, with its unit, default and meaning.

One class per section. `config/schema.json` and `docs/config/` are generated from these classes
(`python -m ecglfm config`), never by hand. Change a key here, regenerate, and a test keeps them equal.
"""

from __future__ import annotations

from ecglfm.config.analyses import ConfoundersConfig, LeadSetsConfig, SerialConfig
from ecglfm.config.architecture import (
    ConformerConfig,
    ConvnetConfig,
    ModelConfig,
    Net1dConfig,
    ResnetConfig,
    S4Config,
    StatisticsConfig,
    VitConfig,
    Wav2Vec2Config,
    parse_model,
)
from ecglfm.config.augmentation import AugmentConfig
from ecglfm.config.base import Name, Section, UserError, load, parse, read_yaml
from ecglfm.config.definitions import DefineConfig
from ecglfm.config.discovery import (
    BiomarkersConfig,
    DiscoverConfig,
    FeaturesConfig,
    FeaturesSlice,
    GenotypesConfig,
    InterpretationConfig,
    PeopleConfig,
    PeopleSlice,
    SimulationSlice,
    SurvivalConfig,
)
from ecglfm.config.encoder import BASELINES, EncoderConfig
from ecglfm.config.encoder_kind import Architecture, AttentionConfig, ContextConfig, FrontEndConfig
from ecglfm.config.evaluation import EvaluateConfig, TransportConfig
from ecglfm.config.finetuning import FinetuneConfig, LoraConfig
from ecglfm.config.input import InputConfig, check_input
from ecglfm.config.label_file import LabelFile
from ecglfm.config.leaderboard import LeaderboardConfig, LeaderboardSlice
from ecglfm.config.manifest import FoldsConfig, FractionsConfig, ManifestConfig
from ecglfm.config.objective import (
    CmscConfig,
    ContrastiveConfig,
    CpcConfig,
    DiversityConfig,
    FeaturePenaltyConfig,
    HiddenConfig,
    JepaConfig,
    MaeConfig,
    MaskConfig,
    MaskedCodesConfig,
    MlmConfig,
    ObjectiveConfig,
    PredictorConfig,
    QuantizerConfig,
    ReportAlignmentConfig,
    StatisticsObjectiveConfig,
)
from ecglfm.config.objective_kind import ObjectiveKind
from ecglfm.config.project import CardConfig, ProjectConfig, TrackingConfig
from ecglfm.config.schedule import CheckpointEvery, ScheduleConfig
from ecglfm.config.signals import (
    LEADS,
    BandpassConfig,
    NotchConfig,
    PreprocessConfig,
    QualityConfig,
    QualityTest,
    RangeTest,
)
from ecglfm.config.slice_keys import (
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
from ecglfm.config.slices import Project
from ecglfm.config.sources import DownloadConfig, SourceConfig
from ecglfm.config.tasks import Selector, TaskConfig
from ecglfm.config.training import PretrainConfig
from ecglfm.config.verification import VerificationConfig

__all__ = [
    "BASELINES",
    "LEADS",
    "Architecture",
    "AttentionConfig",
    "AugmentConfig",
    "BandpassConfig",
    "BiomarkersConfig",
    "CardConfig",
    "CardSlice",
    "CheckpointEvery",
    "CmscConfig",
    "ConformerConfig",
    "ConfoundersConfig",
    "ContextConfig",
    "ContrastiveConfig",
    "ConvnetConfig",
    "CpcConfig",
    "DefineConfig",
    "DiscoverConfig",
    "DiversityConfig",
    "DownloadConfig",
    "DownloadSlice",
    "EncoderConfig",
    "EncoderSlice",
    "EvaluateConfig",
    "EvaluateSlice",
    "FeaturePenaltyConfig",
    "FeaturesConfig",
    "FeaturesSlice",
    "FinetuneConfig",
    "FinetuneSlice",
    "FoldsConfig",
    "FractionsConfig",
    "FrontEndConfig",
    "GenotypesConfig",
    "HiddenConfig",
    "InputConfig",
    "InterpretationConfig",
    "JepaConfig",
    "LabelFile",
    "LeadSetsConfig",
    "LeaderboardConfig",
    "LeaderboardSlice",
    "LoraConfig",
    "MaeConfig",
    "ManifestConfig",
    "ManifestSlice",
    "MaskConfig",
    "MaskedCodesConfig",
    "MlmConfig",
    "ModelConfig",
    "Name",
    "Net1dConfig",
    "NotchConfig",
    "ObjectiveConfig",
    "ObjectiveKind",
    "PeopleConfig",
    "PeopleSlice",
    "PredictorConfig",
    "PreprocessConfig",
    "PretrainConfig",
    "Project",
    "ProjectConfig",
    "PromptsSlice",
    "QualityConfig",
    "QualityTest",
    "QuantizerConfig",
    "RangeTest",
    "ReportAlignmentConfig",
    "ResnetConfig",
    "S4Config",
    "ScheduleConfig",
    "Section",
    "Selector",
    "SerialConfig",
    "SerialSlice",
    "SimulationSlice",
    "SourceConfig",
    "SourceSlice",
    "StatisticsConfig",
    "StatisticsObjectiveConfig",
    "SurvivalConfig",
    "TaskConfig",
    "TaskSlice",
    "TrackingConfig",
    "TrackingSlice",
    "TransportConfig",
    "TransportSlice",
    "UserError",
    "VerificationConfig",
    "VerifySlice",
    "VitConfig",
    "Wav2Vec2Config",
    "check_input",
    "load",
    "parse",
    "parse_model",
    "read_yaml",
]
