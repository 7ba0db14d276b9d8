# discover, features: what of an encoder's vectors is looked at as a trait, and of whom.
# Requires: the vectors of stage embed (of `kind: attribution` a fine-tuned model), the manifest, the index of every database.
# Makes: <results>/discover/{encoder}/people.parquet, edf.parquet, edf_raw.parquet, edf_weights.parquet, edf.json;
# phenotypes.tsv, covariates.tsv, ids.tsv, people.json of those among the genotypes; of synthetic people the genotypes.


rule discover_embed:
    input:
        model=get_attributed,
        signals=lambda wildcards: get_shard_files("preprocess", [wildcards.source], ".npy"),
        tables=lambda wildcards: get_shard_files("preprocess", [wildcards.source], ".parquet"),
    output:
        records="<results>/discover/{encoder}/embed/{source}.parquet",
        windows=temp("<results>/discover/{encoder}/embed/{source}.windows.parquet"),
    log:
        "<results>/logs/discover/{encoder}/embed/{source}.log",
    conda:
        "../../envs/discover.yaml"
    params:
        model=subpath(input.model, parent=True),
        results=subpath(output.records, ancestor=4),
        shards=get_shard_count,
    shell:
        "python -m ecglfm --cost {log:q}.cost embed --encoder {params.model:q} --prepared {params.results:q}/preprocess/{wildcards.source:q}"
        " --shards {params.shards:q} --output {output.records:q} --threads {threads} 2> {log:q}"


rule discover_features:
    input:
        config="<results>/config/discover/features.yaml",
        vectors=get_discovered_vectors,
        model=get_attributed,
        records="<results>/manifest/records.parquet",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
        baseline=PROJECT.config.discover.features.baseline or [],
    output:
        people="<results>/discover/{encoder}/people.parquet",
        raw="<results>/discover/{encoder}/edf_raw.parquet",
        features="<results>/discover/{encoder}/edf.parquet",
        weights="<results>/discover/{encoder}/edf_weights.parquet",
        about="<results>/discover/{encoder}/edf.json",
    log:
        "<results>/logs/discover/{encoder}/features.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.people, parent=True),
        model=lambda wildcards, input: ["--model", str(Path(input.model).parent)] if input.model else [],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover features --config {input.config:q} --vectors {input.vectors:q}"
        " --manifest {input.records:q} --index {input.index:q} {params.model:q} --output {params.folder:q} 2> {log:q}"


rule discover_people:
    input:
        require_genotypes,
        config="<results>/config/discover/people.yaml",
        features="<results>/discover/{encoder}/edf.parquet",
        people="<results>/discover/{encoder}/people.parquet",
        samples=get_samples,
        measured=get_measured,
        own=PROJECT.config.discover.people_files,
    output:
        phenotypes="<results>/discover/{encoder}/phenotypes.tsv",
        covariates="<results>/discover/{encoder}/covariates.tsv",
        ids="<results>/discover/{encoder}/ids.tsv",
        counts="<results>/discover/{encoder}/people.json",
    log:
        "<results>/logs/discover/{encoder}/people.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.ids, parent=True),
        measured=lambda wildcards, input: ["--measured", input.measured] if input.measured else [],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover people --config {input.config:q} --features {input.features:q}"
        " --people {input.people:q} --samples {input.samples:q} {params.measured:q}"
        " --output {params.folder:q} 2> {log:q}"


rule discover_simulate:
    input:
        config="<results>/config/discover/simulation.yaml",
    output:
        expand(
            "<results>/discover/genotypes/chr{chromosome}.{ending}",
            chromosome=SIMULATED_CHROMOSOMES,
            ending=["bed", "bim", "fam"],
        ),
        genes="<results>/discover/genotypes/genes.tsv",
        planted="<results>/discover/genotypes/planted.tsv",
    log:
        "<results>/logs/discover/simulate.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.planted, parent=True),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover simulate --config {input.config:q} --output {params.folder:q} 2> {log:q}"


DISCOVERED += [*rules.discover_features.output, *rules.discover_people.output]
