# labels: one label set, record by record.
# Requires: the manifest, the index of the task's sources, one task YAML and the files that it names.
# Makes: <results>/labels/{task}.parquet and the ledger of what the task leaves out.


rule label_task:
    input:
        config="<results>/config/labels/{task}.yaml",
        records="<results>/manifest/records.parquet",
        index=get_task_index,
        files=get_task_files,
    output:
        labels="<results>/labels/{task}.parquet",
        ledger="<results>/labels/{task}.ledger.parquet",
    log:
        "<results>/logs/labels/{task}.log",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        rule="label_task",
        tracking=TRACKING,
    shell:
        "python -m ecglfm labels --config {input.config:q} --manifest {input.records:q} --index {input.index:q}"
        " --output {output.labels:q} --tracking {params.tracking:q} --rule {params.rule:q} 2> {log:q}"


rule labels:
    input:
        require("tasks"),
        labels=expand("<results>/labels/{task}.parquet", task=TASKS),
    localrule: True
