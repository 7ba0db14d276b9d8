"""Phenotypes of ICD codes: who is a case, who a control, and who neither.

A case has a code that begins as one of `include`. A control has none of these and none that begins as one of
`exclude`: who has only such a code is neither, since a person with another arrhythmia is no good control for atrial
fibrillation (the idea of phecodes: Denny et al. 2010, doi:10.1093/bioinformatics/btq126). Where a phenotype is of one
sex, the other has no part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from ecglfm.config import Section, UserError, parse, read_yaml
from ecglfm.discovery.features import read_table

_LISTED = ("include", "exclude")


class Definition(Section):
    """One phenotype.

    Attributes
    ----------
    include, exclude : list of str
        Beginnings of codes; dots and case do not count.
    chapter : str
        Under which it is shown.
    sex : str, optional
        `female` or `male`.
    """

    include: list[str] = Field(min_length=1)
    exclude: list[str] = Field([])
    chapter: str = "other"
    sex: Literal["female", "male"] | None = None


def read_definitions(path: str | Path) -> dict[str, Definition]:
    """Phenotypes of a file, by name.

    Parameters
    ----------
    path : path
        YAML: a name with `include`, `exclude`, `chapter`, `sex` each; or a CSV or TSV with the columns `phenotype`,
        `include`, and perhaps the others, codes separated by blanks.

    Raises
    ------
    UserError
        The file cannot be read, or a phenotype has no code.
    """
    path = Path(path)
    if path.suffix in {".yaml", ".yml"}:
        content = read_yaml(path)
    else:
        table = read_table(path, "phenotype", "include").dropna(axis=1, how="all")
        if table["phenotype"].duplicated().any():
            raise UserError(f"{path}: {table['phenotype'][table['phenotype'].duplicated()].iloc[0]!r} stands twice")
        content = {}
        for row in table.to_dict("records"):
            known = {str(key): value for key, value in row.items() if pd.notna(value)}
            name = known.pop("phenotype")
            content[name] = {key: value.split() if key in _LISTED else value for key, value in known.items()}
    return {name: parse(Definition, one or {}, f"{path}: {name}") for name, one in content.items()}


def from_codes(codes: pd.DataFrame, people: pd.DataFrame, definitions: dict[str, Definition]) -> pd.DataFrame:
    """Phenotypes of people.

    Parameters
    ----------
    codes : DataFrame
        `patient_id code`, a row each.
    people : DataFrame
        `patient_id sex`: everybody whose codes were looked for; who has none is a control.
    definitions : dict of Definition

    Returns
    -------
    DataFrame
        By `patient_id`, a column per phenotype: 1 case, 0 control, NaN neither.
    """
    plain = codes["code"].str.upper().str.replace(r"[.\s]", "", regex=True)
    made = {}
    for name, definition in definitions.items():
        case, other = (
            people["patient_id"].isin(codes.loc[_begins(plain, beginnings), "patient_id"])
            for beginnings in (definition.include, definition.exclude)
        )
        value = np.where(case, 1.0, np.where(other, np.nan, 0.0))
        made[name] = value if definition.sex is None else np.where(people["sex"] == definition.sex, value, np.nan)
    return pd.DataFrame(made, index=pd.Index(people["patient_id"], name="patient_id"))


def _begins(codes: pd.Series, beginnings: list[str]) -> pd.Series:
    wanted = tuple(one.upper().replace(".", "").strip() for one in beginnings)
    return codes.str.startswith(wanted) if wanted else pd.Series(False, index=codes.index)
