"""ecglfm: from raw 12-lead ECG databases to a pretrained, evaluated ECG foundation model.

The names below are the Python interface. They are imported when first used, so that `import ecglfm`
costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecglfm.app.python import load_encoder, load_model
    from ecglfm.data.signals import preprocess
    from ecglfm.records import as_record
    from ecglfm.sources.files import read_record

__version__ = "0.1.0"

_PUBLIC = {
    "load_encoder": "ecglfm.app.python",
    "load_model": "ecglfm.app.python",
    "as_record": "ecglfm.records",
    "read_record": "ecglfm.sources.files",
    "preprocess": "ecglfm.data.signals",
}
__all__ = ["__version__", "as_record", "load_encoder", "load_model", "preprocess", "read_record"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ecglfm' has no attribute {name!r}")
