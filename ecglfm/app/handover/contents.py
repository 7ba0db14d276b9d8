"""What lies in a bundle, and how large each file may be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ecglfm.config import Section
from ecglfm.config.kinds import KINDS
from ecglfm.config.one_of import OneOf

FORMAT, FORMAT_VERSION = "ecglfm-bundle", 1
PREPROCESS, MODEL, WEIGHTS = "preprocess.onnx", "model.onnx", "model.onnx.data"
ABOUT, EXAMPLE = "bundle.json", "example.json"
README, CARD, LICENCE, SUMS = "README.md", "card.html", "LICENSE", "SHA256SUMS"

#: What the graphs may differ by from the Python pipeline: one microvolt, which is the step of prepared signals, and
#: what `ecglfm.models.export` allows of outputs. Of windows in another unit a share of the largest number in them.
TOLERANCE_MV, TOLERANCE_SHARE, TOLERANCE_OUTPUTS = 0.001, 0.01, 1e-4
#: Bytes that each file may have once unpacked. Weights beside their graph are those of a model of more than 2 GiB.
LARGEST = {
    README: 1 << 20,
    LICENCE: 1 << 20,
    SUMS: 1 << 16,
    ABOUT: 1 << 26,
    EXAMPLE: 1 << 28,
    CARD: 1 << 28,
    PREPROCESS: 1 << 28,
    MODEL: 1 << 31,
    WEIGHTS: 1 << 36,
}
OPTIONAL = frozenset({CARD, WEIGHTS})
#: How many bytes may come of one of the zip file: numbers and prose give up to 20, a bomb a thousand.
LARGEST_RATIO = 200


class BundledModel(Section):
    """What of the content of `model.json` is needed to read the graphs' outputs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Annotated[str, OneOf(lambda: KINDS)]
    aggregate: Literal["mean", "max", "median"]
    label_names: list[str] = Field(min_length=1)
    temperature: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = None


class Tolerance(Section):
    """What windows may differ by, in which unit."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    windows: float = Field(TOLERANCE_MV, ge=0)
    unit: Literal["mV", "units"] = "mV"


class About(Section):
    """What of `bundle.json` is needed to run the bundle; the rest is for people."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    format: Literal["ecglfm-bundle"]
    format_version: Literal[1]
    model: BundledModel
    tolerance: Tolerance = Tolerance()
