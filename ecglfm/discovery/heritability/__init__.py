"""SNP heritability of EDFs, their genetic correlations, and which dimensions are worth a GWAS."""

from __future__ import annotations

from ecglfm.discovery.heritability.dimensions import run_dimensions
from ecglfm.discovery.heritability.figure import correlation_figure, heritability_figure
from ecglfm.discovery.heritability.ld_scores import LdScores, panel_ld_scores, read_ldsc_scores
from ecglfm.discovery.heritability.ranking import rank_dimensions, share_explained
from ecglfm.discovery.heritability.regression import genetic_correlation, genetic_covariance
from ecglfm.discovery.heritability.step import run_heritability
from ecglfm.discovery.heritability.traits import heritabilities, regression_rows

__all__ = [
    "LdScores",
    "correlation_figure",
    "genetic_correlation",
    "genetic_covariance",
    "heritabilities",
    "heritability_figure",
    "panel_ld_scores",
    "rank_dimensions",
    "read_ldsc_scores",
    "regression_rows",
    "run_dimensions",
    "run_heritability",
    "share_explained",
]
