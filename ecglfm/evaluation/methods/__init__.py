"""The methods section of a paper and the TRIPOD+AI checklist, filled in with what a finished run knows."""

from __future__ import annotations

from ecglfm.evaluation.methods.document import write_methods

__all__ = ["write_methods"]
