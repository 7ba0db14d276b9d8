"""A project as a whole: config.yaml and all that it chooses by name, checked, and what each of its jobs is told."""

from __future__ import annotations

from ecglfm.config.project.definitions import DefineConfig
from ecglfm.config.project.label_sources import check_label_sources
from ecglfm.config.project.project import CardConfig, ProjectConfig, TrackingConfig
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
from ecglfm.config.project.slices import Project
from ecglfm.config.project.zero_shot import ALIGNMENT

__all__ = [
    "ALIGNMENT",
    "CardConfig",
    "CardSlice",
    "DefineConfig",
    "DownloadSlice",
    "EncoderSlice",
    "EvaluateSlice",
    "FinetuneSlice",
    "ManifestSlice",
    "Project",
    "ProjectConfig",
    "PromptsSlice",
    "SerialSlice",
    "SourceSlice",
    "TaskSlice",
    "TrackingConfig",
    "TrackingSlice",
    "TransportSlice",
    "VerifySlice",
    "check_label_sources",
]
