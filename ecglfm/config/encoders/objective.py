"""What a user may say about the objective of a pretraining: a class for each `kind`, beside its terms.

A new kind is a class here and its name in `ObjectiveConfig`; the class says where the module is that computes it.
What all kinds say is in `ecglfm.config.encoders.objective_kind`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from ecglfm.config.base import Section, usual_kind
from ecglfm.config.encoders.architecture import S4Config, VitConfig
from ecglfm.config.encoders.encoder_kind import Architecture
from ecglfm.config.encoders.objective_kind import ObjectiveKind, Pairs


class MaskConfig(Section):
    """Span masking of frames (wav2vec 2.0, arXiv:2006.11477, 3.1)."""

    probability: float = Field(0.65, gt=0, lt=1, description="spans drawn = probability x frames / length")
    length: int = Field(10, ge=1, description="frames in a span")
    min_spans: int = Field(2, ge=1, description="spans a record gets at least")


class QuantizerConfig(Section):
    """Gumbel-softmax codebook (wav2vec 2.0, 2)."""

    codes: int = Field(1024, ge=2, description="entries of the codebook")
    code_dim: int = Field(1024, ge=2, description="width of an entry")
    final_dim: int = Field(768, ge=2, description="width of the space in which the contrastive term compares")
    temperature: tuple[float, float, float] = Field(
        (2.0, 0.1, 0.999995), description="Gumbel temperature: start, floor, factor per update"
    )


class ContrastiveConfig(Section):
    """Pick the true quantized frame among negatives of the same record."""

    weight: float = Field(1.0, ge=0, description="weight of the term")
    temperature: float = Field(0.1, gt=0, description="cosine similarities are divided by this")
    negatives: int = Field(100, ge=1, description="negatives drawn per masked frame")
    layer: int | None = Field(
        None,
        ge=1,
        description="encoder layer whose output is compared (1 is the first); null: a quarter of the layers (6 of 24)",
    )


class MlmConfig(Section):
    """Predict the code of each masked frame from the last layer."""

    weight: float = Field(1.0, ge=0, description="weight of the term")


class DiversityConfig(Section):
    """Use the whole codebook: (V - perplexity) / V."""

    weight: float = Field(0.1, ge=0, description="weight of the term")


class FeaturePenaltyConfig(Section):
    """Mean square of the convolutional features."""

    weight: float = Field(10.0, ge=0, description="weight of the term")


class CmscConfig(Section):
    """Two recordings of one patient agree (CLOCS, arXiv:2005.13249)."""

    weight: float = Field(1.0, ge=0, description="weight of the term")
    temperature: float = Field(0.1, gt=0, description="cosine similarities are divided by this")
    pool: Literal["encoder", "frontend"] = Field(
        "encoder",
        description="averaged over time: the encoder's output, or (as the original) the masked conv features",
    )
    pairs: Pairs = Field(
        "patient",
        description="crops of two recordings of a patient, or of the halves of the only long one; or always of the "
        "halves of one recording",
    )


class MaskedCodesConfig(ObjectiveKind):
    """ECG-LFM's: hidden frames are recognised and coded, recordings of a patient agree."""

    computed_by: ClassVar[str] = "ecglfm.models.pretraining.masked_codes:MaskedCodes"
    reads: ClassVar[frozenset[str]] = frozenset({"mask", "quantizer", "perplexity_floor"})
    LATER = frozenset({"kind"})

    kind: Literal["masked_codes"] = Field(
        "masked_codes", description="ECG-LFM's: recognise and code hidden frames; recordings of a patient agree"
    )
    contrastive: ContrastiveConfig = Field(ContrastiveConfig(), description="contrastive term")
    mlm: MlmConfig = Field(MlmConfig(), description="masked code prediction")
    diversity: DiversityConfig = Field(DiversityConfig(), description="codebook diversity")
    feature_penalty: FeaturePenaltyConfig = Field(FeaturePenaltyConfig(), description="penalty on the conv features")
    cmsc: CmscConfig = Field(CmscConfig(), description="patient contrastive term")

    @property
    def pairs(self) -> Pairs:
        """What the two crops of a pair are taken from."""
        return self.cmsc.pairs


class CpcConfig(ObjectiveKind):
    """Contrastive predictive coding (arXiv:1807.03748), as ECG-CPC (arXiv:2509.25095)."""

    computed_by: ClassVar[str] = "ecglfm.models.pretraining.cpc:Cpc"

    kind: Literal["cpc"] = Field("cpc", description="predict coming frames, of an encoder that does not see them")
    ahead: list[Annotated[int, Field(ge=1)]] = Field(
        [14], min_length=1, description="how far ahead the frames lie that are predicted; a projection each"
    )
    anchors: int = Field(128, ge=1, description="frames of each segment from which is predicted, drawn in every update")
    negatives: int = Field(128, ge=1, description="other frames of the segment that each is compared with")

    def misfit(self, model: Architecture) -> str | None:
        """An encoder that sees what comes has nothing to predict."""
        if isinstance(model, S4Config) and not model.bidirectional:
            return None
        return (
            "pretrain.objective.kind: cpc predicts what comes, which this encoder sees; write `model.kind: s4` with"
            " `bidirectional: false`"
        )


class HiddenConfig(Section):
    """Which patches of a segment are hidden: blocks at random places, until there are enough."""

    share: float = Field(
        0.75, gt=0, lt=1, description="of a segment's patches, rounded to whole ones: the same number in every record"
    )
    length: int = Field(10, ge=1, description="patches of a block in time; blocks may overlap, and reach over the ends")
    leads: int | None = Field(
        None,
        ge=1,
        description="leads of a block, which stand side by side in `preprocess.leads`; null: all of them",
    )


