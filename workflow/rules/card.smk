# card: one page about a model: its numbers beside its baselines, and whether they can be trusted.
# Requires: its evaluation, those of the encoders with random weights on the same task, the manifest and its audit;
# of the mean beats the model and the prepared signals, which the evaluation had.
# Makes: <results>/evaluate/{encoder}/{task}/{fit}/card.html; examples/ with recordings that it got right and wrong.


rule card_model:
    input:
        metrics="<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
        baselines=expand(
            "<results>/evaluate/{random}/{{task}}/{{fit}}/metrics.json",
            random=RANDOM_ENCODERS,
        ),
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
        baselines=RANDOM_ENCODERS,
        beats=PROJECT.config.card.records,
        labels=PROJECT.config.card.labels,
    shell:
        "python -m ecglfm card --results {params.results:q} --model {wildcards.encoder:q}/{wildcards.task:q}/{wildcards.fit:q}"
        " --baselines {params.baselines:q} --beats {params.beats:q} --beat-labels {params.labels:q} --threads {threads}"
        " --output {output.card:q} 2> {log:q}"


rule card_all:
    input:
        require("encoders", "tasks"),
        cards=expand(
            "<results>/evaluate/{encoder}/{task}/{fit}/card.html",
            encoder=ENCODERS,
            task=TASKS,
            fit=FITS,
        ),
    localrule: True
