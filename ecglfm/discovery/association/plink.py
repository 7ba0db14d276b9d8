"""Association with PLINK 2: one linear regression a variant and feature, of one chromosome and batch of features."""

from __future__ import annotations

from pathlib import Path

from ecglfm.discovery.association.design import Design, write_tables
from ecglfm.discovery.genotypes import fresh_folder, has_dosages, limits, run_program
from ecglfm.provenance import write_json

_COLUMNS = "chrom,pos,ref,alt,a1freq,nobs,beta,se,p"


def run_plink(
    plink2: str, genotypes: Path, design: Design, output: Path, *, threads: int = 1, memory: int | None = None
) -> None:
    """Write a folder: `{feature}.zst` of every feature, as PLINK 2 writes it, and `association.json`.

    Parameters
    ----------
    plink2 : str
        The program.
    genotypes : path
        Folder of `run_quality`.
    design : Design
    output : path
        Folder to write.
    threads : int
    memory : int, optional
        MiB that PLINK may take.

    Raises
    ------
    UserError
        PLINK failed.
    """
    with fresh_folder(output) as folder:
        if design.traits.shape[1]:
            traits, covariates = write_tables(design, folder)
            adjusted = bool(design.covariates.shape[1])
            sex = "sex" in design.covariates
            info = has_dosages(plink2, genotypes / "all")
            arguments = glm_arguments(folder, traits, covariates if adjusted else None, sex=sex, info=info)
            run_program([plink2, "--pfile", genotypes / "all", *arguments, *limits(threads, memory)])
            for path in folder.glob("glm.*.glm.linear.zst"):
                path.rename(folder / f"{path.name.removeprefix('glm.').removesuffix('.glm.linear.zst')}.zst")
            for path in (traits, covariates, folder / "glm.log"):
                path.unlink()
        write_json(folder / "association.json", described(design, "plink2"))


def glm_arguments(
    folder: Path, traits: Path, covariates: Path | None, *, sex: bool = False, info: bool = False
) -> list[str]:
    """PLINK 2's arguments of the regression; `sex` says that it is among the covariates, `info` asks for MaCH r².

    Without `--covar-variance-standardize` it refuses covariates of different scales; without `omit-ref` the tested
    allele is the rarer one, variant by variant. On chromosome X it adds sex of its own accord, and stops where that is
    there already: hence `no-x-sex`.
    """
    adjusted = ["--covar", str(covariates), "--covar-variance-standardize", "--vif", "1000"] if covariates else []
    columns = f"{_COLUMNS},machr2" if info else _COLUMNS
    more = [*(["no-x-sex"] if sex else []), *([] if covariates else ["allow-no-covars"])]
    return [
        "--keep", str(traits), "--pheno", str(traits), "--no-input-missing-phenotype", *adjusted,
        "--glm", "zs", "hide-covar", "omit-ref", *more, f"cols={columns}", "--out", str(folder / "glm"),
    ]  # fmt: skip


def described(design: Design, engine: str) -> dict[str, object]:
    """What `association.json` says."""
    return {
        "engine": engine,
        "people": design.counts,
        "traits": list(design.traits.columns),
        "covariates": list(design.covariates.columns),
        "skipped": design.skipped,
    }
