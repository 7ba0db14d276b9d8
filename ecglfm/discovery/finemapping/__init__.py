"""Fine-mapping: which variants of a locus may be the causal one."""

from __future__ import annotations

from ecglfm.discovery.finemapping.step import run_credible_sets

__all__ = ["run_credible_sets"]
