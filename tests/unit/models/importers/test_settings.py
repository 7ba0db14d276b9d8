"""Settings of foreign checkpoints: read as text, never evaluated."""

import pytest

from ecglfm.config import (
    UserError,
)
from ecglfm.models.importers.settings import parse_conv_layers


def test_convolutions_in_fairseqs_notation():
    assert parse_conv_layers("[(256, 2, 2)] * 4") == [(2, 2)] * 4
    assert parse_conv_layers("[(512, 10, 5)] + [(512,3,2),(512,3,1)] * 2") == [(10, 5), (3, 2), (3, 1), (3, 2), (3, 1)]
    for text in ("__import__('os').system('true')", "[(1,2,3)] * 999", "[(1,2)]", "", "[(1,2,3)] ** 4"):
        with pytest.raises(UserError, match="conv_feature_layers"):
            parse_conv_layers(text)
