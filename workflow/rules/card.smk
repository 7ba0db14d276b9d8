# card: one page about a model: its numbers beside its baselines, and whether they can be trusted.
# Requires: its evaluation, those of the encoders with random or no weights on the same task, the manifest and its audit;
# of the mean beats the model and the prepared signals, which the evaluation had.
# Makes: <results>/evaluate/{encoder}/{task}/{fit}/card.html; examples/ with recordings that it got right and wrong;
# <results>/finetune/{encoder}/{task}/{fit}/card.html, the same page where the model is, so that it goes along.


rule card_model:
    input:
        config="<results>/config/card.yaml",
        metrics="<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
        baselines=get_baseline_metrics,
        encoder="<results>/pretrain/{encoder}/encoder.json",
        records="<results>/manifest/records.parquet",
        audit="<results>/manifest/audit.json",
    output:
        card=report(
            "<results>/evaluate/{encoder}/{task}/{fit}/card.html",
            caption="../report/card.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "{fit}", "what": "card"},
        ),
        beside="<results>/finetune/{encoder}/{task}/{fit}/card.html",
        examples=report(
            directory("<results>/evaluate/{encoder}/{task}/{fit}/examples"),
            patterns=["{number}.png"],
            caption="../report/examples.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "{fit}", "what": "example {number}"},
        ),
    log:
        "<results>/logs/card/{encoder}/{task}/{fit}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(input.records, ancestor=2),
        baselines=get_baselines,
    shell:
        "python -m ecglfm card --config {input.config:q} --results {params.results:q} --model {wildcards.encoder:q}/{wildcards.task:q}/{wildcards.fit:q}"
        " --baselines {params.baselines:q} --threads {threads} --output {output.card:q} --copy {output.beside:q} 2> {log:q}"


rule card_all:
    input:
        require("encoders", "tasks"),
        cards=expand(
            "<results>/evaluate/{encoder}/{task}/{fit}/card.html",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
    localrule: True
