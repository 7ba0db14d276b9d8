# discover, genes: heritability, Mendelian randomization, credible sets, replication, PheWAS.
# Requires: summary statistics and loci.
# Makes: tables and figures below <results>/discover/{encoder}.
