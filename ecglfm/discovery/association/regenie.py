"""Association with regenie, which keeps related people: whole-genome ridge regression, then one test a variant.

It could not be had where this was written, so nothing here was run: tests hold the command lines and the form of its
files, which are those of regenie 3 (Mbatchou et al. 2021, doi:10.1038/s41588-021-00870-7; its documentation).
"""

from __future__ import annotations

from pathlib import Path

from ecglfm.config.discovery import RegenieConfig
from ecglfm.discovery.association.design import Design, write_tables
from ecglfm.discovery.association.plink import described
from ecglfm.discovery.genotypes import fresh_folder, run_program
from ecglfm.provenance import write_json


def run_step1(
    regenie: str, structure: Path, design: Design, output: Path, *, config: RegenieConfig, threads: int = 1
) -> None:
    """Write a folder: predictions of every feature without each chromosome, and their list, `step1_pred.list`.

    Parameters
    ----------
    regenie : str
        The program.
    structure : path
        Folder of `run_structure`, with the pruned variants of all chromosomes.
    design : Design
    output : path
        Folder to write.
    config : RegenieConfig
    threads : int

    Raises
    ------
    UserError
        regenie failed.
    """
    with fresh_folder(output) as folder:
        traits, covariates = write_tables(design, folder, header="FID")
        run_program([regenie, *step1_arguments(folder, structure, traits, covariates, config, threads)])
        listed = folder / "step1_pred.list"
        rows = (line.split(maxsplit=1) for line in listed.read_text().splitlines())
        where = Path(output).resolve()  # regenie writes where they lie now, in full
        listed.write_text("".join(f"{name} {where / Path(file).name}\n" for name, file in rows))
        write_json(folder / "association.json", described(design, "regenie"))
        (folder / "step1.log").unlink(missing_ok=True)


def step1_arguments(
    folder: Path, structure: Path, traits: Path, covariates: Path, config: RegenieConfig, threads: int
) -> list[str]:
    """Arguments of step 1."""
    return [
        "--step", "1", "--qt", "--bed", str(structure / "pruned"), "--keep", str(_plain(structure, folder)),
        "--phenoFile", str(traits), "--covarFile", str(covariates), "--bsize", str(config.step1_block),
        "--lowmem", "--lowmem-prefix", str(folder / "blocks"), "--threads", str(threads), "--gz",
        "--out", str(folder / "step1"),
    ]  # fmt: skip


def run_step2(
    regenie: str,
    genotypes: Path,
    step1: Path,
    design: Design,
    output: Path,
    *,
    config: RegenieConfig,
    threads: int = 1,
) -> None:
    """Write a folder: `{feature}.regenie.gz` of every feature, and `association.json`.

    Parameters
    ----------
    regenie : str
        The program.
    genotypes : path
        Folder of `run_quality`.
    step1 : path
        Folder of `run_step1`.
    design : Design
        The same as that of step 1.
    output : path
        Folder to write.
    config : RegenieConfig
    threads : int

    Raises
    ------
    UserError
        regenie failed.
    """
    with fresh_folder(output) as folder:
        if design.traits.shape[1]:
            traits, covariates = write_tables(design, folder, header="FID")
            run_program([regenie, *step2_arguments(folder, genotypes, step1, traits, covariates, config, threads)])
            for path in folder.glob("step2_*.regenie.gz"):
                path.rename(folder / path.name.removeprefix("step2_"))
            for path in (traits, covariates, folder / "step2.log"):
                path.unlink(missing_ok=True)
        write_json(folder / "association.json", described(design, "regenie"))


def step2_arguments(
    folder: Path,
    genotypes: Path,
    step1: Path,
    traits: Path,
    covariates: Path,
    config: RegenieConfig,
    threads: int,
) -> list[str]:
    """Arguments of step 2. The alternate allele of a .pgen is the tested one."""
    return [
        "--step", "2", "--qt", "--pgen", str(genotypes / "all"), "--phenoFile", str(traits),
        "--covarFile", str(covariates), "--pred", str(step1 / "step1_pred.list"), "--bsize", str(config.step2_block),
        "--minMAC", str(config.min_mac), "--threads", str(threads), "--gz", "--out", str(folder / "step2"),
    ]  # fmt: skip


def _plain(structure: Path, folder: Path) -> Path:
    """Ids of `keep.tsv` without a header, as regenie reads them."""
    path = folder / "keep.txt"
    path.write_text((structure / "keep.tsv").read_text().partition("\n")[2])
    return path
