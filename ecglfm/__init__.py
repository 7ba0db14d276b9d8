"""ecglfm: from raw 12-lead ECG databases to a pretrained, evaluated ECG foundation model.

The names below are the Python interface. They are imported when first used, so that `import ecglfm`
costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_encoder": "ecglfm.models.bundle",
    "load_model": "ecglfm.models.bundle",
    "read_record": "ecglfm.sources.files",
    "preprocess": "ecglfm.data.signals",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ecglfm' has no attribute {name!r}")
