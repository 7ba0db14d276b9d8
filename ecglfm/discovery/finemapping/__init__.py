"""Fine-mapping: which variants of a locus may be the causal one."""

from __future__ import annotations

from ecglfm.discovery.finemapping.bayes import credible_sets, posteriors
from ecglfm.discovery.finemapping.figure import locus_figure
from ecglfm.discovery.finemapping.step import run_credible_sets

__all__ = ["credible_sets", "locus_figure", "posteriors", "run_credible_sets"]
