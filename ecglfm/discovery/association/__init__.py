"""Association: every feature against every variant, the summary statistics of that, and the loci that come of it."""

from __future__ import annotations

from ecglfm.discovery.association.design import Design, read_design
from ecglfm.discovery.association.loci import run_loci
from ecglfm.discovery.association.merge import run_merge
from ecglfm.discovery.association.plink import run_plink
from ecglfm.discovery.association.regenie import run_step1, run_step2

__all__ = ["Design", "read_design", "run_loci", "run_merge", "run_plink", "run_step1", "run_step2"]
