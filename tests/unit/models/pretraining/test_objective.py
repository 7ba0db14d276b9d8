"""What every objective must offer, and that a config's kind leads to it."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter

from ecglfm.config import (
    LEADS,
    EncoderConfig,
    MaskedCodesConfig,
    ObjectiveConfig,
    ObjectiveKind,
    PreprocessConfig,
    PretrainConfig,
    UserError,
    parse,
)
from ecglfm.models.encoders import make_encoder
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.models.pretraining.objective import Objective, make_objective, objective_class
from tests.unit.architectures import small

KINDS = [kind for kind in ObjectiveKind.__subclasses__() if kind.__module__.startswith("ecglfm.")]


def encoder(objective=None):
    """The first that the objective fits."""
    models = [small(kind) for kind in ("conformer", "s4", "vit")] + [small("s4", bidirectional=False)]
    model = next(model for model in models if objective is None or objective.misfit(model) is None)
    return make_encoder(model, LEADS, 100, PreprocessConfig(), 5.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_may_be_written_and_is_computed_by_an_objective(kind):
    name = kind.model_fields["kind"].default or kind.model_fields["kind"].annotation.__args__[0]
    config = TypeAdapter(ObjectiveConfig).validate_python({"kind": name})
    assert type(config) is kind
    assert issubclass(objective_class(config), Objective)
    assert kind.reads <= PretrainConfig.OBJECTIVES <= set(PretrainConfig.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forward_gives_the_loss_and_the_columns_and_nothing_else_has_a_gradient(kind):
    torch.manual_seed(0)
    objective = make_objective(encoder(kind()), PretrainConfig(steps=1, objective=kind()))
    x = torch.randn(4, len(LEADS), 500)
    batch = {"signal": (1000 * x).short().transpose(1, 2), "lead_mask": torch.ones(4, len(LEADS)).bool()}
    (noise,) = objective.draw([batch], 7, objective.prepare([batch], 7))
    output = objective(x, step=0, noise=noise)
    assert set(output) == {"loss", *objective.columns}
    assert [name for name, value in output.items() if value.requires_grad] == ["loss"]
    row = {name: float(value.detach()) for name, value in output.items()}
    assert not any(objective.warnings(row).values())


def test_an_encoder_that_does_not_fit_is_refused_by_the_config_and_by_the_objective():
    patches, frames = small("vit"), small("conformer")
    said = (
        "pretrain.objective.kind: {} is about frames of a front end, and `model.kind: vit` has none; for patches there"
    )
    with pytest.raises(UserError) as error:
        parse(EncoderConfig, {"model": patches.model_dump(), "pretrain": {"steps": 1}}, "e.yaml")
    assert said.format("masked_codes") in str(error.value)
    with pytest.raises(UserError) as error:
        make_objective(make_encoder(patches, LEADS, 100, PreprocessConfig(), 5.0), PretrainConfig(steps=1))
    assert str(error.value) == said.format("masked_codes") + " are `jepa` and `mae`"
    for kind in ("jepa", "mae"):
        content = {"model": frames.model_dump(), "pretrain": {"steps": 1, "objective": {"kind": kind}}}
        with pytest.raises(UserError, match=f"kind: {kind} hides patches, and `model.kind: conformer` has none"):
            parse(EncoderConfig, content, "e.yaml")


def test_embeddings_for_reports_are_of_any_encoder_that_is_pretrained():
    reports = TypeAdapter(ObjectiveConfig).validate_python({"kind": "report_alignment"})
    fits = {kind: reports.misfit(small(kind)) is None for kind in ("conformer", "s4", "vit", "convnet")}
    assert fits == {"conformer": True, "s4": True, "vit": True, "convnet": False}


def test_ecg_lfms_is_meant_where_none_is_said():
    config = PretrainConfig.model_validate({"steps": 1, "objective": {"mlm": {"weight": 0.5}}})
    assert type(config.objective) is MaskedCodesConfig
    assert type(make_objective(encoder(), config)) is MaskedCodes
