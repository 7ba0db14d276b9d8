# confounders: what vectors and models know of device, site, year and noise, and what is left of AUROCs without it.
# Requires: the vectors of stage embed, the index of every database; of models their evaluation and labels.
# Makes: <results>/confounders/{encoder}/embedding.json, {encoder}/{task}/{fit}/metrics.json;
# <results>/confounders/index.html, confounders.json, confounders.csv, confounders.png of all.
# The tables of `ingest` say rates as recorded. They are no inputs: who has put them away does not ingest anew for that.


rule confounders_encoder:
    input:
        config="<results>/config/confounders.yaml",
        evaluation="<results>/config/evaluate.yaml",
        vectors=expand("<results>/embed/{{encoder}}/{source}.parquet", source=SOURCES),
        records="<results>/manifest/records.parquet",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
    output:
        "<results>/confounders/{encoder}/embedding.json",
    log:
        "<results>/logs/confounders/{encoder}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(input.records, ancestor=2),
    shell:
        "python -m ecglfm confounders --config {input.config:q} --evaluation {input.evaluation:q}"
        " --vectors {input.vectors:q} --manifest {input.records:q} --index {input.index:q}"
        " --ingested {params.results:q}/ingest --output {output:q} 2> {log:q}"


rule confounders_model:
    input:
        config="<results>/config/confounders.yaml",
        evaluation="<results>/config/evaluate.yaml",
        metrics="<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
        predictions="<results>/evaluate/{encoder}/{task}/{fit}/predictions.parquet",
        labels="<results>/labels/{task}.parquet",
        records="<results>/manifest/records.parquet",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
    output:
        "<results>/confounders/{encoder}/{task}/{fit}/metrics.json",
    log:
        "<results>/logs/confounders/{encoder}/{task}/{fit}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(input.records, ancestor=2),
        evaluated=subpath(input.metrics, parent=True),
    shell:
        "python -m ecglfm confounders --config {input.config:q} --evaluation {input.evaluation:q}"
        " --evaluated {params.evaluated:q} --labels {input.labels:q} --manifest {input.records:q} --index {input.index:q}"
        " --ingested {params.results:q}/ingest --output {output:q} 2> {log:q}"


rule confounders:
    input:
        require("encoders"),
        encoders=expand("<results>/confounders/{encoder}/embedding.json", encoder=ENCODERS),
        models=expand(
            "<results>/confounders/{encoder}/{task}/{fit}/metrics.json",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
    output:
        page="<results>/confounders/index.html",
        numbers="<results>/confounders/confounders.json",
        table="<results>/confounders/confounders.csv",
        picture=report(
            "<results>/confounders/confounders.png",
            caption="../report/confounders.rst",
            category="Evaluation",
            labels={"encoder": "all", "fit": "all", "what": "confounders"},
        ),
    log:
        "<results>/logs/confounders.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output.page, ancestor=2),
        encoders=ENCODERS,
        include=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=FITS),
    shell:
        "python -m ecglfm confounders-page --results {params.results:q} --encoders {params.encoders:q}"
        " --include {params.include:q} 2> {log:q}"
