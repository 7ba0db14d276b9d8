# discover, common: names and functions that the rules of `discover` share.
# Requires: the checked config.
# Makes: nothing.

from ecglfm.config.discovery import is_simulated

#: Tables and figures that the config asks for, which the page shows; files that are included append outputs of their rules.
DISCOVERED = []
#: Sections of the page that it does not ask for: the folder may hold what an earlier config made.
UNASKED = []
SIMULATED = is_simulated(PROJECT.config.discover, PROJECT.sources)
SIMULATED_CHROMOSOMES = ["1", "2", "3", "4"]
GENOTYPES = PROJECT.config.discover.genotypes
CHROMOSOMES = GENOTYPES.chromosomes if GENOTYPES else SIMULATED_CHROMOSOMES
REGENIE = PROJECT.config.discover.association.engine == "regenie"


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


def get_attributed(wildcards):
    """The fine-tuned model of `kind: attribution`; nothing for other kinds."""
    chosen = PROJECT.config.discover.features
    if chosen.kind != "attribution":
        return []
    fit = chosen.fit or FITS[0]
    if chosen.task not in TASKS or fit not in FITS or PROJECT.models(chosen.task, fit) != [fit]:
        sys.exit(
            f"discover.features: there is no model {chosen.task}/{fit}: of `tasks`, those that are not cross-validated"
            f" ({', '.join(TASKS)}), and fits ({', '.join(FITS)})"
        )
    return f"<results>/finetune/{wildcards.encoder}/{chosen.task}/{fit}/model.safetensors"


def get_discovered_vectors(wildcards):
    """Vectors that features are made of: the encoder's, or those of the model that attributes."""
    chosen = PROJECT.config.discover.features
    folder = "discover/{0}/embed" if chosen.kind == "attribution" else "embed/{0}"
    sources = chosen.sources or SOURCES
    return [f"<results>/{folder.format(wildcards.encoder)}/{source}.parquet" for source in sources]


def get_measured(wildcards):
    """Measured traits beside the features; nothing where the config names none."""
    named = PROJECT.config.discover.people.measured
    return f"<results>/discover/{wildcards.encoder}/biomarkers.parquet" if named else []


def get_genotypes(wildcards):
    """Files of a chromosome: the user's, or simulated ones."""
    if GENOTYPES is not None:
        return GENOTYPES.files_of(wildcards.chromosome)
    return [f"<results>/discover/genotypes/chr{wildcards.chromosome}.{ending}" for ending in ("bed", "bim", "fam")]


def get_batches(wildcards):
    """Batches of an encoder's features and what was measured beside them: 1/3, 2/3, 3/3, in file names 1of3 …"""
    discover = PROJECT.config.discover
    width = getattr(PROJECT.encoders[wildcards.encoder].model, "dim", 0)
    features = width if discover.features.kind == "dimensions" else discover.features.count
    traits = max(features, 1) + len(discover.people.measured)
    batches = -(-traits // discover.association.batch)
    return [f"{batch}of{batches}" for batch in range(1, batches + 1)]


def get_predictions(wildcards):
    """What regenie's first step made of the same features."""
    return [f"<results>/discover/{wildcards.encoder}/predictions/{wildcards.batch}"] if REGENIE else []


def get_associations(wildcards):
    """Folders of all chromosomes and batches."""
    folder = f"<results>/discover/{wildcards.encoder}/association"
    return [f"{folder}/{chromosome}/{batch}" for chromosome in CHROMOSOMES for batch in get_batches(wildcards)]


def get_genes(wildcards):
    """The annotation: the user's, or of simulated genotypes."""
    named = PROJECT.config.discover.association.loci.genes
    return named or ([] if GENOTYPES else "<results>/discover/genotypes/genes.tsv")


def get_vectors_encoder(wildcards):
    """Whose vectors features are made of: the encoder, or the model that attributes."""
    return get_attributed(wildcards) or f"<results>/pretrain/{wildcards.encoder}/encoder.safetensors"
