"""The step `discover phewas`: every feature against every phenotype of the user's tables."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError
from ecglfm.config.discovery import PhewasConfig
from ecglfm.discovery.features import outcome_numbers, read_table
from ecglfm.discovery.phewas.definitions import Definition, from_codes, read_definitions
from ecglfm.discovery.phewas.figure import phewas_figure
from ecglfm.discovery.phewas.regressions import scan
from ecglfm.discovery.recordings import age_and_sex, read_features, write_tables
from ecglfm.evaluation.plots import save_png
from ecglfm.provenance import write_json

logger = logging.getLogger(__name__)

_QUANTITIES = "measurements"


def run_phewas(
    config: PhewasConfig, *, features: Path, ids: Path | None = None, components: Path | None = None
) -> None:
    """Write `phewas.parquet`, `.tsv`, `.png` and `.json`, which says what was left out, and how many people.

    Parameters
    ----------
    config : PhewasConfig
    features : path
        Folder `discover/{encoder}` with `edf.parquet` and `people.parquet`; written to.
    ids : path, optional
        `ids.tsv` of the step people: `patient_id … IID`. Needed with `components`.
    components : path, optional
        `pca.tsv`, `#FID IID PC1 …`: who has none is left out.

    Raises
    ------
    UserError
        A table cannot be read, or has nobody of the study.
    """
    if not config.tables:
        raise UserError("discover.phewas: name `codes` and `definitions`, or a `table`, or all three")
    people, edf = read_features(features)
    phenotypes, chapters = _phenotypes(config, people)
    covariates = age_and_sex(people)
    lacking = {"without_age_or_sex": _incomplete(covariates)}
    if components is not None and ids is not None:
        found = _components(people, ids, components)
        lacking["without_components"] = _incomplete(found)
        covariates = covariates.join(found)
    table, left_out = scan(edf, phenotypes, covariates, chapters=chapters, min_cases=config.min_cases)
    write_tables(features, "phewas", table)
    save_png(phewas_figure(table, fdr=config.fdr), features / "phewas.png")
    about = {"people": len(people), **lacking, "covariates": [str(name) for name in covariates], "left_out": left_out}
    significant = int((table["q_value"] <= config.fdr).sum())
    write_json(
        features / "phewas.json", about | {"pairs": len(table), "significant_pairs": significant, "fdr": config.fdr}
    )
    logger.info("%d of %d pairs have q of at most %g", significant, len(table), config.fdr)
    for name, why in left_out.items():
        logger.info("%s: left out: %s", name, why)


def _incomplete(covariates: pd.DataFrame) -> int:
    """How many people lack one of them."""
    return int(covariates.isna().any(axis=1).sum())


def _phenotypes(config: PhewasConfig, people: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Phenotypes of people in their order, and the chapter of each."""
    tables, chapters = [], dict[str, str]()
    if config.codes is not None and config.definitions is not None:
        definitions: dict[str, Definition] = read_definitions(config.definitions)
        codes = read_table(config.codes, "patient_id", "code").dropna(subset=["patient_id", "code"])
        _check_ids(config.codes, codes["patient_id"], people)
        tables.append(from_codes(codes, people, definitions).reset_index(drop=True))
        chapters |= {name: one.chapter for name, one in definitions.items()}
    if config.table is not None:
        own = read_table(config.table, "patient_id")
        _check_ids(config.table, own["patient_id"], people)
        if own["patient_id"].duplicated().any():
            raise UserError(f"{config.table}: {own['patient_id'][own['patient_id'].duplicated()].iloc[0]} stands twice")
        rows = own.set_index("patient_id").reindex(people["patient_id"]).reset_index(drop=True)
        numbers = {
            str(name): outcome_numbers(
                rows[name], config.missing_codes, where=f"{config.table}: column {str(name)!r}",
                key="discover.phewas.missing_codes",
            )
            for name in rows
        }  # fmt: skip
        twice = sorted(set(numbers) & set(chapters))
        if twice:
            raise UserError(f"{config.table}: {twice[0]!r} is a phenotype of {config.definitions}, too: rename one")
        tables.append(pd.DataFrame(numbers, index=rows.index))
        chapters |= dict.fromkeys(numbers, _QUANTITIES)
    return pd.concat(tables, axis=1), chapters


def _check_ids(path: str, found: pd.Series, people: pd.DataFrame) -> None:
    """Ids that do not match would make everybody a control."""
    if not found.isin(people["patient_id"]).any():
        here, there = next(iter(found), ""), people["patient_id"].iloc[0]
        raise UserError(
            f"{path}: nobody of the study is in it: its ids look like {here!r}, those of people.parquet like {there!r}"
        )


def _components(people: pd.DataFrame, ids: Path, components: Path) -> pd.DataFrame:
    """Genetic components of people in their order; NaN of who has none."""
    iid = pd.read_csv(ids, sep="\t", dtype=str).set_index("patient_id")["IID"].reindex(people["patient_id"])
    table = pd.read_csv(components, sep="\t", dtype={"#FID": str, "IID": str}).drop(columns="#FID").set_index("IID")
    return table.reindex(iid).reset_index(drop=True)
