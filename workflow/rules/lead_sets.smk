# lead_sets: each fine-tuned model on the locked test split, told fewer and fewer leads.
# Requires: a model, its evaluation, the labels of its task, the prepared signals.
# Makes: <results>/lead_sets/{encoder}/{task}/{fit}/metrics.json, table.csv, curve.png;
# <results>/lead_sets/index.html, lead_sets.json, lead_sets.csv of all models.


rule lead_sets_model:
    input:
        config="<results>/config/lead_sets.yaml",
        evaluation="<results>/config/evaluate.yaml",
        model=get_models,
        predictions="<results>/evaluate/{encoder}/{task}/{fit}/predictions.parquet",
        labels="<results>/labels/{task}.parquet",
        records="<results>/manifest/records.parquet",
    output:
        metrics="<results>/lead_sets/{encoder}/{task}/{fit}/metrics.json",
        table="<results>/lead_sets/{encoder}/{task}/{fit}/table.csv",
        curve=report(
            "<results>/lead_sets/{encoder}/{task}/{fit}/curve.png",
            caption="../report/lead_sets.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "{fit}", "what": "lead sets"},
        ),
    log:
        "<results>/logs/lead_sets/{encoder}/{task}/{fit}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.metrics, parent=True),
    shell:
        "python -m ecglfm lead-sets --config {input.config:q} --evaluation {input.evaluation:q} --model {input.model:q}"
        " --predictions {input.predictions:q} --labels {input.labels:q} --manifest {input.records:q}"
        " --signals {params.results:q}/preprocess --output {params.folder:q} --threads {threads} 2> {log:q}"


rule lead_sets:
    input:
        require("encoders", "tasks"),
        metrics=expand(
            "<results>/lead_sets/{encoder}/{task}/{fit}/metrics.json",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
    output:
        page="<results>/lead_sets/index.html",
        numbers="<results>/lead_sets/lead_sets.json",
        table="<results>/lead_sets/lead_sets.csv",
    log:
        "<results>/logs/lead_sets.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output.page, ancestor=2),
        include=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=FITS),
    shell:
        "python -m ecglfm lead-sets-page --results {params.results:q} --include {params.include:q} 2> {log:q}"
