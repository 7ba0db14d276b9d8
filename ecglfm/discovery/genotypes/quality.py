"""Quality control of one chromosome with PLINK 2: variants and genotypes that an association can rely on.

What is kept is written as pgen/pvar/psam, with what the other steps need of it: missing calls of each person, and a set
of variants in little linkage disequilibrium for principal components.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import GenotypesConfig, QualityConfig, StructureConfig
from ecglfm.discovery.genotypes.programs import fresh_folder, limits, run_program
from ecglfm.discovery.summary import number_chromosomes
from ecglfm.provenance import atomic, write_json

#: What PLINK 2 says of variants that it leaves out, and what we call that.
_REASONS = {
    "missing genotype data": "missing",
    "Hardy-Weinberg exact test": "hwe",
    "allele frequency threshold": "maf",
    "--mach-r2-filter": "info",
}
#: regenie wants FID in a .psam, where PLINK 2 leaves it out.
_MADE = ["--make-pgen", "psam-cols=fid,sex"]
#: Calls that a person lacks: a dosage is no lack, however unsure it is, though PLINK 2 has no hard call of it.
_LACKING = "scols=fid,nmissdosage,nobs"


def run_quality(
    plink2: str,
    source: Sequence[str],
    output: Path,
    *,
    quality: QualityConfig,
    structure: StructureConfig,
    keep: Path,
    threads: int = 1,
    memory: int | None = None,
) -> None:
    """Write a folder: `all.{pgen,pvar,psam}`, `pruned.{bed,bim,fam}`, `people.smiss`, `quality.json`.

    Parameters
    ----------
    plink2 : str
        The program.
    source : sequence of str
        Its arguments for the genotypes: see `input_arguments`.
    output : path
        Folder to write.
    quality, structure : QualityConfig, StructureConfig
    keep : path
        Table whose first two columns are FID and IID: who takes part. A file with these ids alone is as good.
    threads : int
    memory : int, optional
        MiB that PLINK may take.

    Raises
    ------
    UserError
        PLINK failed, nobody or nothing is left, or the variants are of several chromosomes.
    """
    base = [plink2, *limits(threads, memory)]
    with fresh_folder(output) as folder:
        every, pruned = folder / "all", folder / "pruned"
        said = run_program([*base, *source, *filters(quality, keep), "--out", every])
        pvar = folder / "all.pvar"
        check_chromosome(pvar, source[1])
        renamed, repeated = distinct_ids(pvar)
        if repeated:
            once = ["--rm-dup", "force-first", *_MADE, "--out", folder / "once"]
            run_program([*base, "--pfile", every, *once])
            for path in folder.glob("once.p*"):
                path.rename(folder / f"all{path.suffix}")
        of_all = [*base, "--pfile", every]
        run_program([*of_all, "--missing", "sample-only", _LACKING, "--out", folder / "people"])
        window = [f"{structure.window_kb}kb", str(structure.max_r2)]
        common = ["--maf", str(max(structure.min_maf, quality.min_maf))]
        long_range = ["--exclude", "bed0", structure.exclude] if structure.exclude else []
        run_program([*of_all, *common, *long_range, "--indep-pairwise", *window, "--out", pruned])
        run_program([*of_all, "--extract", f"{pruned}.prune.in", "--make-bed", "--out", pruned])
        for path in [*folder.glob("*.log"), *folder.glob("*.prune.*")]:
            path.unlink()
        found = counts(said)
        found["kept"] -= repeated
        own = {"duplicate": repeated, "renamed": renamed}
        write_json(folder / "quality.json", found | {name: number for name, number in own.items() if number})


def input_arguments(config: GenotypesConfig, chromosome: str) -> list[str]:
    """PLINK 2's arguments for the files of a chromosome.

    Raises
    ------
    UserError
        A file is not there.
    """
    path = config.path(chromosome)
    for file in config.files_of(chromosome):
        if not Path(file).exists():
            raise UserError(f"{file}: no such file; `discover.genotypes.files` names it for chromosome {chromosome}")
    prefix, kind = path.rsplit(".", 1)
    if kind == "bgen":
        sample = (config.sample or "").replace("{chromosome}", chromosome)
        return ["--bgen", path, config.bgen_alleles, *(["--sample", sample] if sample else [])]
    packed = ["vzs"] if kind == "pgen" and any(file.endswith(".zst") for file in config.files_of(chromosome)) else []
    return [{"bed": "--bfile", "pgen": "--pfile"}[kind], prefix, *packed]


def has_dosages(plink2: str, prefix: Path) -> bool:
    """Whether a `.pgen` carries dosages, of which imputation quality can be told; hard calls have none."""
    with tempfile.TemporaryDirectory() as temporary:  # where its log goes
        said = run_program([plink2, "--pfile", prefix, "--pgen-info", "--out", Path(temporary) / "info"])
    return re.search(r"(?i)dosage[^\n]*present", said) is not None and "No dosages present" not in said


def filters(quality: QualityConfig, keep: Path) -> list[str]:
    """PLINK 2's arguments for what is kept, and in which form; dosages are calls, too, however unsure."""
    info = ["--mach-r2-filter", str(quality.min_info), "2.0"] if quality.min_info is not None else []
    hwe = ["--hwe", str(quality.min_hwe_p)] if quality.min_hwe_p else []
    geno = ["--geno", str(quality.max_missing_variant), "dosage"]
    return [
        "--keep", str(keep), "--maf", str(quality.min_maf), *geno, *hwe, *info,
        "--max-alleles", "2",  # PLINK 1.9 and the tables have no others
        "--set-missing-var-ids", "@:#:$r:$a", "--new-id-max-allele-len", "100", "missing",
        *_MADE,
    ]  # fmt: skip


