# discover, genes: credible sets, heritability, ranking of features, Mendelian randomization, replication, PheWAS.
# Requires: summary statistics and loci; what the config names: LD scores or a panel (of simulated genotypes these themselves),
# outcomes, cohorts, phenotypes. Without these names their steps are left out.
# Makes: <results>/discover/{encoder}/credible_sets.{parquet,tsv}, loci/; heritability and genetic_correlation.{parquet,tsv,png},
# ldsc/; dimensions.{parquet,tsv,json}; mr.{parquet,tsv,png} and mr_…, mr/; replication.{parquet,tsv}; phewas.{parquet,tsv,json,png}.

MEANT = PROJECT.config.discover
SIMULATED_PANEL = [f"<results>/discover/genotypes/chr{chromosome}" for chromosome in SIMULATED_CHROMOSOMES]
PANEL = MEANT.heritability.panel or ([] if MEANT.heritability.ld_scores or not SIMULATED else SIMULATED_PANEL)
HERITABLE = bool(PANEL or MEANT.heritability.ld_scores)
OUTCOME_FILES = [one.statistics for one in MEANT.mr.outcomes.values() if one.statistics]
OF_PEOPLE = MEANT.mr.table is not None


rule discover_credible_sets:
    input:
        config="<results>/config/discover/credible_sets.yaml",
        summary="<results>/discover/{encoder}/summary",
        loci="<results>/discover/{encoder}/loci.parquet",
    output:
        table="<results>/discover/{encoder}/credible_sets.parquet",
        text="<results>/discover/{encoder}/credible_sets.tsv",
        loci=directory("<results>/discover/{encoder}/loci"),
    log:
        "<results>/logs/discover/{encoder}/credible_sets.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.table, parent=True),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover credible-sets --config {input.config:q} --summary {input.summary:q}"
        " --loci {input.loci:q} --output {params.folder:q} 2> {log:q}"


rule discover_heritability:
    input:
        config="<results>/config/discover/heritability.yaml",
        summary="<results>/discover/{encoder}/summary",
        panel=[f"{prefix}.{ending}" for prefix in PANEL for ending in ("bed", "bim", "fam")],
        scores=MEANT.heritability.ld_scores or [],
    output:
        table="<results>/discover/{encoder}/heritability.parquet",
        text="<results>/discover/{encoder}/heritability.tsv",
        plot="<results>/discover/{encoder}/heritability.png",
        pairs=multiext("<results>/discover/{encoder}/genetic_correlation", ".parquet", ".tsv", ".png"),
        ldsc=directory("<results>/discover/{encoder}/ldsc"),
    log:
        "<results>/logs/discover/{encoder}/heritability.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.table, parent=True),
        panel=lambda wildcards, input: [file.removesuffix(".bed") for file in input.panel if file.endswith(".bed")],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover heritability --config {input.config:q} --summary {input.summary:q}"
        " --panel {params.panel:q} --output {params.folder:q} 2> {log:q}"


rule discover_dimensions:
    input:
        config="<results>/config/discover/dimensions.yaml",
        features=rules.discover_features.output,
        vectors=get_discovered_vectors,
        records="<results>/manifest/records.parquet",
        index=expand("<results>/index/{source}.parquet", source=SOURCES),
        ingested=get_shard_files("ingest", SOURCES, ".parquet"),
        heritability="<results>/discover/{encoder}/heritability.parquet" if HERITABLE else [],
    output:
        table="<results>/discover/{encoder}/dimensions.parquet",
        text="<results>/discover/{encoder}/dimensions.tsv",
        about="<results>/discover/{encoder}/dimensions.json",
    log:
        "<results>/logs/discover/{encoder}/dimensions.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.table, parent=True),
        results=subpath(input.records, ancestor=2),
        heritability=lambda wildcards, input: ["--heritability", input.heritability] if HERITABLE else [],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover dimensions --config {input.config:q} --features {params.folder:q}"
        " --vectors {input.vectors:q} --manifest {input.records:q} --index {input.index:q}"
        " --ingested {params.results:q}/ingest {params.heritability:q} 2> {log:q}"


