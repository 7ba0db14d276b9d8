"""Who an association is of: traits and covariates joined with the people of the genotype files, by id.

Rows stand in the order of the genotype files, whatever that of the tables is, so nothing depends on that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError

logger = logging.getLogger(__name__)

#: Different values that a trait needs: PLINK takes one of only 1 and 2 for a disease, without a word.
MIN_DISTINCT = 21
#: Largest variance inflation of a covariate by the others; PLINK 2's own limit is 50, which age and its square pass.
MAX_INFLATION = 500
#: Least share of the people with traits who are among the genotypes; where fewer match PLINK goes on without a word.
MIN_OVERLAP = 0.5
_IDS = ["#FID", "IID"]


@dataclass(frozen=True)
class Design:
    """Traits and covariates of the same people, in the same order.

    Attributes
    ----------
    ids : DataFrame
        `#FID`, `IID`, as in the genotype files.
    traits, covariates : DataFrame
        A column each, labelled as `ids`.
    skipped : dict of str
        Traits that are left out, each with the reason.
    counts : dict of int
        People by what they have: `phenotyped`, `genotyped`, `both`, `used`.
    """

    ids: pd.DataFrame
    traits: pd.DataFrame
    covariates: pd.DataFrame
    skipped: dict[str, str]
    counts: dict[str, int]


def read_design(
    phenotypes: Path,
    covariates: Path,
    structure: Path,
    *,
    min_overlap: float = MIN_OVERLAP,
    part: int = 1,
    parts: int = 1,
) -> Design:
    """Join the tables of people.

    Parameters
    ----------
    phenotypes, covariates : path
        `#FID IID …`, tabs between columns.
    structure : path
        Folder of `run_structure`.
    min_overlap : float
        Least share of the people with traits who are in the genotype files.
    part, parts : int
        The traits are cut into so many parts of about the same number; taken is the one with this number, from 1.

    Raises
    ------
    UserError
        Too few ids match, an id stands twice, or a covariate is a sum of others.
    """
    traits = _read(phenotypes)
    traits = traits.iloc[:, np.array_split(np.arange(traits.shape[1]), parts)[part - 1]]
    adjusted = _read(covariates).join(_read(structure / "pca.tsv"))
    genotyped = pd.read_csv(
        structure / "pruned.fam", sep="\t", header=None, usecols=[0, 1], names=_IDS, dtype=str, keep_default_na=False
    )
    keep = _ids(structure / "keep.tsv")
    both = int(genotyped["IID"].isin(traits.index).sum())
    if both < max(min_overlap * len(traits), 1):
        raise UserError(
            f"{phenotypes}: {both} of its {len(traits)} people are among the {len(genotyped)} of the genotypes; an IID"
            f" here is {_some(traits.index)}, there {_some(genotyped['IID'])}: set `discover.genotypes.ids`"
        )
    known = adjusted.index[adjusted.notna().all(axis=1)]
    ids = keep[keep["IID"].isin(traits.index) & keep["IID"].isin(known)].reset_index(drop=True)
    counts = {"phenotyped": len(traits), "genotyped": len(genotyped), "both": both, "used": len(ids)}
    logger.info(
        "association: of %(phenotyped)d people with features %(both)d have genotypes, %(used)d are used", counts
    )
    if len(ids) < 3:
        raise UserError(
            f"{covariates}: {len(ids)} people have features, genotypes and every covariate; none may be missing"
        )
    traits, adjusted = (table.loc[ids["IID"]].set_axis(ids.index) for table in (traits, adjusted))
    adjusted = adjusted.loc[:, adjusted.nunique() > 1]
    check_covariates(adjusted, str(covariates))
    skipped = {
        str(name): why for name in traits if (why := unusable(traits[name]) or _dependent(traits[name], adjusted))
    }
    return Design(ids, traits.drop(columns=list(skipped)), adjusted, skipped, counts)


def unusable(trait: pd.Series) -> str | None:
    """Why a trait cannot be taken for a quantity; None where it can."""
    distinct = trait.nunique()
    if distinct < 2:
        return "the same for everybody"
    if distinct < MIN_DISTINCT:
        return f"{distinct} different values: not a quantity, of which there are at least {MIN_DISTINCT}"
    return None


def _dependent(trait: pd.Series, covariates: pd.DataFrame) -> str | None:
    """What is wrong with the covariates of those who have the trait; None where everybody has, or nothing is."""
    there = trait.notna()
    if there.all():
        return None
    own = covariates[there]
    try:
        check_covariates(own.loc[:, own.nunique() > 1], f"among its {len(own)} people")
    except UserError as error:
        return str(error)
    return None


def check_covariates(covariates: pd.DataFrame, where: str) -> None:
    """See that no covariate is all but a sum of others.

    The variance inflation factor of one is 1/(1-R²) of its regression on the others.

    Raises
    ------
    UserError
        One is; it names the one and what it is nearest to.
    """
    if covariates.shape[1] < 2:
        return
    values = covariates.to_numpy(float)
    values = (values - values.mean(0)) / values.std(0)
    for at, name in enumerate(covariates):
        others = np.delete(values, at, axis=1)
        slope, *_ = np.linalg.lstsq(others, values[:, at], rcond=None)
        left = ((values[:, at] - others @ slope) ** 2).mean()
        if left * MAX_INFLATION < 1:
            near = covariates.columns.delete(at)[np.abs(slope) > 0.05]
            raise UserError(
                f"{where}: covariate {name!r} is a sum of others ({', '.join(near)}): leave one out of"
                " `discover.people.covariates`"
            )


def write_tables(design: Design, folder: Path, *, header: str = "#FID") -> tuple[Path, Path]:
    """Write traits and covariates for a program.

    Parameters
    ----------
    design : Design
    folder : path
    header : str
        Of the first column: `#FID` for PLINK 2, `FID` for regenie, which takes no other.

    Returns
    -------
    tuple of path
        Of traits, of covariates.
    """
    ids = design.ids.rename(columns={"#FID": header})
    paths = folder / "traits.tsv", folder / "covariates.tsv"
    for path, table in zip(paths, (design.traits, design.covariates), strict=True):
        pd.concat([ids, table], axis=1).to_csv(path, sep="\t", index=False, na_rep="NA")
    return paths


def _read(path: Path) -> pd.DataFrame:
    """A table of people, labelled by IID."""
    table = pd.read_csv(path, sep="\t", dtype=dict.fromkeys(_IDS, str))
    if list(table.columns[:2]) != _IDS:
        raise UserError(
            f"{path}: begins with {' '.join(table.columns[:2])}, where #FID IID belong, with tabs between them"
        )
    if table["IID"].duplicated().any():
        raise UserError(
            f"{path}: IID {table['IID'][table['IID'].duplicated()].iloc[0]} stands twice; a person has one row"
        )
    return table.drop(columns="#FID").set_index("IID")


def _ids(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", usecols=_IDS, dtype=str, keep_default_na=False)


def _some(names: pd.Index | pd.Series) -> str:
    return ", ".join(map(repr, list(names)[:2])) or "nobody's"
