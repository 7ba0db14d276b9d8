# report: one page with the data, the training curves, the numbers and example ECGs.
# Requires: the manifest, every training history and every evaluation.
# Makes: <results>/report/index.html.


rule report:
    input:
        rules.manifest.output,
        rules.summary.output,
        rules.pretrain.input.encoders,
        rules.labels.input.labels,
        rules.finetune_all.input.models,
        rules.evaluate_all.input.metrics,
        rules.card_all.input.cards,
        rules.compare_all.input.page
        if len(ENCODERS) * (1 + len(PROJECT.config.finetune.variants)) > 1 and TASKS
        else [],
        # one has nothing to be compared with
        rules.verify_all.input.metrics,
        get_analyses,
    output:
        report("<results>/report/index.html", caption="../report/report.rst", category="Report"),
    log:
        "<results>/logs/report.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        rule="report",
        tracking=TRACKING,
        results=subpath(output[0], ancestor=2),
        include=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=FITS),
        verified=expand("{encoder}/{task}", encoder=ENCODERS, task=VERIFICATIONS),
    shell:
        "python -m ecglfm report --results {params.results:q} --output {output:q} --include {params.include:q}"
        " --verified {params.verified:q}"
        " --tracking {params.tracking:q} --rule {params.rule:q} 2> {log:q}"
