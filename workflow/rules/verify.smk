# verify: does an encoder tell people apart? Pairs of test recordings of the same patient or of two.
# Requires: an encoder, the manifest and its audit, the prepared signals.
# Makes: <results>/verify/{encoder}/{task}/metrics.json, scores.parquet, curves.png.


rule verify_encoder:
    input:
        config="<results>/config/verify/{task}.yaml",
        encoder="<results>/pretrain/{encoder}/encoder.safetensors",
        records="<results>/manifest/records.parquet",
        audit="<results>/manifest/audit.json",
    output:
        metrics=report(
            "<results>/verify/{encoder}/{task}/metrics.json",
            caption="../report/verification.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "none", "what": "metrics"},
        ),
        scores="<results>/verify/{encoder}/{task}/scores.parquet",
        curves=report(
            "<results>/verify/{encoder}/{task}/curves.png",
            caption="../report/verification.rst",
            category="Evaluation",
            subcategory="{task}",
            labels={"encoder": "{encoder}", "fit": "none", "what": "curves"},
        ),
    log:
        "<results>/logs/verify/{encoder}/{task}.log",
    wildcard_constraints:
        task="|".join(VERIFICATIONS) or "none",
    conda:
        "../../envs/ecglfm.yaml"
    params:
        rule="verify_encoder",
        tracking=TRACKING,
        encoder=subpath(input.encoder, parent=True),
        results=subpath(input.records, ancestor=2),
        folder=subpath(output.metrics, parent=True),
    shell:
        "python -m ecglfm verify --config {input.config:q} --encoder {params.encoder:q} --manifest {input.records:q}"
        " --audit {input.audit:q} --signals {params.results:q}/preprocess --output {params.folder:q}"
        " --tracking {params.tracking:q} --rule {params.rule:q} --threads {threads} 2> {log:q}"


rule verify_all:
    input:
        require("encoders", "verifications"),
        metrics=expand(
            "<results>/verify/{encoder}/{task}/metrics.json",
            encoder=ENCODERS,
            task=VERIFICATIONS,
        ),
    localrule: True
