"""What every objective must offer, and that a config's kind leads to it."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter

from ecglfm.config import LEADS, MaskedCodesConfig, ObjectiveConfig, ObjectiveKind, PreprocessConfig, PretrainConfig
from ecglfm.models.encoders import ECGEncoder
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from ecglfm.models.pretraining.objective import Objective, make_objective, objective_class
from tests.unit.architectures import architecture

KINDS = [kind for kind in ObjectiveKind.__subclasses__() if kind.__module__.startswith("ecglfm.")]


def encoder(objective=None):
    """One that the objective fits."""
    model = architecture(layers=2, dim=16, ffn_dim=24, heads=2, kernel=3, conv_channels=8)
    if objective is not None and objective.misfit(model):
        model = architecture(kind="s4", layers=2, dim=16)
    return ECGEncoder(model, LEADS, 100, PreprocessConfig(), 5.0)


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


def test_ecg_lfms_is_meant_where_none_is_said():
    config = PretrainConfig.model_validate({"steps": 1, "objective": {"mlm": {"weight": 0.5}}})
    assert type(config.objective) is MaskedCodesConfig
    assert type(make_objective(encoder(), config)) is MaskedCodes
