"""`ecglfm deidentify`: recordings and tables without what says whose they are."""

from __future__ import annotations

from ecglfm.app.deidentification.run import Outcome, run_deidentify
from ecglfm.app.deidentification.secret import Secret, open_secret

__all__ = ["Outcome", "Secret", "open_secret", "run_deidentify"]
