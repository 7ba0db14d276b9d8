# label_efficiency: how good each encoder is by how many labelled patients it was fine-tuned with.
# Requires: an evaluation of every encoder, task, mode, share and seed of `finetune.label_efficiency`.
# Makes: <results>/evaluate/label_efficiency.csv, label_efficiency.png.


rule label_efficiency:
    input:
        require("encoders", "tasks"),
        require_splits,
        metrics=expand(
            "<results>/evaluate/{encoder}/{task}/{fit}/metrics.json",
            only_fits,
            encoder=ENCODERS,
            task=TASKS,
            fit=EFFICIENCY_FITS,
        ),
    output:
        table="<results>/evaluate/label_efficiency.csv",
        plot=report(
            "<results>/evaluate/label_efficiency.png",
            caption="../report/label_efficiency.rst",
            category="Evaluation",
            labels={"encoder": "all", "fit": "all", "what": "label efficiency"},
        ),
    log:
        "<results>/logs/label_efficiency.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        results=subpath(output.table, ancestor=2),
        folder=subpath(output.table, parent=True),
        include=expand("{encoder}/{task}/{fit}", only_fits, encoder=ENCODERS, task=TASKS, fit=EFFICIENCY_FITS),
    shell:
        "python -m ecglfm label-efficiency --results {params.results:q} --output {params.folder:q}"
        " --include {params.include:q} 2> {log:q}"
