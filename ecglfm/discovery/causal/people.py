"""Outcomes of the people of the study: their genotypes at instruments, and the covariates of the GWAS."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.discovery.causal.outcomes import outcome_associations
from ecglfm.discovery.features import outcome_numbers, read_table
from ecglfm.discovery.genotypes import Genotypes
from ecglfm.discovery.summary import number_chromosomes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class People:
    """Who takes part.

    Attributes
    ----------
    genotypes : sequence of Genotypes
        At the instruments at least, of the same people or more.
    ids : DataFrame
        `patient_id IID`, a row a person, as `discover people` writes it.
    covariates : DataFrame
        Numbers, labelled by IID: those of the GWAS. Who lacks one is left out.
    """

    genotypes: Sequence[Genotypes]
    ids: pd.DataFrame
    covariates: pd.DataFrame

    def associations(
        self, variants: pd.DataFrame, column: str, table: str, missing_codes: Sequence[str | float] | None = None
    ) -> tuple[pd.DataFrame, float | None]:
        """Associations of variants with an outcome of these people.

        Parameters
        ----------
        variants : DataFrame
            `chromosome base_pair_location effect_allele other_allele`, and `rsid` where there is one.
        column : str
            The outcome.
        table : str
            CSV or TSV that has it, with `patient_id`.
        missing_codes : sequence, optional
            What in it means that nothing is known.

        Returns
        -------
        associations : DataFrame
            Columns of GWAS-SSF.
        case_share : float or None
            Of an outcome of 0 and 1.

        Raises
        ------
        UserError
            A column is missing or no number, or nobody is in all of the tables.
        """
        own = read_table(table, "patient_id", column)
        if own["patient_id"].duplicated().any():
            raise UserError(f"{table}: {own['patient_id'][own['patient_id'].duplicated()].iloc[0]} stands twice")
        values = outcome_numbers(
            own[column], missing_codes, where=f"{table}: column {column!r}", key="discover.mr.missing_codes"
        )
        people = self.ids.assign(outcome=self.ids["patient_id"].map(values.set_axis(own["patient_id"])))
        adjusted = self.covariates[self.covariates.notna().all(axis=1)]
        people = people[people["IID"].isin(adjusted.index) & people["outcome"].notna()].set_index("IID")
        variants = variants.drop_duplicates(["chromosome", "base_pair_location", "effect_allele", "other_allele"])
        dosage_nm = self._dosages(variants, people.index)
        if people.empty:
            raise UserError(f"{table}: nobody of the study has {column}: are its `patient_id` those of people.parquet?")
        outcome_n = people["outcome"].to_numpy(np.float64)
        found = outcome_associations(
            variants.reset_index(drop=True), dosage_nm, outcome_n, adjusted.loc[people.index].to_numpy(np.float64),
            name=column,
        )  # fmt: skip
        logger.info("%s: %d people, %d of %d instruments", column, len(people), len(found), len(variants))
        return found, float(outcome_n.mean()) if set(np.unique(outcome_n)) == {0.0, 1.0} else None

    def _dosages(self, variants: pd.DataFrame, iids: pd.Index) -> np.ndarray:
        """Effect alleles of people at variants; NaN where they are not known."""
        dosage_nm = np.full((len(iids), len(variants)), np.nan)
        wanted = variants.reset_index(drop=True).assign(_column=np.arange(len(variants)))
        for genotypes in self.genotypes:
            own = genotypes.variants.assign(_place=np.arange(len(genotypes.variants)))
            own = own.assign(chromosome=number_chromosomes(own["chromosome"]))
            rows = pd.Index(genotypes.people["iid"]).get_indexer(iids)
            for effect, other, turned in (("allele_1", "allele_2", False), ("allele_2", "allele_1", True)):
                keys = ["chromosome", "position", effect, other]
                names = ["chromosome", "base_pair_location", "effect_allele", "other_allele"]
                both = wanted.merge(own, left_on=names, right_on=keys)
                copies_nm = genotypes.calls_nv[:, both["_place"]].astype(np.float64)
                copies_nm[copies_nm < 0] = np.nan
                copies_nm = 2 - copies_nm if turned else copies_nm
                dosage_nm[:, both["_column"]] = np.where(rows[:, None] >= 0, copies_nm[rows], np.nan)
        return dosage_nm
