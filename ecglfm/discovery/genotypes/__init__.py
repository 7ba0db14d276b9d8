"""Genotypes: PLINK files read, written and simulated; quality control and principal components by PLINK 2."""

from __future__ import annotations

from ecglfm.discovery.genotypes.bed import Genotypes, read_bed, write_bed
from ecglfm.discovery.genotypes.programs import find_program, fresh_folder, limits, run_program
from ecglfm.discovery.genotypes.quality import has_dosages, input_arguments, run_quality
from ecglfm.discovery.genotypes.simulation import Genome, draw_copies, draw_genome, draw_people
from ecglfm.discovery.genotypes.structure import run_structure

__all__ = [
    "Genome",
    "Genotypes",
    "draw_copies",
    "draw_genome",
    "draw_people",
    "find_program",
    "fresh_folder",
    "has_dosages",
    "input_arguments",
    "limits",
    "read_bed",
    "run_program",
    "run_quality",
    "run_structure",
    "write_bed",
]
