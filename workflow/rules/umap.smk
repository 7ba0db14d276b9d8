# umap: a map of each encoder's vectors by label, source, device and age. Needs the extra `umap`.
# Requires: the vectors of stage embed, the manifest, the labels.
# Makes: <results>/umap/{encoder}.png, {encoder}.parquet, umap.json; the report shows them.


rule umap:
    input:
        require("encoders"),
        rules.embed_all.input.vectors,
        rules.labels.input.labels,
        records="<results>/manifest/records.parquet",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
    output:
        made="<results>/umap/umap.json",
        tables=expand("<results>/umap/{encoder}.parquet", encoder=ENCODERS),
        maps=report(
            expand("<results>/umap/{encoder}.png", encoder=ENCODERS),
            caption="../report/umap.rst",
            category="Training",
            labels={"encoder": "all", "table": "map of the embeddings"},
        ),
    log:
        "<results>/logs/umap.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.made, parent=True),
        encoders=ENCODERS,
        tasks=TASKS,
    shell:
        "python -m ecglfm umap --results {params.results:q} --encoders {params.encoders:q} --tasks {params.tasks:q}"
        " --output {params.folder:q} 2> {log:q}"
