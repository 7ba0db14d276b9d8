# discover, gwas: quality control of genotypes, components, association by chromosome and batch of features, loci.
# Requires: phenotypes.tsv, covariates.tsv; genotypes; plink2 and plink1.9, or regenie in the place of plink2's regression.
# Makes: <results>/discover/{encoder}/genotypes/{chromosome}/ (all.pgen, pruned.bed, quality.json), structure/ (pca.tsv,
# keep.tsv, dropped.tsv, eigenvalues.tsv, pruned.bed), association/{chromosome}/{batch}/ and, of regenie, predictions/{batch}/;
# summary/{edf}.tsv.zst, lambda.{tsv,parquet}, skipped.{tsv,parquet}, tests.json; loci.parquet, loci.tsv, manhattan.png, qq.png, miami.png, scans/.


rule discover_genotypes:
    input:
        config="<results>/config/discover/quality.yaml",
        genotypes=get_genotypes,
        people="<results>/discover/{encoder}/phenotypes.tsv",
        exclude=PROJECT.config.discover.structure.exclude or [],
    output:
        directory("<results>/discover/{encoder}/genotypes/{chromosome}"),
    log:
        "<results>/logs/discover/{encoder}/genotypes/{chromosome}.log",
    wildcard_constraints:
        chromosome="|".join(CHROMOSOMES),
    conda:
        "../../envs/discover.yaml"
    params:
        simulated=lambda wildcards, input: [] if GENOTYPES else ["--simulated", input.genotypes[0].removesuffix(".bed")],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover genotypes --config {input.config:q} --chromosome {wildcards.chromosome:q}"
        " {params.simulated:q} --people {input.people:q} --output {output:q} --threads {threads} 2> {log:q}"


rule discover_structure:
    input:
        config="<results>/config/discover/quality.yaml",
        genotypes=expand("<results>/discover/{{encoder}}/genotypes/{chromosome}", chromosome=CHROMOSOMES),
    output:
        directory("<results>/discover/{encoder}/structure"),
    log:
        "<results>/logs/discover/{encoder}/structure.log",
    conda:
        "../../envs/discover.yaml"
    shell:
        "python -m ecglfm --cost {log:q}.cost discover structure --config {input.config:q} --genotypes {input.genotypes:q}"
        " --output {output:q} --threads {threads} 2> {log:q}"


rule discover_predict:
    input:
        config="<results>/config/discover/association.yaml",
        phenotypes="<results>/discover/{encoder}/phenotypes.tsv",
        covariates="<results>/discover/{encoder}/covariates.tsv",
        structure="<results>/discover/{encoder}/structure",
    output:
        directory("<results>/discover/{encoder}/predictions/{batch}"),
    log:
        "<results>/logs/discover/{encoder}/predict/{batch}.log",
    wildcard_constraints:
        batch=r"\d+of\d+",
    conda:
        "../../envs/discover.yaml"
    params:
        batch=lambda wildcards: wildcards.batch.replace("of", "/"),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover predict --config {input.config:q} --phenotypes {input.phenotypes:q}"
        " --covariates {input.covariates:q} --structure {input.structure:q} --batch {params.batch:q} --output {output:q}"
        " --threads {threads} 2> {log:q}"


rule discover_associate:
    input:
        config="<results>/config/discover/association.yaml",
        genotypes="<results>/discover/{encoder}/genotypes/{chromosome}",
        phenotypes="<results>/discover/{encoder}/phenotypes.tsv",
        covariates="<results>/discover/{encoder}/covariates.tsv",
        structure="<results>/discover/{encoder}/structure",
        predictions=get_predictions,
    output:
        directory("<results>/discover/{encoder}/association/{chromosome}/{batch}"),
    log:
        "<results>/logs/discover/{encoder}/associate/{chromosome}.{batch}.log",
    wildcard_constraints:
        chromosome="|".join(CHROMOSOMES),
        batch=r"\d+of\d+",
    conda:
        "../../envs/discover.yaml"
    params:
        batch=lambda wildcards: wildcards.batch.replace("of", "/"),
        predictions=lambda wildcards, input: ["--predictions", input.predictions] if REGENIE else [],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover associate --config {input.config:q} --genotypes {input.genotypes:q}"
        " --phenotypes {input.phenotypes:q} --covariates {input.covariates:q} --structure {input.structure:q}"
        " {params.predictions:q} --batch {params.batch:q} --output {output:q} --threads {threads} 2> {log:q}"


rule discover_summary:
    input:
        config="<results>/config/discover/association.yaml",
        associations=get_associations,
        phenotypes="<results>/discover/{encoder}/phenotypes.tsv",
        covariates="<results>/discover/{encoder}/covariates.tsv",
        structure="<results>/discover/{encoder}/structure",
    output:
        summary=directory("<results>/discover/{encoder}/summary"),
        inflation=multiext("<results>/discover/{encoder}/lambda", ".tsv", ".parquet"),
        skipped=multiext("<results>/discover/{encoder}/skipped", ".tsv", ".parquet"),
        tests="<results>/discover/{encoder}/tests.json",
    log:
        "<results>/logs/discover/{encoder}/summary.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.tests, parent=True),
        chromosomes=CHROMOSOMES,
        batches=lambda wildcards: len(get_batches(wildcards)),
    shell:
        "python -m ecglfm --cost {log:q}.cost discover summary --config {input.config:q} --associations {params.folder:q}/association"
        " --chromosomes {params.chromosomes:q} --batches {params.batches:q}"
        " --phenotypes {input.phenotypes:q} --covariates {input.covariates:q} --structure {input.structure:q}"
        " --output {params.folder:q} --threads {threads} 2> {log:q}"


rule discover_loci:
    input:
        config="<results>/config/discover/loci.yaml",
        summary="<results>/discover/{encoder}/summary",
        tests="<results>/discover/{encoder}/tests.json",
        genotypes=expand("<results>/discover/{{encoder}}/genotypes/{chromosome}", chromosome=CHROMOSOMES),
        structure="<results>/discover/{encoder}/structure",
        genes=get_genes,
    output:
        loci="<results>/discover/{encoder}/loci.parquet",
        text=report(
            "<results>/discover/{encoder}/loci.tsv",
            caption="../report/loci.rst",
            category="Discovery",
            labels={"encoder": "{encoder}", "what": "loci"},
        ),
        manhattan=report(
            "<results>/discover/{encoder}/manhattan.png",
            caption="../report/manhattan.rst",
            category="Discovery",
            labels={"encoder": "{encoder}", "what": "Manhattan plot"},
        ),
        qq="<results>/discover/{encoder}/qq.png",
        miami="<results>/discover/{encoder}/miami.png",
        scans=directory("<results>/discover/{encoder}/scans"),
    log:
        "<results>/logs/discover/{encoder}/loci.log",
    conda:
        "../../envs/discover.yaml"
    params:
        folder=subpath(output.loci, parent=True),
        genes=lambda wildcards, input: ["--genes", input.genes] if input.genes else [],
    shell:
        "python -m ecglfm --cost {log:q}.cost discover loci --config {input.config:q} --summary {input.summary:q}"
        " --genotypes {input.genotypes:q} --structure {input.structure:q} {params.genes:q} --output {params.folder:q}"
        " --threads {threads} 2> {log:q}"


DISCOVERED += [
    *expand(rules.discover_genotypes.output, chromosome=CHROMOSOMES, allow_missing=True),
    *rules.discover_structure.output,
    *rules.discover_summary.output,
    *rules.discover_loci.output,
]
