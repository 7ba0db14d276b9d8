"""Sections of the page, in the order in which a geneticist looks, and which files of other steps each shows.

Every section says how it is read and what it does not show. One without files is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecglfm.discovery.report import facts
from ecglfm.discovery.report.tables import Shown


@dataclass(frozen=True)
class Table:
    """A `.tsv` of another step: its name without the ending, its title, and as `shown` takes them the rest."""

    file: str
    title: str
    columns: tuple[str, ...] = ()
    by: str = ""
    most: int = 40


@dataclass(frozen=True)
class Picture:
    """Figures of another step whose names match, the first `most` of them by name, and what they show."""

    pattern: str
    says: str
    most: int = 12


@dataclass(frozen=True)
class Part:
    """A section.

    Attributes
    ----------
    name, title : str
        Its anchor, which `--without` takes, and its heading.
    read, limits : str
        How to read it, and what it does not show.
    lines : callable
        Names and values, of the folder.
    made : callable
        Tables that are made of JSON or of several files, likewise.
    tables : tuple of Table
    pictures : tuple of Picture
    also : tuple of str
        Patterns of files and folders that are linked only.
    """

    name: str
    title: str
    read: str
    limits: str
    lines: Callable[[Path], facts.Lines] = lambda folder: []
    made: Callable[[Path], list[Shown]] = lambda folder: []
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    also: tuple[str, ...] = ()


PARTS = (
    Part(
        "people", "People",
        "People and samples are joined by id; whoever has features and is not in the association got"
        " lost between two of these lines.",
        "Whether those who are left are like those who are not: compare their age, sex and diseases first.",
        facts.people_lines,
        also=("people.json", "people.parquet", "ids.tsv", "covariates.tsv"),
    ),
    Part(
        "traits", "ECG-derived features",
        "A feature (EDF) is a number that the encoder's vector gives of each person; “explained” is the share of the"
        " vectors' variance that it holds.",
        "What a feature means: variance is no importance, and neither sign nor order of features is biology.",
        facts.trait_lines, facts.trait_tables,
        also=("edf.json", "edf.parquet", "edf_raw.parquet", "edf_weights.parquet"),
    ),
    Part(
        "quality", "Quality control and structure",
        "Variants that each rule left out, by chromosome; a genetic component whose eigenvalue stands above the others"
        " is ancestry, relatedness or long-range linkage.",
        "Structure finer than the components that are regressed, and errors that all samples share.",
        facts.quality_lines, facts.quality_tables, also=("structure",),
    ),
    Part(
        "tests", "Tests and inflation",
        "Lambda is the median chi-square over that of chance: near 1 is calm; the QQ plot leaves its line at the right"
        " end only where there are associations, and early where there is confounding.",
        "Whether inflation is polygenic or confounded: the intercept under heritability says more; lambda grows with"
        " the number of people.",
        facts.threshold_lines,
        tables=(Table("lambda", "Each trait over all variants"), Table("skipped", "Traits that were skipped")),
        pictures=(
            Picture("manhattan.png", "Manhattan plot: the smallest P of all traits at each place"),
            Picture("qq.png", "Observed P against those of chance"),
            Picture("miami.png", "Miami plot: two traits, the second upside down; by default those with the most loci"),
        ),
        also=("tests.json", "summary", "scans"),
    ),
    Part(
        "loci", "Loci",
        "A row a trait and locus: its strongest variant, and the effect of an allele in standard deviations of the"
        " trait; loci of different traits whose spans overlap have one number.",
        "Which variant or gene acts: the lead stands for all that are linked to it, and the nearest gene is often not"
        " the causal one; effects that were chosen for their P are too large.",
        tables=(
            Table(
                "loci", "Lead variants",
                ("edf", "locus", "chromosome", "base_pair_location", "lead_rsid", "effect_allele", "other_allele",
                 "effect_allele_frequency", "beta", "standard_error", "p_value", "n", "significant_corrected",
                 "nearest_gene", "distance"),
                most=100,
            ),
        ),
    ),
    Part(
        "sets", "Credible sets",
        "Of each locus the fewest variants whose posterior probabilities sum to the coverage that the config asks for;"
        " one variant with 1 is resolved.",
        "More than one causal variant in a locus, or one that was not measured: then the probabilities are wrong.",
        tables=(
            Table(
                "credible_sets", "Variants in the sets",
                ("edf", "locus", "lead", "set_size", "variants", "variant", "base_pair_location", "p_value",
                 "posterior", "cumulative"),
            ),
        ),
        pictures=(Picture("loci/*.png", "Variants of a locus and their posterior"),),
        also=("loci",),
    ),
    Part(
        "heritability", "Heritability and genetic correlation",
        "h2 is the share of a trait's variance that common variants explain, by LD-score regression; seen where it is"
        " above 2 SE; the intercept, near 1, tells confounding from many small effects.",
        "What few people can tell: with some hundred, or few variants, SE is itself a guess; rg is not defined where h2"
        " is not above 0.",
        tables=(
            Table("heritability", "Each trait", ("edf", "h2", "h2_se", "h2_p", "intercept", "intercept_se", "mean_chi2",
                                                 "lambda_gc", "variants", "n")),
            Table("genetic_correlation", "Pairs of traits, smallest P first", ("edf_1", "edf_2", "rg", "rg_se", "rg_p",
                                                                              "intercept"), "rg_p", 20),
        ),
        pictures=(
            Picture("heritability.png", "h2 of each trait"),
            Picture("genetic_correlation.png", "rg of each pair"),
        ),
        also=("ldsc",),
    ),
    Part(
        "dimensions", "What is worth a GWAS",
        "Features from best to worst by heritability over its error, agreement of recordings of one person (ICC), and"
        " the largest share of variance that source, device or site explains.",
        "What a feature is good for: a stable, heritable feature may be height or sex.",
        tables=(
            Table("dimensions", "Ranking", ("rank", "edf", "h2", "h2_se", "icc", "source_share", "device_share",
                                            "site_share", "confounding", "score", "remark")),
        ),
        also=("dimensions.json",),
    ),
    Part(
        "mr", "Mendelian randomization",
        "The effect of a standard deviation of the feature on the outcome (log odds of a disease), from variants alone;"
        " believe it where methods agree, F is above 10 and Egger's intercept is near 0.",
        "Causation by itself: variants that act on the outcome in another way, or samples that overlap, give effects,"
        " too; one or two instruments cannot be checked.",
        tables=(
            Table("mr", "Estimates"),
            Table("mr_checks", "Checks", ("exposure", "outcome", "instruments", "f_mean", "weak", "q", "q_p",
                                          "egger_intercept", "egger_intercept_p", "steiger_forward", "steiger_p",
                                          "overlap_says", "variants_asked", "variants_kept")),
        ),
        pictures=(
            Picture("mr.png", "All features and outcomes"),
            Picture("mr/*.forest.png", "Forest plot: each instrument, and all together"),
            Picture("mr/*.scatter.png", "Effects of instruments on the outcome against those on the feature"),
        ),
        also=("mr_instruments.tsv", "mr_leave_one_out.tsv", "mr"),
    ),
    Part(
        "replication", "Replication",
        "A lead replicates where the second cohort has the same direction and a one-sided P below the threshold, which"
        " is corrected for all leads that were tested.",
        "That the others are false: look at the power, which is too high where the first effect is too large.",
        tables=(
            Table("replication", "Lead variants in other cohorts",
                  ("cohort", "edf", "locus", "rsid", "beta", "p_value", "beta_2", "p_value_2", "n_2", "same_direction",
                   "p_one_sided", "threshold", "power", "replicates", "reason")),
        ),
        pictures=(Picture("replication.*.png", "Effects there against effects here"),),
    ),
    Part(
        "phewas", "PheWAS",
        "Each feature against each phenotype beside the covariates; the effect is of a standard deviation (log odds of"
        " a disease, standard deviations of a quantity); q counts for all pairs.",
        "Direction: who is ill has another ECG, and who is treated, too; phenotypes with few cases are seen badly.",
        facts.phewas_lines,
        tables=(Table("phewas", "Pairs, smallest P first", by="p_value", most=20),),
        pictures=(Picture("phewas.png", "Pairs by chapter"),),
        also=("phewas.json",),
    ),
    Part(
        "biomarkers", "ECG biomarkers",
        "Rank correlation of each feature with what a cardiologist measures, covariates taken out of both (rho); the"
        " effect is in the biomarker's unit per standard deviation of the feature.",
        "What no interval, axis or voltage holds: a feature without a row here may look at a shape, or at noise.",
        facts.biomarker_lines,
        tables=(Table("biomarker_associations", "Pairs, smallest P first", by="p_value", most=20),),
        pictures=(Picture("biomarkers.png", "Features against biomarkers"),),
        also=("biomarkers.json", "biomarkers.tsv", "biomarkers.parquet"),
    ),
    Part(
        "survival", "Survival",
        "Hazard ratio per standard deviation beside age and sex; a small P of proportional hazards says that it changes"
        " with time; the gain in C is what the feature adds to ranking people.",
        "Gains in other people: features were chosen here for their P, and who has more follow-up weighs more.",
        facts.survival_lines,
        tables=(
            Table("survival", "Each feature, smallest P first",
                  ("edf", "events", "hazard_ratio", "ci_low", "ci_high", "p_value", "q_value", "ph_p_value",
                   "c_index_covariates", "c_index", "c_gain", "c_gain_low", "c_gain_high"), "p_value"),
        ),
        pictures=(Picture("survival.png", "Kaplan-Meier curves by thirds of a feature"),),
        also=("survival.json",),
    ),
    Part(
        "interpretation", "What a feature looks at",
        "How much each lead and part of the beat makes people with much of a feature differ from those with little, in"
        " its standard deviations, and the mean beats of both.",
        "Causes in the heart: it explains the encoder, of a few people at each end.",
        facts.interpretation_lines,
        pictures=(
            Picture("attribution.png", "Leads and parts of the beat"),
            Picture("extremes.png", "Mean beats of people with most and with least of a feature"),
            Picture("people_map.png", "Map of people, coloured by feature"),
        ),
        also=("attribution.tsv", "attribution.parquet", "interpretation.json", "people_map.parquet"),
    ),
)  # fmt: skip
#: Shown before all others where genotypes are simulated.
PLANTED = {
    "name": "planted",
    "title": "What was planted, and what was found",
    "read": "Genotypes were simulated so that these variants act on the hearts of invented people; a variant is found"
    " where a locus of any trait spans it.",
    "limits": "How the method does on real effects, which are far smaller than these.",
}
