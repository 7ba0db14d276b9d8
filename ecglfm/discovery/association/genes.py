"""Genes of an annotation file that the user has, for the one nearest to a variant."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.discovery.summary import number_chromosomes

_COLUMNS = ["chromosome", "start", "end", "name"]
_NAME = re.compile(r'(?:^|;)\s*(?:gene_name "([^"]+)"|(?:Name|gene_name|gene)=([^;]+))')


def read_genes(path: str | Path) -> pd.DataFrame:
    """Read an annotation.

    Parameters
    ----------
    path : path
        BED (starts count from 0), GFF3 or GTF (rows of type `gene`), or a table (TSV or CSV) with the columns
        `chromosome`, `start`, `end`, `name` (starts count from 1). Packed where it ends in `.gz`.

    Returns
    -------
    DataFrame
        `chromosome` (1 to 25), `start`, `end` (both count from 1, both inside), `name`; other sequences are left out.

    Raises
    ------
    UserError
        It cannot be read, or has no gene on a chromosome.
    """
    path = Path(path)
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            lines = [
                line.rstrip("\n") for line in file if line.strip() and not line.startswith(("#", "track", "browser"))
            ]
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        if kind == "bed":
            rows = [(part[0], int(part[1]) + 1, int(part[2]), part[3]) for part in map(str.split, lines)]
        elif kind in ("gff", "gff3", "gtf"):
            parts = (line.split("\t") for line in lines)
            rows = [(part[0], int(part[3]), int(part[4]), _name(part[8])) for part in parts if part[2] == "gene"]
        else:
            split = "\t" if "\t" in lines[0] else ","
            head = lines[0].split(split)
            places = [head.index(name) for name in _COLUMNS]
            parts = (line.split(split) for line in lines[1:])
            rows = [(part[places[0]], int(part[places[1]]), int(part[places[2]]), part[places[3]]) for part in parts]
    except (IndexError, ValueError) as error:
        raise UserError(
            f"{path}: not BED, GFF3 or GTF, and no table with columns {', '.join(_COLUMNS)} ({error}); its ending tells"
        ) from None
    table = pd.DataFrame(rows, columns=_COLUMNS)
    known = table["chromosome"].str.fullmatch(r"(?i)(?:chr)?(?:[1-9]|1\d|2[0-5]|X|Y|MT?)")
    table = table[known].reset_index(drop=True)
    if table.empty:
        raise UserError(f"{path}: no gene on a chromosome 1 to 22, X, Y or MT")
    return table.assign(chromosome=number_chromosomes(table["chromosome"]))


def nearest_genes(places: pd.DataFrame, genes: pd.DataFrame) -> pd.DataFrame:
    """The gene nearest to each place.

    Parameters
    ----------
    places : DataFrame
        `chromosome`, `base_pair_location`.
    genes : DataFrame
        Of `read_genes`.

    Returns
    -------
    DataFrame
        `nearest_gene` and `distance` (base pairs to its nearer end; 0 within it; of several the first by place),
        labelled as `places`; missing on a chromosome without genes.
    """
    found: list[tuple[str | None, float]] = []
    by_chromosome = dict(iter(genes.sort_values(["start", "end", "name"]).groupby("chromosome")))
    for chromosome, position in zip(places["chromosome"], places["base_pair_location"], strict=True):
        there = by_chromosome.get(chromosome)
        if there is None:
            found.append((None, np.nan))
            continue
        away = np.maximum(np.maximum(there["start"] - position, position - there["end"]), 0).to_numpy()
        at = int(away.argmin())
        found.append((there["name"].iloc[at], float(away[at])))
    table = pd.DataFrame(found, columns=["nearest_gene", "distance"], index=places.index)
    return table.astype({"nearest_gene": "string", "distance": "Int64"})


def _name(attributes: str) -> str:
    found = _NAME.search(attributes)
    return (found[1] or found[2]) if found else attributes.partition(";")[0]