class PredictorConfig(Section):
    """A narrow transformer that tells, of the patches that are seen, what the others are."""

    dim: int | None = Field(None, ge=8, description="width, a multiple of 4; null: half of the encoder's")
    layers: int = Field(4, ge=1, description="transformer layers, four times as wide inside")
    heads: int = Field(4, ge=1, description="attention heads")


def _of_patches(model: Architecture, kind: str, hidden: HiddenConfig, name: str, sizes: PredictorConfig) -> str | None:
    """Why an encoder cannot be trained by hiding its patches."""
    if not isinstance(model, VitConfig):
        return f"pretrain.objective.kind: {kind} hides patches, and `model.kind: {model.kind}` has none; write `vit`"
    if hidden.leads is not None and model.tokens == "leads":
        return (
            "pretrain.objective.hidden.leads: a patch is of all leads together (`model.tokens: leads`), so every block"
            " is; leave it out"
        )
    dim = sizes.dim or model.dim // 2
    if dim % sizes.heads or dim % 4:
        return f"pretrain.objective.{name}: dim {dim} is no multiple of 4 and of heads {sizes.heads}; change one"
    return None


class JepaConfig(ObjectiveKind):
    """Joint-embedding prediction (arXiv:2301.08243) on ECGs (arXiv:2410.08559, arXiv:2410.13867)."""

    computed_by: ClassVar[str] = "ecglfm.models.pretraining.jepa:Jepa"
    averages: ClassVar[bool] = True

    kind: Literal["jepa"] = Field(
        "jepa", description="predict what a moving average of the encoder makes of hidden patches, of the others"
    )
    hidden: HiddenConfig = Field(HiddenConfig(), description="which patches are hidden")
    predictor: PredictorConfig = Field(PredictorConfig(), description="what predicts them")
    distance: Literal["l1", "smooth_l1", "l2"] = Field(
        "smooth_l1", description="between prediction and target: absolute, squared, or squared where it is less than 1"
    )
    momentum: tuple[float, float, int] = Field(
        (0.996, 0.9999, 100_000),
        description="of the moving average: share of it that an update leaves, at the start and after so many updates; "
        "linear between, constant behind",
    )

    @field_validator("momentum")
    @classmethod
    def _it_moves(cls, value: tuple[float, float, int]) -> tuple[float, float, int]:
        start, end, updates = value
        if not 0 <= start <= end <= 1 or updates < 1:
            raise ValueError(f"{start:g}, {end:g}, {updates}: give two shares, the smaller first, and some updates")
        return value

    def misfit(self, model: Architecture) -> str | None:
        """Only patches can be hidden."""
        return _of_patches(model, self.kind, self.hidden, "predictor", self.predictor)


class MaeConfig(ObjectiveKind):
    """Masked autoencoder (arXiv:2111.06377) on ECGs, as ST-MEM (arXiv:2402.09450)."""

    computed_by: ClassVar[str] = "ecglfm.models.pretraining.mae:Mae"

    kind: Literal["mae"] = Field("mae", description="fill in the samples of hidden patches, of the others")
    hidden: HiddenConfig = Field(HiddenConfig(), description="which patches are hidden")
    decoder: PredictorConfig = Field(PredictorConfig(), description="what fills them in")
    normalize: bool = Field(
        False, description="the samples of each patch are first brought to mean 0 and deviation 1: form, not amplitude"
    )

    def misfit(self, model: Architecture) -> str | None:
        """Only patches can be hidden."""
        return _of_patches(model, self.kind, self.hidden, "decoder", self.decoder)


class ReportAlignmentConfig(ObjectiveKind):
    """Recordings and their reports agree (CLIP, arXiv:2103.00020)."""

    computed_by: ClassVar[str] = "ecglfm.models.pretraining.report_alignment:ReportAlignment"
    aligns: ClassVar[bool] = True

    kind: Literal["report_alignment"] = Field(
        "report_alignment", description="a recording and its report agree: labels can then be asked for in words"
    )
    text_encoder: str | None = Field(
        None,
        description="folder of a Hugging Face text encoder (safetensors, without code of its own), which is not"
        " trained; null: the built-in one, which knows spelling and no meaning",
    )
    dim: int = Field(256, ge=2, description="width of the space in which recordings and reports are compared")
    temperature: float = Field(0.07, ge=0.01, description="cosine similarities are divided by this, at the start")
    learn_temperature: bool = Field(True, description="learn the temperature, which stays at 0.01 or above")

    def misfit(self, model: Architecture) -> str | None:
        """Whatever is pretrained at all gives embeddings."""
        return None if model.pretrainable else super().misfit(model)


class StatisticsObjectiveConfig(ObjectiveKind):
    """Tell the signal's hand-made statistics (PASE, arXiv:1904.03416, has it of speech)."""

    computed_by: ClassVar[str] = "ecglfm.models.pretraining.signal_statistics:SignalStatistics"

    kind: Literal["statistics"] = Field("statistics", description="tell statistics and the mean beat of each segment")

    def misfit(self, model: Architecture) -> str | None:
        """Whatever is pretrained at all gives embeddings."""
        return None if model.pretrainable else super().misfit(model)


#: The objective of a pretraining, by its `kind`.
ObjectiveConfig = Annotated[
    MaskedCodesConfig | CpcConfig | JepaConfig | MaeConfig | ReportAlignmentConfig | StatisticsObjectiveConfig,
    Field(discriminator="kind"),
    usual_kind("masked_codes"),
]
