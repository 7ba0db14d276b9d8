"""Who is in genotype files, and who of them is which patient."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ecglfm.config import UserError


def read_samples(paths: Sequence[Path]) -> pd.Series:
    """Samples of genotype files, those who are in all of them, in the order of the first.

    Parameters
    ----------
    paths : sequence of path
        `.fam`, `.psam` (with `#FID IID` or `#IID`) or `.sample`.

    Returns
    -------
    Series of str
        FID by IID; 0 where a file has none, which PLINK reads as none.

    Raises
    ------
    UserError
        A file is missing, empty or of another form, or has an IID twice.
    """
    tables = [_samples(path) for path in paths]
    common = set(tables[0].index).intersection(*(table.index for table in tables[1:]))
    return tables[0][[iid in common for iid in tables[0].index]]


def _samples(path: Path) -> pd.Series:
    lines = _lines(path)
    fid, iid = 0, 1
    if path.suffix == ".psam":
        head = next((line for line in lines if line[0] in {"#FID", "#IID"}), None)
        if head is not None:
            fid, iid = (0, 1) if head[0] == "#FID" else (-1, 0)
        lines = [line for line in lines if not line[0].startswith("#")]
    elif path.suffix == ".sample":
        if lines[0][:2] != ["ID_1", "ID_2"]:
            raise UserError(f"{path}: begins with {' '.join(lines[0][:3])!r}, where a .sample has ID_1 ID_2 missing")
        lines = lines[2:]  # names, then their types
    if not lines or any(len(line) <= iid for line in lines):
        raise UserError(f"{path}: no list of samples: a .fam or .psam has FID and IID, a .sample ID_1 and ID_2")
    table = pd.Series(
        [line[fid] if fid >= 0 else "0" for line in lines], index=[line[iid] for line in lines], dtype=str
    )
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise UserError(f"{path}: the IID {twice} stands twice; ids must be of one person each")
    return table


def read_ids(path: str | Path) -> set[str]:
    """IIDs of a list: the second column where there are two or more, else the only one; a heading is passed over."""
    lines = _lines(Path(path))
    return {line[min(1, len(line) - 1)] for line in lines if line[0] not in {"#FID", "#IID", "FID", "IID"}}


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text") from None
    lines = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{path}: empty")
    return lines


def sample_of(patients: pd.Series, known: pd.Series, ids: pd.DataFrame | None) -> pd.Series:
    """IID of each patient, by a table of both or by name; missing where the table has none.

    Without a table it is the patient's id, `ukbiobank/1000001`, where a sample has one of these, else what follows the
    name of the source: `1000001`.

    Raises
    ------
    UserError
        A patient or a sample stands twice in the table, or two sources have patients of one number.
    """
    if ids is not None:
        for column in ("patient_id", "IID"):
            if (twice := ids[column][ids[column].duplicated()]).size:
                raise UserError(f"discover.genotypes.ids: {column} {twice.iloc[0]} stands twice; a row a person")
        return patients.map(ids.set_index("patient_id")["IID"])
    if patients.isin(known.index).any():
        return patients
    bare = patients.str.partition("/")[2]
    if (twice := patients[bare.duplicated(keep=False) & bare.isin(known.index)]).size:
        raise UserError(
            f"discover: {twice.iloc[0]} and {twice.iloc[1]} have the number of one sample: name a table of patients and"
            " samples in discover.genotypes.ids"
        )
    return bare
