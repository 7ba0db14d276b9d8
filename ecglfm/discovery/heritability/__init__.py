"""SNP heritability of EDFs, their genetic correlations, and which dimensions are worth a GWAS."""

from __future__ import annotations

from ecglfm.discovery.heritability.dimensions import run_dimensions
from ecglfm.discovery.heritability.step import run_heritability

__all__ = ["run_dimensions", "run_heritability"]
