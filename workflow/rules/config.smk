# config: the slice of the config that each stage is told, as a file that the command line reads.
# Requires: the checked config.
# Makes: <results>/config/**.yaml. A stage reruns when its own slice changes, and only then.

from snakemake.io import IOFile


def get_none(wildcards):
    """No input. A slice is made anew, too, where its file says otherwise and Snakemake would not see it.

    It compares with its own records, by path in the folder where it runs: results that were moved, or that another
    clone went on with, have none, or those of a config that was there before.
    """
    path, text = f"{PROJECT.config.results}/config/{wildcards.slice}.yaml", SLICES[wildcards.slice]
    if Path(path).is_file() and Path(path).read_text(encoding="utf-8") != f"{text}\n":
        record = workflow.persistence.metadata(IOFile(path))
        if record is None or repr(text) in (record.params or []):
            workflow.dag.forcefiles.add(path)
    return []


rule config_slice:
    input:
        get_none,
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
        "printf '%s\\n' {params.content:q} > {output:q} 2> {log:q}"
