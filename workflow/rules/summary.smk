# summary: one page of who and what is in the splits, and of what is not, and why.
# Requires: the manifest and every label set, if there are any.
# Makes: <results>/manifest/summary.html.


rule summary:
    input:
        rules.manifest.output,
        labels=rules.labels.input.labels,
    output:
        report("<results>/manifest/summary.html", caption="../report/summary.rst", category="Data"),
    log:
        "<results>/logs/summary.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output[0], ancestor=2),
        tasks=TASKS,
    shell:
        "python -m ecglfm summary --results {params.results:q} --output {output:q} --tasks {params.tasks:q} 2> {log:q}"
