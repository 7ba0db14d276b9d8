"""Models that answer over HTTP: `ecglfm register` puts one into MLflow's registry, `make serve` starts its server."""

from __future__ import annotations

from ecglfm.app.serving.registry import register_model

__all__ = ["register_model"]
