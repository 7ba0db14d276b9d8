"""PheWAS: every feature against a table of phenotypes."""

from __future__ import annotations

from ecglfm.discovery.phewas.step import run_phewas

__all__ = ["run_phewas"]
