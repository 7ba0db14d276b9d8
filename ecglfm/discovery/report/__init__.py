"""The page of `discover`: every table and figure that was made, in the order in which a geneticist looks."""

from __future__ import annotations

from ecglfm.discovery.report.report import run_discovery_report

__all__ = ["run_discovery_report"]
