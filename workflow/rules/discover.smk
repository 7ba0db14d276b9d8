# discover: from the vectors of every encoder to genes; `snakemake discover` makes all of it.
# Requires: the vectors of stage embed, the manifest, genotypes (simulated where all sources are synthetic).
# Makes: <results>/discover/{encoder}/index.html, the page, and what it shows; a file each for features, associations, genes
# and phenotypes is included here.


include: "discover_common.smk"
include: "discover_features.smk"
include: "discover_gwas.smk"
include: "discover_genes.smk"
include: "discover_phenotypes.smk"


rule discover_report:
    input:
        DISCOVERED,
        planted=rules.discover_simulate.output.planted if SIMULATED else [],
    output:
        report(
            "<results>/discover/{encoder}/index.html",
            caption="../report/discover.rst",
            category="Discovery",
            labels={"encoder": "{encoder}", "what": "page"},
        ),
    log:
        "<results>/logs/discover/{encoder}/report.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output[0], parent=True),
        planted=lambda wildcards, input: ["--planted", input.planted] if input.planted else [],
        without=["--without", *UNASKED] if UNASKED else [],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover report --folder {params.folder:q} {params.planted:q} {params.without:q}"
        " --output {output:q} 2> {log:q}"


rule discover:
    input:
        require("encoders"),
        require_genotypes,
        expand("<results>/discover/{encoder}/index.html", encoder=ENCODERS),
    localrule: True
