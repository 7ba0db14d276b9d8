"""What a user may say about an encoder: its architecture, and where its weights come from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ecglfm.config.base import Section, Seed
from ecglfm.config.databases import check_known
from ecglfm.config.encoders.architecture import ModelConfig
from ecglfm.config.encoders.training import PretrainConfig
from ecglfm.config.finetuning import FinetuneConfig
from ecglfm.config.input import InputConfig
from ecglfm.config.text import at_home

#: `weights` of encoders that stand beside others as controls, and what tables call those.
BASELINES = {"random": "random weights", "none": "signal statistics"}


class EncoderConfig(Section):
    """One encoder (`config/encoders/{encoder}.yaml`)."""

    # To editors it is optional: of an encoder to be imported, `Definitions` reads it from the folder.
    model_config = ConfigDict(json_schema_extra=lambda schema: schema["required"].remove("model"))
    LATER = frozenset({"input"})

    model: ModelConfig = Field(description="architecture; `import`: leave it out, the folder says it")
    weights: Literal["pretrain", "random", "import", "none"] = Field(
        "pretrain", description="where the weights come from; none: `kind: statistics`, which has none"
    )
    path: str | None = Field(
        None, description="`import` only: an encoder folder that `pretrain` or `import-checkpoint` wrote"
    )
    pretrain: PretrainConfig | None = Field(
        None, description="the training: of `pretrain`; of `import`, one that goes on with those weights"
    )
    input: InputConfig | None = Field(
        None,
        description="how what it reads is made of prepared signals; null: it reads these as they are; `import`: leave "
        "it out, the folder says it",
    )
    # As `finetune`, left out of every dump.
    pretrained_on: list[str] = Field(
        [],
        exclude=True,
        description="`import` only: published databases that its makers pretrained it on, e.g. [mimic_iv_ecg,"
        " challenge2021]: cards then name the tested sources that are known to overlap; names are in"
        " `ecglfm/config/databases.py`",
    )
    licence: str | None = Field(
        None,
        exclude=True,
        description="what may be done with the weights, as their makers say, e.g. CC BY-NC 4.0: cards and comparisons"
        " print it; `import` without it: what `import-checkpoint` wrote of it",
    )
    seed: Seed = Field(0, description="`random` only: seed of the weights")
    # Left out of every dump: no edit of it starts a pretraining anew.
    finetune: dict[str, Any] = Field(
        {},
        exclude=True,
        description="keys of config.yaml's `finetune` with values for this encoder alone, which win over those there; "
        "a section (`schedule`) as a whole",
    )

    @field_validator("pretrained_on")
    @classmethod
    def _pretrained_on_what_is_known(cls, names: list[str]) -> list[str]:
        check_known(names)
        return names

    @field_validator("finetune")
    @classmethod
    def _fits_are_the_project_s(cls, value: dict[str, Any]) -> dict[str, Any]:
        if named := sorted(FinetuneConfig.NAMED & set(value)):
            raise ValueError(f"{named[0]} says which fits there are, for every encoder: write it in config.yaml")
        return value

    _home = field_validator("path")(at_home)

    @property
    def import_path(self) -> str | None:
        """Folder of the encoder to import, None where nothing is imported."""
        return self.path if self.weights == "import" else None

    @model_validator(mode="after")
    def _input_fits(self) -> EncoderConfig:
        if self.input is None:
            return self
        seconds = self.input.window_seconds
        if self.pretrain is not None and self.pretrain.crop_seconds != seconds:
            raise ValueError(
                f"pretrain.crop_seconds is {self.pretrain.crop_seconds:g}, and input.window_seconds {seconds:g}: make"
                " them the same"
            )
        if not self.model.weighted and not self.input.millivolts:
            raise ValueError(f"`kind: {self.model.kind}` reads millivolts, and `input` makes {self.input.unit} of them")
        return self

    @model_validator(mode="after")
    def _weights_are_explained(self) -> EncoderConfig:
        said = f"`weights: {self.weights}`"
        if not self.model.weighted and self.weights in ("pretrain", "random"):
            raise ValueError(f"`kind: {self.model.kind}` has no weights: write `weights: none`")
        if self.model.weighted and self.weights == "none":
            raise ValueError(f"`kind: {self.model.kind}` has weights: write where they come from, or `weights: random`")
        if self.weights == "pretrain" and self.pretrain is None:
            raise ValueError("`weights: pretrain` needs a `pretrain:` section")
        if self.weights in ("random", "none") and self.pretrain is not None:
            raise ValueError(f"{said} trains nothing, and there is a `pretrain:` section: take one of them out")
        if self.pretrain is not None and not self.model.pretrainable:
            instead = "take `pretrain:` out" if self.weights == "import" else "write `weights: random`"
            raise ValueError(f"`kind: {self.model.kind}` is not pretrained: {instead}, and fine-tune in mode `full`")
        if self.pretrain is not None and (misfit := self.pretrain.objective.misfit(self.model)) is not None:
            raise ValueError(misfit)
        if self.pretrained_on and self.weights != "import":
            raise ValueError(f"`pretrained_on` is of imported weights, and there is {said}; take it out")
        if self.weights == "import" and not self.path:
            raise ValueError("`weights: import` needs `path:`")
        return self
