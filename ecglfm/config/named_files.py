"""Files of the user's own that jobs read, by the slice of the config of those jobs.

Snakemake takes what a job has made for up to date while a file that the job reads is missing. Of a config that is new
that would be what another file gave, so the workflow looks for these first.
"""

from __future__ import annotations

from pathlib import Path

from ecglfm.config.base import UserError
from ecglfm.config.discovery import DiscoverConfig
from ecglfm.config.project import Project


def named_files(project: Project) -> dict[str, list[str]]:
    """Files that tasks, `discover` and objectives name, by the slice of the jobs that read them; none of databases."""
    tasks = {f"labels/{name}": list(task.files) for name, task in project.tasks.items()}
    stratifying = {"manifest": sorted({file for task in project.stratifying.values() for file in task.files})}
    objectives = {name: one.pretrain.objective for name, one in project.encoders.items() if one.pretrain}
    folders = {name: getattr(one, "text_encoder", None) for name, one in objectives.items()}
    texts = {f"pretrain/{name}": [folder] for name, folder in folders.items() if folder}
    return tasks | stratifying | texts | _of_discover(project.config.discover)


def _of_discover(config: DiscoverConfig) -> dict[str, list[str]]:
    genotypes, panel = config.genotypes, config.heritability.panel
    calls = [genotypes.files_of(chromosome) for chromosome in genotypes.chromosomes] if genotypes else []
    found: dict[str, list[str | None]] = {
        "features": [config.features.baseline],
        "people": [*config.people_files, *(calls[0][-1:] if calls else [])],
        "quality": [*(file for files in calls for file in files), config.structure.exclude],
        "loci": [config.association.loci.genes],
        "survival": [config.survival.table if config.survival else None],
        "heritability": [
            *(f"{one}.{end}" for one in panel for end in ("bed", "bim", "fam")),
            config.heritability.ld_scores,
        ],
        "mr": [config.mr.table, *(one.statistics for one in config.mr.outcomes.values())],
        "phewas": [*config.phewas.tables],
    }
    return {f"discover/{step}": [file for file in files if file] for step, files in found.items()}


def check_named_files(files: list[str], results: str, name: str, text: str) -> None:
    """Look for the files of a slice where its jobs will run: it is not yet as `results` has it.

    Where it is, what was made of files that have been put away since stays.

    Parameters
    ----------
    files : list of str
        Of `named_files`; those within `results` may be made yet.
    results : str
    name, text : str
        Of the slice: `labels/af`, and its YAML.

    Raises
    ------
    UserError
        One of them is missing.
    """
    slice_file = Path(results, "config", f"{name}.yaml")
    if slice_file.is_file() and slice_file.read_text(encoding="utf-8") == f"{text}\n":
        return
    for file in files:
        if not Path(file).exists() and not Path(file).is_relative_to(results):
            raise UserError(f"{file}: no such file; the config names it for {name}: correct its path, or put it there")
