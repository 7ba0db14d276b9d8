"""Parts of the encoder with backward passes written by hand, each beside the plain form whose numbers it gives.

A form takes the modules themselves. Where `choice.fast` says so it works with their weights and keeps less for the
backward pass, or goes through memory less often (docs/performance-notes.md); everywhere else it calls them, so that an
adapter, a hook or a layer put in their place counts.
"""

from __future__ import annotations

from ecglfm.models.layers.fast.attention import attend
from ecglfm.models.layers.fast.choice import exporting
from ecglfm.models.layers.fast.depthwise import gated_depthwise
from ecglfm.models.layers.fast.dropout import Dropout
from ecglfm.models.layers.fast.linear import normed_linear, swish_linear
from ecglfm.models.layers.fast.stem import first_stage

__all__ = ["Dropout", "attend", "exporting", "first_stage", "gated_depthwise", "normed_linear", "swish_linear"]
