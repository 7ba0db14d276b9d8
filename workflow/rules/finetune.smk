# finetune: one encoder on one label set, in one mode with one seed.
# Requires: an encoder, the labels of a task, the prepared signals; mode linear: the vectors of stage embed; mode zero_shot:
# the task's prompts, which the command finds beside the task's own slice.
# Makes: <results>/finetune/{encoder}/{task}/{fit}/model.safetensors, model.json, history.csv; and
# seen.safetensors, which recordings it saw (`ecglfm.models.seen`), not declared.
# Its state lies in checkpoints/ beside them until they are there, and is never declared, so that a failed job resumes.


rule finetune_model:
    input:
        config=get_finetune_config,
        encoder="<results>/pretrain/{encoder}/encoder.safetensors",
        task="<results>/config/labels/{task}.yaml",
        labels="<results>/labels/{task}.parquet",
        records="<results>/manifest/records.parquet",
        vectors=get_vectors,
        prompts=get_prompts,
    output:
        weights="<results>/finetune/{encoder}/{task}/{fit}/model.safetensors",
        info="<results>/finetune/{encoder}/{task}/{fit}/model.json",
        history=report(
            "<results>/finetune/{encoder}/{task}/{fit}/history.csv",
            caption="../report/history.rst",
            category="Training",
            labels={"encoder": "{encoder}", "table": "{task} {fit}"},
        ),
    log:
        "<results>/logs/finetune/{encoder}/{task}/{fit}.log",
    wildcard_constraints:
        fit="|".join(FITS + EFFICIENCY_FITS + FOLD_FITS),
    conda:
        "../../envs/ecglfm.yaml"
    resources:
        mpi="",  # Slurm's plugin then leaves it to the rule to start the process, so that its warning reaches that
    params:
        launcher=get_launcher,
        rule="finetune_model",
        tracking=TRACKING,
        encoder=subpath(input.encoder, parent=True),
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.weights, parent=True),
    shell:
        "{params.launcher} python -m ecglfm --cost {log:q}.cost finetune --config {input.config:q} --fit {wildcards.fit:q} --encoder {params.encoder:q}"
        " --task {input.task:q} --labels {input.labels:q} --manifest {input.records:q} --signals {params.results:q}/preprocess"
        " --output {params.folder:q} --vectors {params.results:q}/embed/{wildcards.encoder:q} --tracking {params.tracking:q} --rule {params.rule:q} --threads {threads} 2> {log:q}"


rule finetune_all:
    input:
        require("encoders", "tasks"),
        models=[
            f"<results>/finetune/{encoder}/{task}/{name}/model.safetensors"
            for encoder in ENCODERS
            for task in TASKS
            for fit in FITS
            if PROJECT.has_fit(encoder, fit)
            for name in PROJECT.models(task, fit)
        ],
    localrule: True
