# discover, phenotypes: features against ECG biomarkers, what of an ECG makes them high or low, and survival where the
# config names time and event.
# Requires: features, the encoder and its vectors, the manifest, prepared signals, the index of every database.
# Makes: <results>/discover/{encoder}/biomarkers.{parquet,tsv,png,json}, biomarker_associations.{parquet,tsv},
# attribution.{parquet,tsv,png}, extremes.png, people_map.{parquet,png}, interpretation.json, survival.{parquet,tsv,png,json}.

SURVIVAL = PROJECT.config.discover.survival


rule discover_biomarkers:
    input:
        config="<results>/config/discover/biomarkers.yaml",
        features=rules.discover_features.output,
        records="<results>/manifest/records.parquet",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
        signals=get_shard_files("preprocess", SOURCES, ".npy"),
        tables=get_shard_files("preprocess", SOURCES, ".parquet"),
    output:
        found=multiext("<results>/discover/{encoder}/biomarkers", ".parquet", ".tsv", ".json", ".png"),
        pairs=multiext("<results>/discover/{encoder}/biomarker_associations", ".parquet", ".tsv"),
    log:
        "<results>/logs/discover/{encoder}/biomarkers.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=lambda wildcards, output: str(Path(output.found[0]).parent),
        results=subpath(input.records, ancestor=2),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover biomarkers --config {input.config:q} --features {params.folder:q}"
        " --manifest {input.records:q} --index {input.index:q} --signals {params.results:q}/preprocess"
        " --workers {threads} 2> {log:q}"


rule discover_interpret:
    input:
        config="<results>/config/discover/interpretation.yaml",
        features=rules.discover_features.output,
        encoder=get_vectors_encoder,
        vectors=get_discovered_vectors,
        records="<results>/manifest/records.parquet",
        signals=get_shard_files("preprocess", SOURCES, ".npy"),
        tables=get_shard_files("preprocess", SOURCES, ".parquet"),
    output:
        about="<results>/discover/{encoder}/interpretation.json",
        attribution=multiext("<results>/discover/{encoder}/attribution", ".parquet", ".tsv", ".png"),
        beats="<results>/discover/{encoder}/extremes.png",
        people=multiext("<results>/discover/{encoder}/people_map", ".parquet", ".png"),
    log:
        "<results>/logs/discover/{encoder}/interpret.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.about, parent=True),
        encoder=subpath(input.encoder, parent=True),
        results=subpath(input.records, ancestor=2),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover interpret --config {input.config:q} --features {params.folder:q}"
        " --encoder {params.encoder:q} --vectors {input.vectors:q} --manifest {input.records:q}"
        " --signals {params.results:q}/preprocess --threads {threads} 2> {log:q}"


rule discover_survival:
    input:
        config="<results>/config/discover/survival.yaml",
        features=rules.discover_features.output,
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
        own=(SURVIVAL.table or []) if SURVIVAL else [],
    output:
        multiext("<results>/discover/{encoder}/survival", ".parquet", ".tsv", ".json", ".png"),
    log:
        "<results>/logs/discover/{encoder}/survival.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover survival --config {input.config:q} --features {params.folder:q}"
        " --index {input.index:q} 2> {log:q}"


DISCOVERED += [*rules.discover_biomarkers.output, *rules.discover_interpret.output]
DISCOVERED += rules.discover_survival.output if SURVIVAL else []
UNASKED += [] if SURVIVAL else ["survival"]
