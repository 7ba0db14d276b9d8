# preprocess: model-ready signals at one rate, with quality flags.
# Requires: ingest shards.
# Makes: <results>/preprocess/{source}/{shard}.npy with its table and its ledger.


rule preprocess_shard:
    input:
        config="<results>/config/preprocess.yaml",
        signals="<results>/ingest/{source}/{shard}.npy",
        table="<results>/ingest/{source}/{shard}.parquet",
    output:
        signals="<results>/preprocess/{source}/{shard}.npy",
        table="<results>/preprocess/{source}/{shard}.parquet",
        ledger="<results>/preprocess/{source}/{shard}.ledger.parquet",
    log:
        "<results>/logs/preprocess/{source}/{shard}.log",
    conda:
        "../../envs/ecglfm.yaml"
    shell:
        "python -m ecglfm --cost {log:q}.cost preprocess --config {input.config:q} --input {input.signals:q} --output {output.signals:q}"
        " --workers {threads} 2> {log:q}"


rule preprocess:
    input:
        get_shard_files("preprocess", SOURCES, ".npy"),
    localrule: True
