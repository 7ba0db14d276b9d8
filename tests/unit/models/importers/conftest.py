"""Fixtures that the tests of this folder share."""

import resource
from pathlib import Path

import pytest
import torch

from ecglfm.config import (
    LEADS,
    PreprocessConfig,
    PretrainConfig,
)
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.importers.ecg_lfm import original_name
from ecglfm.models.pretraining.masked_codes import MaskedCodes
from tests.unit.architectures import architecture
from tests.unit.models.importers.original import DEAD, MODEL, QUANTIZER

GROWTH = 300e6  # bytes, far below what each file asks for


@pytest.fixture(scope="module")
def ours():
    torch.manual_seed(0)
    encoder = ECGEncoder(architecture(**MODEL), LEADS, 500, PreprocessConfig(), 5.0)
    objective = {"contrastive": {"layer": 2}}
    return MaskedCodes(encoder, PretrainConfig(steps=1, quantizer=QUANTIZER, objective=objective)).state_dict()


@pytest.fixture
def theirs(ours):
    """The same weights as the original saves them."""
    state = {original_name(name): value.clone() for name, value in ours.items()}
    state["quantizer.vars"] = state["quantizer.vars"][None]
    return state | DEAD


@pytest.fixture
def finetuned(theirs):
    """A classifier of 3 labels on that encoder."""
    heads = ("mask_emb", "quantizer.", "project_q.", "final_proj.", "mlm_proj.")
    state = {f"encoder.{name}": value for name, value in theirs.items() if not name.startswith(heads)}
    return state | {"proj.weight": torch.arange(48.0).view(3, 16), "proj.bias": torch.arange(3.0)}


@pytest.fixture
def little_memory():
    """Allocations beyond `GROWTH` fail instead of taking the machine's memory."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int(used + GROWTH), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)
