"""What association wrote, chromosome by chromosome, as one GWAS-SSF file a feature; and what its scan amounts to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv

from ecglfm.config import UserError
from ecglfm.discovery.association.design import Design
from ecglfm.discovery.association.inflation import (
    GENOME_WIDE,
    corrected_threshold,
    effective_number,
    genomic_inflation,
)
from ecglfm.discovery.genotypes import fresh_folder
from ecglfm.discovery.summary import negative_log10_p, number_chromosomes, write_summary_statistics, written_p
from ecglfm.provenance import atomic, read_json, write_json, write_parquet

logger = logging.getLogger(__name__)

#: Columns of a program's table, by ours.
_PLINK = {
    "chromosome": "#CHROM", "base_pair_location": "POS", "effect_allele": "A1", "beta": "BETA", "standard_error": "SE",
    "effect_allele_frequency": "A1_FREQ", "p_value": "P", "rsid": "ID", "n": "OBS_CT", "ref": "REF", "alt": "ALT",
    "info": "MACH_R2",
}  # fmt: skip
_REGENIE = {
    "chromosome": "CHROM", "base_pair_location": "GENPOS", "effect_allele": "ALLELE1", "other_allele": "ALLELE0",
    "beta": "BETA", "standard_error": "SE", "effect_allele_frequency": "A1FREQ", "neg_log_10_p_value": "LOG10P",
    "rsid": "ID", "n": "N", "info": "INFO",
}  # fmt: skip
_COLUMNS = [
    "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
    "effect_allele_frequency", "p_value", "rsid", "n",
]  # fmt: skip
_TEXT = {"chromosome", "effect_allele", "other_allele", "rsid", "ref", "alt"}
_HEAD = 1 << 12  # bytes that hold the names of columns


def run_merge(associations: Sequence[Path], design: Design, output: Path, *, threads: int = 1) -> None:
    """Write `summary/{feature}.tsv.zst`, `lambda` and `skipped` (`.tsv`, `.parquet`) and `tests.json`.

    Parameters
    ----------
    associations : sequence of path
        Folders of association, one a batch in one a chromosome.
    design : Design
        Of all features.
    output : path
        Folder to write into.
    threads : int
        Features at once.

    Raises
    ------
    UserError
        A feature was tested on some chromosomes only.
    """
    names = [str(name) for name in design.traits]
    files = _files(associations, names)
    with fresh_folder(output / "summary") as folder, ThreadPoolExecutor(threads) as pool:  # NumPy and Arrow do the work
        rows = list(pool.map(partial(_merge, files, folder), names))
    effective = effective_number(design.traits[names].to_numpy()) if names else 0.0
    threshold = corrected_threshold(effective)
    table = pd.DataFrame(rows, columns=["edf", "variants", "n", "lambda", "min_p", "significant", "highest"])
    table["significant_corrected"] = table["min_p"] < threshold
    highest = table.pop("highest")
    small = table["min_p"] == 0  # of which a double holds no more
    least = table["min_p"].map("{:.6g}".format, na_action="ignore").astype(object)
    _write(table, output / "lambda", min_p=least.mask(small, highest[small].map(written_p)))
    skipped = pd.DataFrame(sorted(design.skipped.items()), columns=["edf", "reason"])
    _write(skipped, output / "skipped")
    write_json(
        output / "tests.json",
        {
            "features": len(names),
            "effective_number": round(effective, 4),
            "method": "Li and Ji 2005",
            "genome_wide": GENOME_WIDE,
            "corrected": threshold,
            "people": design.counts,
            "covariates": list(design.covariates.columns),
        },
    )


def read_association(path: Path) -> pd.DataFrame:
    """A program's table of one feature and chromosome, with the columns of GWAS-SSF.

    Variants without a result (PLINK and regenie write NA) and alleles that are not spelt in bases are left out. `info`,
    imputation quality, is there where genotypes carry dosages.

    Raises
    ------
    UserError
        It cannot be read: cut off, or by another program.
    """
    plink = path.suffix == ".zst"
    codec, delimiter = ("zstd", "\t") if plink else ("gzip", " ")
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path)), codec) as file:
            head = file.read(_HEAD).decode(errors="replace").partition("\n")[0].split(delimiter)
        known = _PLINK if plink else _REGENIE
        columns = {key: name for key, name in known.items() if key != "info" or name in head}
        with pa.CompressedInputStream(pa.OSFile(str(path)), codec) as file:
            read = csv.read_csv(
                file,
                parse_options=csv.ParseOptions(delimiter=delimiter, quote_char=False),
                convert_options=csv.ConvertOptions(
                    include_columns=list(columns.values()),
                    column_types={name: pa.string() if key in _TEXT else pa.float64() for key, name in columns.items()},
                    null_values=["NA", "nan", "inf"],
                    strings_can_be_null=False,
                ),
            )
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UserError(
            f"{path}: cannot be read: {' '.join(str(error).split())}; delete its folder and run again"
        ) from None
    table = read.to_pandas().rename(columns={name: key for key, name in columns.items()})
    if plink:
        is_alt = table["effect_allele"] == table["alt"]
        table["other_allele"] = table["ref"].where(is_alt, table["alt"])
    else:
        table["p_value"] = 10.0 ** -table["neg_log_10_p_value"]
    spelt = table["effect_allele"].str.fullmatch("[ACGTacgt]+") & table["other_allele"].str.fullmatch("[ACGTacgt]+")
    table = table[spelt & table[["beta", "standard_error", "p_value"]].notna().all(axis=1)]
    whole = table.astype({"base_pair_location": "int64", "n": "int64"})
    whole = whole.assign(chromosome=number_chromosomes(whole["chromosome"])).reset_index(drop=True)
    if "info" not in columns:
        return whole[_COLUMNS]
    return whole[[*_COLUMNS, "info"]].assign(info=whole["info"].clip(upper=1))  # MaCH r² goes beyond


def _files(associations: Sequence[Path], names: Sequence[str]) -> dict[str, list[Path]]:
    """Tables of each feature, one a chromosome; a folder of association lies in that of its chromosome."""
    chromosomes = {folder.parent for folder in associations}
    found: dict[str, list[Path]] = {name: [] for name in names}
    for folder in associations:
        for name in read_json(folder / "association.json")["traits"]:
            paths = (folder / f"{name}.{ending}" for ending in ("zst", "regenie.gz"))
            found.setdefault(name, []).extend(path for path in paths if path.exists())
    for name in names:
        if len(found[name]) != len(chromosomes):
            raise UserError(
                f"{name}: tested on {len(found[name])} of {len(chromosomes)} chromosomes; run the association again"
            )
    return found


def _merge(files: dict[str, list[Path]], folder: Path, name: str) -> dict[str, Any]:
    """Write the file of one feature, and say what is in it."""
    table = pd.concat([read_association(path) for path in files[name]], ignore_index=True)
    write_summary_statistics(folder / f"{name}.tsv.zst", table)
    p = table["p_value"]
    row = {"edf": name, "variants": len(table), "n": int(table["n"].max()) if len(table) else 0}
    row |= {"highest": negative_log10_p(table[p == p.min()]).max(initial=0.0)}
    row |= {"lambda": genomic_inflation(p.to_numpy()), "min_p": p.min(), "significant": int((p < GENOME_WIDE).sum())}
    logger.info("%s: %d variants, lambda %.3f, least P %.2g", name, len(table), row["lambda"], row["min_p"])
    return row


def _write(table: pd.DataFrame, path: Path, **texts: pd.Series) -> None:
    """Write both files; `texts` are columns that are written otherwise in text."""
    write_parquet(path.with_suffix(".parquet"), table)
    with atomic(path.with_suffix(".tsv")) as temporary:
        table.assign(**texts).to_csv(temporary, sep="\t", index=False, float_format="%.6g")
