# ingest: every database in the same form, int16 microvolts in standard lead order.
# Requires: the index and the raw recordings of a source.
# Makes: <results>/ingest/{source}/{shard}.npy with its table and its ledger.


rule ingest_shard:
    input:
        config="<results>/config/source/{source}.yaml",
        index="<results>/index/{source}.parquet",
    output:
        signals="<results>/ingest/{source}/{shard}.npy",
        table="<results>/ingest/{source}/{shard}.parquet",
        ledger="<results>/ingest/{source}/{shard}.ledger.parquet",
    log:
        "<results>/logs/ingest/{source}/{shard}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        shards=get_shard_count,
    shell:
        "python -m ecglfm --cost {log:q}.cost ingest --config {input.config:q} --index {input.index:q}"
        " --shard {wildcards.shard:q} --shards {params.shards:q} --output {output.signals:q} --workers {threads} 2> {log:q}"


rule ingest:
    input:
        get_shard_files("ingest", SOURCES, ".npy"),
    localrule: True
