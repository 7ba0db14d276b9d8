# What every stage shares: the checked config, lists of names, and the slice of the config a stage is told.
# Requires: config/config.yaml and the YAML files that it names.
# Makes: <results>/config/**.yaml, one slice per stage; a stage reruns when its own slice changes.

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir).parent))  # a clone works before ecglfm is installed

from ecglfm.config import Project, UserError
from ecglfm.config.identity import check_identity, write_identity
from snakemake.exceptions import WorkflowError

CONFIG_DIR = Path("config") if Path("config/sources").is_dir() else Path(workflow.basedir).parent / "config"

try:
    PROJECT = Project(config, CONFIG_DIR)
    check_identity(PROJECT)
except UserError as error:
    raise WorkflowError(str(error)) from None

SOURCES = list(PROJECT.sources)
ENCODERS = list(PROJECT.encoders)
TASKS = list(PROJECT.tasks)
FITS = PROJECT.fits
SLICES = PROJECT.slices()


wildcard_constraints:
    source="|".join(SOURCES),
    encoder="|".join(ENCODERS),
    task="|".join(TASKS),
    fit="|".join(FITS),
    shard=r"\d{3,}",


def remember_identity():
    """Once a run starts, the results folder remembers which databases fill it."""
    write_identity(PROJECT)


def get_shards(source):
    """Shard names of a source: 000, 001, …"""
    return [f"{shard:03d}" for shard in range(PROJECT.sources[source].shards)]


def get_shard_files(stage, sources, ending):
    """One file per shard of each source in a stage's folder."""
    return [f"<results>/{stage}/{source}/{shard}{ending}" for source in sources for shard in get_shards(source)]


def get_slice(wildcards):
    """Text of one config slice."""
    return SLICES[wildcards.slice]


rule config_slice:
    output:
        "<results>/config/{slice}.yaml",
    log:
        "<results>/logs/config/{slice}.log",
    wildcard_constraints:
        slice="|".join(SLICES),
    localrule: True
    conda:
        "../../envs/ecglfm.yaml"
    params:
        content=get_slice,
    shell:
        "printf '%s\\n' {params.content:q} > {output} 2> {log}"
