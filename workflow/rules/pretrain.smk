# pretrain: one encoder, self-supervised; or random or imported weights in the same form.
# Requires: the manifest and the prepared signals; an objective that reads reports: the indexes, which have them.
# Makes: <results>/pretrain/{encoder}/encoder.safetensors, encoder.json, history.csv; and beside them
# seen.safetensors, where it saw recordings (`ecglfm.models.seen`), which is not declared: not every encoder has it;
# where it was aligned with reports, alignment.safetensors and the vectors of these in reports/ are not, either.
# Checkpoints live beside them and are never declared, so that a failed job resumes.


rule pretrain_encoder:
    input:
        config="<results>/config/pretrain/{encoder}.yaml",
        records="<results>/manifest/records.parquet",
        imported=get_imported,
        reports=get_reports,
    output:
        weights="<results>/pretrain/{encoder}/encoder.safetensors",
        info="<results>/pretrain/{encoder}/encoder.json",
        history=report(
            "<results>/pretrain/{encoder}/history.csv",
            caption="../report/history.rst",
            category="Training",
            labels={"encoder": "{encoder}", "table": "pretraining"},
        ),
    log:
        "<results>/logs/pretrain/{encoder}.log",
    conda:
        "../../envs/ecglfm.yaml"
    threads: 2
    resources:
        mpi="",  # Slurm's plugin then leaves it to the rule to start the ranks
    params:
        launcher=get_launcher,
        rule="pretrain_encoder",
        tracking=TRACKING,
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.weights, parent=True),
    shell:
        "{params.launcher} python -m ecglfm --cost {log:q}.cost pretrain --config {input.config:q} --manifest {input.records:q}"
        " --signals {params.results:q}/preprocess --output {params.folder:q}"
        " --tracking {params.tracking:q} --rule {params.rule:q} --threads {threads} 2> {log:q}"


rule pretrain:
    input:
        require("encoders"),
        encoders=expand("<results>/pretrain/{encoder}/encoder.safetensors", encoder=ENCODERS),
    localrule: True
