"""PLINK 1 files, `PREFIX.bed` with `.bim` and `.fam`: two bits a call, variant after variant.

The format is PLINK's own description (https://www.cog-genomics.org/plink/1.9/formats#bed). Counted is allele 1, which
PLINK 2 takes for the alternate one.

Shapes: n people, v variants.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ecglfm.config import UserError
from ecglfm.provenance import atomic

MAGIC = b"\x6c\x1b\x01"  # the last byte: variant after variant
_BY_PERSON = b"\x6c\x1b\x00"
MISSING = -1
#: Copies of allele 1 of each two-bit code, and back: 0, 1, 2 copies, missing (which is -1: the last).
_COPIES = np.array([2, MISSING, 1, 0], np.int8)
_CODES = np.array([3, 2, 0, 1], np.uint8)
#: The four calls of each byte, the first in its lowest bits.
_OF_BYTE = _COPIES[np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 3]

VARIANT_COLUMNS = ["chromosome", "rsid", "centimorgan", "position", "allele_1", "allele_2"]
PERSON_COLUMNS = ["fid", "iid", "father", "mother", "sex", "phenotype"]


@dataclass(frozen=True)
class Genotypes:
    """Calls of people at variants.

    Attributes
    ----------
    calls_nv : ndarray of int8, shape (people, variants)
        Copies of allele 1; -1: missing.
    variants : DataFrame
        `chromosome` (text), `rsid`, `centimorgan`, `position`, `allele_1`, `allele_2`; labelled from 0.
    people : DataFrame
        `fid`, `iid`, `father`, `mother`, `sex` (1 male, 2 female, 0 unknown), `phenotype`; labelled from 0.
    """

    calls_nv: np.ndarray
    variants: pd.DataFrame
    people: pd.DataFrame


def read_bed(prefix: str | Path, start: int = 0, stop: int | None = None) -> Genotypes:
    """Read PLINK 1 files, or some of their variants.

    Parameters
    ----------
    prefix : path
        Of the three files, without `.bed`.
    start, stop : int
        Variants to read, as a slice; by default all.

    Raises
    ------
    UserError
        A file is missing, is none of PLINK's, or is not as long as its people and variants make it.
    """
    people = _read_table(Path(f"{prefix}.fam"), PERSON_COLUMNS)
    variants = _read_table(Path(f"{prefix}.bim"), VARIANT_COLUMNS)
    variants["position"] = _whole_numbers(variants["position"], Path(f"{prefix}.bim"))
    body = _body(Path(f"{prefix}.bed"), len(people), len(variants))
    chosen = body[start:stop]
    calls_vn = _OF_BYTE[chosen].reshape(len(chosen), -1)[:, : len(people)]
    return Genotypes(
        np.ascontiguousarray(calls_vn.T), variants[start:stop].reset_index(drop=True), people.astype({"sex": int})
    )


def write_bed(prefix: str | Path, genotypes: Genotypes) -> None:
    """Write PLINK 1 files, each atomically."""
    calls_vn = genotypes.calls_nv.T
    codes = _CODES[calls_vn]
    codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4)))  # what is left of the last byte is 0
    packed = codes.reshape(len(codes), -1, 4) << np.array([0, 2, 4, 6], np.uint8)
    _write_table(Path(f"{prefix}.bim"), genotypes.variants[VARIANT_COLUMNS])
    _write_table(Path(f"{prefix}.fam"), genotypes.people[PERSON_COLUMNS])
    with atomic(f"{prefix}.bed") as temporary:
        temporary.write_bytes(MAGIC + np.bitwise_or.reduce(packed, axis=2).tobytes())


def join_beds(prefixes: list[Path], output: Path) -> None:
    """Put the variants of several files of the same people one after the other.

    Raises
    ------
    UserError
        They are not of the same people in the same order, or one is damaged.
    """
    people = Path(f"{prefixes[0]}.fam").read_bytes()
    with (
        atomic(f"{output}.bed") as bed,
        atomic(f"{output}.bim") as bim,
        bed.open("wb") as calls,
        bim.open("wb") as rows,
    ):
        calls.write(MAGIC)
        for prefix in prefixes:
            if Path(f"{prefix}.fam").read_bytes() != people:
                raise UserError(f"{prefix}.fam: other people, or another order, than {prefixes[0]}.fam: make both anew")
            variants = Path(f"{prefix}.bim").read_bytes()
            body = _body(Path(f"{prefix}.bed"), people.count(b"\n"), variants.count(b"\n"))
            calls.write(body.tobytes())
            rows.write(variants)
    with atomic(f"{output}.fam") as fam:
        fam.write_bytes(people)


def _body(path: Path, people: int, variants: int) -> np.ndarray:
    """Bytes of a `.bed` as an array (variants, bytes of one), mapped and not read; raises `UserError` as `read_bed`."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
        size = path.stat().st_size
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a .bim and .fam beside it are not enough") from None
    if magic == _BY_PERSON:
        raise UserError(
            f"{path}: person after person, which PLINK stopped writing in 2009: `plink1.9 --make-bed` turns it"
        )
    if magic != MAGIC:
        raise UserError(f"{path}: no PLINK 1 .bed, which begins with the bytes 6c 1b 01")
    row = (people + 3) // 4
    needed = len(MAGIC) + row * variants
    if size != needed:
        what = "cut off" if size < needed else "too long"
        raise UserError(
            f"{path}: {what}: {size} bytes, where {people} people and {variants} variants of its .fam and .bim make"
            f" {needed}: copy the three files again"
        )
    if not row * variants:
        return np.zeros((variants, row), np.uint8)
    return np.memmap(path, np.uint8, mode="r", offset=len(MAGIC), shape=(variants, row))


def _read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """A `.bim` or `.fam`: text, no header, blanks or tabs between columns."""
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; .bed, .bim and .fam belong together") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table of {len(columns)} columns: {' '.join(str(error).split())}") from None
    if table.shape[1] != len(columns):
        raise UserError(f"{path}: {table.shape[1]} columns, where {' '.join(columns)} belong")
    return table.set_axis(columns, axis=1)


def _whole_numbers(texts: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.isna().any():
        at = int(numbers.isna().to_numpy().argmax())
        raise UserError(f"{path}:{at + 1}: position {texts.iloc[at]!r} is no number")
    return numbers.astype(np.int64)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", header=False, index=False, lineterminator="\n")
