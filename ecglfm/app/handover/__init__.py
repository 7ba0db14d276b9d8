"""A model handed on as one file: `ecglfm export --bundle`, `ecglfm verify-bundle`."""

from __future__ import annotations

from ecglfm.app.handover.bundle import write_bundle
from ecglfm.app.handover.example import invented
from ecglfm.app.handover.running import Difference
from ecglfm.app.handover.verification import verify_bundle

__all__ = ["Difference", "invented", "verify_bundle", "write_bundle"]
