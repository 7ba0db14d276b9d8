# evaluate: a fine-tuned model on the locked test split.
# Requires: a model, the labels of its task, the prepared signals; the Challenge's weights, where the config names them.
# Makes: <results>/evaluate/{encoder}/{task}/{fit}/metrics.json, predictions.parquet, curves.png, calibration.png.


rule evaluate_model:
    input:
        config="<results>/config/evaluate.yaml",
        model=get_models,
        labels="<results>/labels/{task}.parquet",
        records="<results>/manifest/records.parquet",
        index=get_task_index,
        challenge=PROJECT.config.evaluate.challenge_weights or [],
    output:
        metrics=report(
            "<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
            caption="../report/metrics.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "{fit}", "what": "metrics"},
        ),
        predictions="<results>/evaluate/{encoder}/{task}/{fit}/predictions.parquet",
        curves=report(
            "<results>/evaluate/{encoder}/{task}/{fit}/curves.png",
            caption="../report/curves.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "{fit}", "what": "curves"},
        ),
        calibration=report(
            "<results>/evaluate/{encoder}/{task}/{fit}/calibration.png",
            caption="../report/calibration.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "{fit}", "what": "calibration"},
        ),
    log:
        "<results>/logs/evaluate/{encoder}/{task}/{fit}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        rule="evaluate_model",
        tracking=TRACKING,
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.metrics, parent=True),
    shell:
        "python -m ecglfm --cost {log:q}.cost evaluate --config {input.config:q} --model {input.model:q} --labels {input.labels:q}"
        " --manifest {input.records:q} --index {input.index:q} --signals {params.results:q}/preprocess --output {params.folder:q}"
        " --tracking {params.tracking:q} --rule {params.rule:q} --threads {threads} 2> {log:q}"


rule evaluate_all:
    input:
        require("encoders", "tasks"),
        metrics=expand(
            "<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
    localrule: True
