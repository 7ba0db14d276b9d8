# config: the slice of the config that each stage is told, as a file that the command line reads.
# Requires: the checked config.
# Makes: <results>/config/**.yaml. A stage reruns when its own slice changes, and only then.


rule config_slice:
    input:
        force_stale_slice,
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
