# compare: the encoders of one task against each other, on the locked test split, and one page over all tasks.
# Requires: the evaluation and the card of every model, every verification; manifest, audit and encoders, for what these saw.
# Makes: <results>/evaluate/comparison/{task}.json and .csv, index.html.


rule compare_task:
    input:
        config="<results>/config/evaluate.yaml",
        card="<results>/config/card.yaml",
        records="<results>/manifest/records.parquet",
        audit="<results>/manifest/audit.json",
        encoders=expand("<results>/pretrain/{encoder}/encoder.json", encoder=ENCODERS),
        metrics=expand(
            "<results>/evaluate/{encoder}/{{task}}/{fit}/metrics.json",
            only_fits,
            encoder=ENCODERS,
            fit=FITS,
        ),
        predictions=expand(
            "<results>/evaluate/{encoder}/{{task}}/{fit}/predictions.parquet",
            only_fits,
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
        models=expand("{encoder}/{fit}", only_fits, encoder=ENCODERS, fit=FITS),
    shell:
        "python -m ecglfm compare --config {input.config:q} --card {input.card:q} --results {params.results:q}"
        " --task {wildcards.task:q} --models {params.models:q} --output {output.comparison:q} 2> {log:q}"


rule compare_page:
    input:
        comparisons=expand("<results>/evaluate/comparison/{task}.json", task=TASKS),
        verifications=rules.verify_all.input.metrics,
        # that it links to: a page of whichever are there would be another at every run
        cards=expand(
            "<results>/evaluate/{encoder}/{task}/{fit}/card.html",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
    output:
        report(
            "<results>/evaluate/comparison/index.html",
            caption="../report/comparison_page.rst",
            category="Evaluation",
            labels={"encoder": "all", "fit": "all", "what": "comparison page"},
        ),
    log:
        "<results>/logs/compare_page.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output[0], ancestor=3),
        models=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=FITS),
        verified=expand("{encoder}/{task}", encoder=ENCODERS, task=VERIFICATIONS),
        baselines=BASELINES,
    shell:
        "python -m ecglfm compare-page --results {params.results:q} --models {params.models:q}"
        " --verified {params.verified:q} --baselines {params.baselines:q} --output {output:q} 2> {log:q}"


rule compare_all:
    input:
        require("encoders", "tasks"),
        comparisons=rules.compare_page.input.comparisons,
        page=rules.compare_page.output[0],
    localrule: True
