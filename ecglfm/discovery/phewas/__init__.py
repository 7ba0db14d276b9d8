"""PheWAS: every feature against a table of phenotypes."""

from __future__ import annotations

from ecglfm.discovery.phewas.definitions import Definition, from_codes, read_definitions
from ecglfm.discovery.phewas.figure import phewas_figure
from ecglfm.discovery.phewas.regressions import scan
from ecglfm.discovery.phewas.step import run_phewas

__all__ = ["Definition", "from_codes", "phewas_figure", "read_definitions", "run_phewas", "scan"]
