# manifest: which record belongs to whom and to which split; what was dropped and why; the audit.
# Requires: index, ingest and preprocess tables of every source; label files of the tasks of `manifest.stratify`.
# Makes: <results>/manifest/records.parquet, ledger.parquet, audit.json. A failed audit fails the build.
# Later stages depend on the signals through records.parquet, which holds the SHA-256 of each: naming a thousand
# shards again in each of a hundred fits made a plan five times slower.


rule manifest:
    input:
        config="<results>/config/manifest.yaml",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
        tables=get_shard_files("preprocess", SOURCES, ".parquet"),
        signals=get_shard_files("preprocess", SOURCES, ".npy"),
        ledgers=get_shard_files("ingest", SOURCES, ".ledger.parquet")
        + get_shard_files("preprocess", SOURCES, ".ledger.parquet"),
        files=STRATIFY_FILES,
    output:
        records="<results>/manifest/records.parquet",
        ledger=report(
            "<results>/manifest/ledger.parquet",
            caption="../report/manifest.rst",
            category="Data",
        ),
        audit=report("<results>/manifest/audit.json", caption="../report/audit.rst", category="Data"),
    log:
        "<results>/logs/manifest.log",
    conda:
        "../../envs/ecglfm.yaml"
    threads: 2
    params:
        rule="manifest",
        tracking=TRACKING,
        results=subpath(output.records, ancestor=2),
        folder=subpath(output.records, parent=True),
    shell:
        "python -m ecglfm manifest --config {input.config:q} --results {params.results:q} --output {params.folder:q}"
        " --tracking {params.tracking:q} --rule {params.rule:q} --workers {threads} 2> {log:q}"
