# embed: a vector for every prepared recording; linear probes read those of its windows.
# Requires: an encoder, the prepared signals of one database; neither manifest nor labels.
# Makes: <results>/embed/{encoder}/{source}.parquet, {source}.windows.parquet.


rule embed_source:
    input:
        encoder="<results>/pretrain/{encoder}/encoder.safetensors",
        signals=lambda wildcards: get_shard_files("preprocess", [wildcards.source], ".npy"),
        tables=lambda wildcards: get_shard_files("preprocess", [wildcards.source], ".parquet"),
    output:
        records="<results>/embed/{encoder}/{source}.parquet",
        windows="<results>/embed/{encoder}/{source}.windows.parquet",
    log:
        "<results>/logs/embed/{encoder}/{source}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        encoder=subpath(input.encoder, parent=True),
        results=subpath(output.records, ancestor=3),
        shards=get_shard_count,
    shell:
        "python -m ecglfm --cost {log:q}.cost embed --encoder {params.encoder:q} --prepared {params.results:q}/preprocess/{wildcards.source:q}"
        " --shards {params.shards:q} --output {output.records:q} --threads {threads} 2> {log:q}"


rule embed_all:
    input:
        require("encoders"),
        vectors=expand("<results>/embed/{encoder}/{source}.parquet", encoder=ENCODERS, source=SOURCES),
    localrule: True
