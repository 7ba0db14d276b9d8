"""Fixtures that the tests of this folder share."""

import pytest

from ecglfm.models.bundle import save_encoder
from tests.unit.models.saved_encoder import make_encoder


@pytest.fixture
def folder(tmp_path):
    save_encoder(tmp_path / "e", make_encoder(), {"name": "mine", "weights": "pretrain", "data_hash": "abc"})
    return tmp_path / "e"
