"""Parts of the encoder with backward passes written by hand, each beside the plain form whose numbers it gives.

A form takes the modules themselves. Where `choice.fast` says so it works with their weights and keeps less for the
backward pass, or goes through memory less often (docs/performance-notes.md); everywhere else it calls them, so that an
adapter, a hook or a layer put in their place counts.
"""

from ecglfm.models.fast.attention import attend
from ecglfm.models.fast.choice import SWITCH, exporting, fast
from ecglfm.models.fast.depthwise import gated_depthwise
from ecglfm.models.fast.dropout import Dropout
from ecglfm.models.fast.first_stage import first_stage
from ecglfm.models.fast.linear import normed_linear, swish_linear

__all__ = [
    "SWITCH",
    "Dropout",
    "attend",
    "exporting",
    "fast",
    "first_stage",
    "gated_depthwise",
    "normed_linear",
    "swish_linear",
]
