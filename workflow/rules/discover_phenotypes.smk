# discover, phenotypes: features against ECG biomarkers, and survival where the config names time and event.
# Requires: features, the manifest, prepared signals, the index of every database.
# Makes: <results>/discover/{encoder}/biomarkers.{parquet,tsv,png,json}, biomarker_associations.{parquet,tsv},
# survival.{parquet,tsv,png,json}.

SURVIVAL = PROJECT.config.discover.survival
DISCOVERED += ["biomarkers.json"] + (["survival.json"] if SURVIVAL else [])


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
