# discover, gwas: quality control of genotypes, association, loci.
# Requires: phenotypes.tsv and covariates.tsv, genotypes.
# Makes: <results>/discover/{encoder}/summary/{edf}.tsv.zst, loci.tsv.
