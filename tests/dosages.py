"""Genotype files with dosages, which PLINK 2 makes of a table of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.discovery.genotypes import Genotypes, find_program, run_program, write_bed


def write_dosages(prefix: Path, dosage_nv: np.ndarray, genotypes: Genotypes, *form: str) -> None:
    """Write dosages of allele 1, shape (people, variants), of people and variants of `genotypes`.

    `form` are PLINK 2's arguments, such as `--export bgen-1.2 bits=16 ref-first`; by default a `.pgen`.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / "g"
        write_bed(base, genotypes)
        names = genotypes.variants[["rsid", "allele_1", "allele_2"]].reset_index(drop=True)
        table = pd.concat([names, pd.DataFrame(dosage_nv.T)], axis=1)
        table.to_csv(base.with_suffix(".dosages"), sep="\t", index=False, header=False)
        source = ["--import-dosage", f"{base}.dosages", "noheader", "format=1", "--fam", f"{base}.fam"]
        made = form or ("--make-pgen", "psam-cols=fid,sex")
        map_ = [f"{chromosome}\t{name}\t0\t{position}" for chromosome, name, position in
                genotypes.variants[["chromosome", "rsid", "position"]].itertuples(index=False)]  # fmt: skip
        base.with_suffix(".map").write_text("\n".join(map_) + "\n")
        run_program([find_program("plink2"), *source, "--map", f"{base}.map", *made, "--out", prefix])