def check_chromosome(pvar: Path, source: str) -> None:
    """See that all variants are of one chromosome, since all but the first one's would be lost to the loci.

    Raises
    ------
    UserError
        They are not, or one has a name that is none.
    """
    with pvar.open(encoding="utf-8") as file:
        names = {line.partition("\t")[0]: None for line in file if not line.startswith("#")}
    if number_chromosomes(pd.Series(list(names), dtype=str)).nunique() > 1:
        raise UserError(
            f"{source}: variants of the chromosomes {', '.join(names)}: `discover.genotypes` takes a file a chromosome,"
            " with `{chromosome}` in its name; plink2 --chr splits it"
        )


def distinct_ids(pvar: Path) -> tuple[int, int]:
    """Give variants an id of their own, since clumping goes by id: `chromosome:position:ref:alt`.

    Records of a site that was split share its rsid, and so do a few that lie elsewhere; the first keeps it.

    Parameters
    ----------
    pvar : path
        Of PLINK 2; it is written anew.

    Returns
    -------
    tuple of int
        Variants that were renamed; variants with the place and alleles of an earlier one of the same id, which stay.
    """
    first: dict[str, str] = {}
    renamed = repeated = 0
    with pvar.open(encoding="utf-8") as file, atomic(pvar) as temporary, temporary.open("w", encoding="utf-8") as made:
        for line in file:
            if line.startswith("#"):
                made.write(line)
                continue
            chromosome, position, name, ref, alt, *others = line.rstrip("\n").split("\t")
            place = f"{chromosome}:{position}:{ref}:{alt}"
            if name != "." and first.get(name, place) != place:
                renamed, name = renamed + 1, place
            repeated += name != "." and name in first
            first[name] = place
            made.write("\t".join([chromosome, position, name, ref, alt, *others]) + "\n")
    return renamed, repeated


def counts(said: str) -> dict[str, int]:
    """How many variants there were, why some were left out, and how many stay, in PLINK 2's own words."""
    text = " ".join(said.replace("\r", "\n").split())
    loaded = re.search(r"(\d+)(?: out of (\d+))? variants? loaded", text)
    found = {"variants": int(loaded[2] or loaded[1]) if loaded else 0}
    if loaded and loaded[2]:
        found["multiallelic"] = int(loaded[2]) - int(loaded[1])
    removed = r"(?:(--[\w-]+): )?(\d+) variants? removed(?: due to [^(.]+)?"
    for match in re.finditer(removed, text):
        name = next((what for words, what in _REASONS.items() if words in match[0]), (match[1] or "other").strip("-"))
        found[name] = found.get(name, 0) + int(match[2])
    left = re.search(r"(\d+) variants? remaining after main filters", text)
    people = re.search(r"(\d+) samples? \([^)]*\) remaining after main filters", text)
    found["kept"] = int(left[1]) if left else found["variants"]
    if people:
        found["people"] = int(people[1])
    return found
