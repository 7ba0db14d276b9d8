# discover, phenotypes: features against ECG biomarkers.
# Requires: features, the manifest, prepared signals, the index of every database.
# Makes: <results>/discover/{encoder}/biomarkers.{parquet,tsv,png,json}, biomarker_associations.{parquet,tsv}.

DISCOVERED += ["biomarkers.json"]


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
        folder=subpath(output.found[0], parent=True),
        results=subpath(input.records, ancestor=2),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover biomarkers --config {input.config:q} --features {params.folder:q}"
        " --manifest {input.records:q} --index {input.index:q} --signals {params.results:q}/preprocess"
        " --workers {threads} 2> {log:q}"
