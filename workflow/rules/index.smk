# index: one row per raw record of a database.
# Requires: the database's own tables, under the source's root.
# Makes: <results>/index/{source}.parquet, and, where people are left out, since when ({source}.excluded.json); for `kind: synthetic`, first the database itself.


rule synthesize_database:
    input:
        config="<results>/config/source/{source}.yaml",
    output:
        directory("<results>/synthetic/{source}"),
    log:
        "<results>/logs/synthesize/{source}.log",
    wildcard_constraints:
        source="|".join(name for name in SOURCES if PROJECT.sources[name].kind == "synthetic") or "none",
    conda:
        "../../envs/ecglfm.yaml"
    threads: 2
    shell:
        "python -m ecglfm synthesize --config {input.config:q} --output {output:q} --workers {threads} 2> {log:q}"


rule index_source:
    input:
        config="<results>/config/source/{source}.yaml",
        tables=get_tables,
    output:
        "<results>/index/{source}.parquet",
    log:
        "<results>/logs/index/{source}.log",
    conda:
        "../../envs/ecglfm.yaml"
    shell:
        "python -m ecglfm index --config {input.config:q} --output {output:q} 2> {log:q}"


rule index:
    input:
        expand("<results>/index/{source}.parquet", source=SOURCES),
    localrule: True
