"""Summary statistics of association: read, checked and written as GWAS-SSF, harmonised, and handed to other tools."""

from __future__ import annotations

from ecglfm.discovery.summary.alleles import Counts, harmonise
from ecglfm.discovery.summary.exports import coloc_locus, ldsc_table, variant_names, write_ldsc
from ecglfm.discovery.summary.files import (
    number_chromosomes,
    read_summary_statistics,
    write_summary_statistics,
)
from ecglfm.discovery.summary.loci import lead_statistics, read_loci
from ecglfm.discovery.summary.probabilities import negative_log10_p, with_written_p, written_p

__all__ = [
    "Counts",
    "coloc_locus",
    "harmonise",
    "ldsc_table",
    "lead_statistics",
    "negative_log10_p",
    "number_chromosomes",
    "read_loci",
    "read_summary_statistics",
    "variant_names",
    "with_written_p",
    "write_ldsc",
    "write_summary_statistics",
    "written_p",
]
