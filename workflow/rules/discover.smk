# discover: from the vectors of every encoder to genes; `snakemake discover` makes all of it.
# Requires: the vectors of stage embed, the manifest, genotypes (simulated where all sources are synthetic).
# Makes: <results>/discover/{encoder}/…; a file each for features, associations, genes and phenotypes is included here.


include: "discover_common.smk"
include: "discover_features.smk"
include: "discover_gwas.smk"
include: "discover_genes.smk"
include: "discover_phenotypes.smk"


rule discover:
    input:
        require("encoders"),
        require_genotypes,
        expand("<results>/discover/{encoder}/{file}", encoder=ENCODERS, file=DISCOVERED),
    localrule: True
