"""`ecglfm deidentify`: recordings and tables without what says whose they are."""

from __future__ import annotations

from ecglfm.app.deidentification.run import run_deidentify
from ecglfm.app.deidentification.secret import open_secret

__all__ = ["open_secret", "run_deidentify"]
