"""A task without labels: whether two recordings are of one person, judged by an encoder's vectors alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ecglfm.config.base import Name, Section, parse
from ecglfm.config.tasks import TaskConfig


class VerificationConfig(Section):
    """Pairs of test recordings, same person or not (`config/tasks/{task}.yaml` with `kind: verification`)."""

    kind: Literal["verification"] = Field(description="nothing is fine-tuned; the target `verify_all` measures it")
    description: str = Field("", description="one sentence for the report")
    sources: list[Name] | None = Field(
        None, min_length=1, description="sources to take records from; null: all of config.yaml"
    )
    center: Literal["auto", "always", "never"] = Field(
        "auto",
        description="subtract the mean vector of training records before angles are compared; auto: where it raises "
        "the AUROC on pairs of the validation split",
    )
    max_pairs: int = Field(
        1_000_000, ge=1, description="most pairs of each sort, same person or not; of more, so many are drawn by seed"
    )


def parse_task(content: dict[str, Any], where: str | Path, folder: Path) -> TaskConfig | VerificationConfig:
    """Validate a task that came from `where`, whose paths start in `folder`; raises `UserError` as `parse` does."""
    if content.get("kind") == "verification":
        return parse(VerificationConfig, content, where)
    return parse(TaskConfig, content, where).located(folder)
