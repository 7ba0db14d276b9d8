"""Genotypes: PLINK files read, written and simulated."""

from __future__ import annotations

from ecglfm.discovery.genotypes.bed import Genotypes, join_beds, read_bed, write_bed
from ecglfm.discovery.genotypes.simulation import Genome, draw_copies, draw_genome, draw_people

__all__ = [
    "Genome",
    "Genotypes",
    "draw_copies",
    "draw_genome",
    "draw_people",
    "join_beds",
    "read_bed",
    "write_bed",
]
