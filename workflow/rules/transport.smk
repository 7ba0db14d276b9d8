# evaluate_on: a finished model, `--config model=DIR`, on this project's records, as it is and adapted by some of them.
# Requires: the model's folder, the labels of the tasks with labels that it predicts, the prepared signals.
# Makes: <results>/transport/{model}/{task}/index.html, metrics.json, predictions.parquet, calibration.png.


rule evaluate_cohort:
    input:
        config="<results>/config/transport.yaml",
        model=[f"{PROJECT.model.folder}/model.{ending}" for ending in ("safetensors", "json")] if PROJECT.model else [],
        labels="<results>/labels/{task}.parquet",
        records="<results>/manifest/records.parquet",
    output:
        page=report(
            "<results>/transport/{model}/{task}/index.html",
            caption="../report/transport.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{model}", "fit": "none", "what": "transport"},
        ),
        metrics="<results>/transport/{model}/{task}/metrics.json",
        predictions="<results>/transport/{model}/{task}/predictions.parquet",
    log:
        "<results>/logs/transport/{model}/{task}.log",
    wildcard_constraints:
        model=re.escape(PROJECT.model.name) if PROJECT.model else "none",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        rule="evaluate_cohort",
        tracking=TRACKING,
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.metrics, parent=True),
    shell:
        "python -m ecglfm evaluate-on --config {input.config:q} --task {wildcards.task:q} --labels {input.labels:q}"
        " --manifest {input.records:q} --signals {params.results:q}/preprocess --output {params.folder:q}"
        " --tracking {params.tracking:q} --rule {params.rule:q} --threads {threads} 2> {log:q}"


rule evaluate_on:
    input:
        require_model,
        pages=[
            f"<results>/transport/{PROJECT.model.name}/{task}/index.html"
            for task in (PROJECT.model.tasks if PROJECT.model else [])
        ],
    localrule: True
