# compare: the encoders of one task against each other, on the locked test split.
# Requires: the evaluation of every model of the task.
# Makes: <results>/evaluate/comparison/{task}.json and .csv.


rule compare_task:
    input:
        config="<results>/config/evaluate.yaml",
        metrics=expand(
            "<results>/evaluate/{encoder}/{{task}}/{fit}/metrics.json",
            encoder=ENCODERS,
            fit=FITS,
        ),
        predictions=expand(
            "<results>/evaluate/{encoder}/{{task}}/{fit}/predictions.parquet",
            encoder=ENCODERS,
            fit=FITS,
        ),
    output:
        comparison="<results>/evaluate/comparison/{task}.json",
        table=report(
            "<results>/evaluate/comparison/{task}.csv",
            caption="../report/comparison.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "all", "fit": "all", "what": "comparison"},
        ),
    log:
        "<results>/logs/compare/{task}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output.comparison, ancestor=3),
        models=expand("{encoder}/{fit}", encoder=ENCODERS, fit=FITS),
    shell:
        "python -m ecglfm compare --config {input.config} --results {params.results} --task {wildcards.task}"
        " --models {params.models} --output {output.comparison} 2> {log}"


rule compare_all:
    input:
        require("encoders", "tasks"),
        comparisons=expand("<results>/evaluate/comparison/{task}.json", task=TASKS),
    localrule: True