rule discover_mr:
    input:
        config="<results>/config/discover/mr.yaml",
        summary="<results>/discover/{encoder}/summary",
        loci="<results>/discover/{encoder}/loci.parquet",
        outcomes=OUTCOME_FILES,
        own=MEANT.mr.table or [],
        genotypes=expand(
            "<results>/discover/{{encoder}}/genotypes/{chromosome}", chromosome=CHROMOSOMES if OF_PEOPLE else []
        ),
        people=(
            expand(
                "<results>/discover/{{encoder}}/{file}",
                file=["ids.tsv", "phenotypes.tsv", "covariates.tsv", "structure"],
            )
            if OF_PEOPLE
            else []
        ),
    output:
        estimates=multiext("<results>/discover/{encoder}/mr", ".parquet", ".tsv", ".png"),
        others=multiext(
            "<results>/discover/{encoder}/mr_",
            "checks.parquet",
            "checks.tsv",
            "instruments.parquet",
            "instruments.tsv",
            "leave_one_out.parquet",
            "leave_one_out.tsv",
        ),
        plots=directory("<results>/discover/{encoder}/mr"),
    log:
        "<results>/logs/discover/{encoder}/mr.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.plots, parent=True),
        people=lambda wildcards, input: (
            ["--genotypes", *input.genotypes, "--people", str(Path(input.people[0]).parent)] if OF_PEOPLE else []
        ),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover mr --config {input.config:q} --summary {input.summary:q}"
        " --loci {input.loci:q} {params.people:q} --output {params.folder:q} 2> {log:q}"


rule discover_replication:
    input:
        config="<results>/config/discover/replication.yaml",
        summary="<results>/discover/{encoder}/summary",
        loci="<results>/discover/{encoder}/loci.parquet",
        cohorts=MEANT.replication.files,
    output:
        table="<results>/discover/{encoder}/replication.parquet",
        text="<results>/discover/{encoder}/replication.tsv",
        plots=expand("<results>/discover/{{encoder}}/replication.{cohort}.png", cohort=MEANT.replication.cohorts),
    log:
        "<results>/logs/discover/{encoder}/replication.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.table, parent=True),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover replication --config {input.config:q} --summary {input.summary:q}"
        " --loci {input.loci:q} --output {params.folder:q} 2> {log:q}"


rule discover_phewas:
    input:
        config="<results>/config/discover/phewas.yaml",
        features=rules.discover_features.output,
        ids="<results>/discover/{encoder}/ids.tsv",
        structure="<results>/discover/{encoder}/structure",
        own=MEANT.phewas.tables,
    output:
        table="<results>/discover/{encoder}/phewas.parquet",
        text="<results>/discover/{encoder}/phewas.tsv",
        plot="<results>/discover/{encoder}/phewas.png",
        about="<results>/discover/{encoder}/phewas.json",
    log:
        "<results>/logs/discover/{encoder}/phewas.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.table, parent=True),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover phewas --config {input.config:q} --features {params.folder:q}"
        " --ids {input.ids:q} --components {input.structure:q}/pca.tsv 2> {log:q}"


DISCOVERED += [*rules.discover_credible_sets.output, *rules.discover_dimensions.output]
DISCOVERED += rules.discover_heritability.output if HERITABLE else []
DISCOVERED += rules.discover_mr.output if MEANT.mr.outcomes else []
DISCOVERED += rules.discover_replication.output if MEANT.replication.cohorts else []
DISCOVERED += rules.discover_phewas.output if MEANT.phewas.tables else []
UNASKED += [] if HERITABLE else ["heritability"]
UNASKED += [] if MEANT.mr.outcomes else ["mr"]
UNASKED += [] if MEANT.replication.cohorts else ["replication"]
UNASKED += [] if MEANT.phewas.tables else ["phewas"]
