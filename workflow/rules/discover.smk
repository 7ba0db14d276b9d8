# discover: from the vectors of every encoder to genes; `snakemake discover` makes all of it.
# Requires: the vectors of stage embed, the manifest, genotypes (simulated where all sources are synthetic).
# Makes: <results>/discover/{encoder}/…; a file each for features, associations, genes and phenotypes is included here.

from ecglfm.config.discovery.slices import is_simulated

#: Files below <results>/discover/{encoder} that the target is made of; the files that are included here append theirs.
DISCOVERED = []
SIMULATED = is_simulated(PROJECT.config.discover, PROJECT.sources)
SIMULATED_CHROMOSOMES = ["1", "2", "3", "4"]


def require_genotypes(wildcards):
    """Input function of what needs genotypes; it exits as `require` does."""
    if PROJECT.config.discover.genotypes is None and not SIMULATED:
        sys.exit(
            "discover: where are the genotypes? Name them under `discover.genotypes` of config.yaml (docs/discover.md);"
            " without that they are simulated, for a project whose sources are all synthetic"
        )
    return []


def get_samples(wildcards):
    """Who is in the genotypes: the list beside the first chromosome, .fam, .psam or .sample."""
    named = PROJECT.config.discover.genotypes
    if named is None:
        return "<results>/discover/genotypes/chr1.fam"
    return named.files_of(named.chromosomes[0])[-1]


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
