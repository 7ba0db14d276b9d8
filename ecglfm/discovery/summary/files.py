"""Summary statistics in files: GWAS-SSF, as plain text, gzip (`.gz`) or Zstandard (`.zst`).

A file is read in one go with the types of its columns; only where that fails, or a value breaks a rule, it is read
once more, as text, to say which line and column is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from ecglfm.config import UserError
from ecglfm.discovery.summary.probabilities import negative_log10_p, written_p
from ecglfm.discovery.summary.schema import EFFECTS, MANDATORY, MISSING, MISSING_TOO, Column, columns_of
from ecglfm.provenance import atomic

_TYPES = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string()}
_LONGEST = 1 << 20  # bytes of a line: what a packed file says of its size is not believed
_CODECS = {".gz": "gzip", ".zst": "zstd"}
_DIGITS = 7  # significant ones that are written
_NAMED = {"X": 23, "XY": 23, "PAR1": 23, "PAR2": 23, "Y": 24, "M": 25, "MT": 25}


def read_summary_statistics(path: str | Path) -> pd.DataFrame:
    """Read and check a GWAS-SSF file.

    Parameters
    ----------
    path : path
        `.tsv`, `.tsv.gz` or `.tsv.zst`.

    Returns
    -------
    DataFrame
        The columns of the file, alleles in capitals. Whatever it has, there are `beta` (the logarithm of an odds or
        hazard ratio, whose `standard_error` is of that logarithm) and `p_value` (0 where it is below what a double
        holds: `negative_log10_p` still knows it).

    Raises
    ------
    UserError
        It cannot be read, a column is missing or out of place, or a value breaks a rule: file, line and column.
    """
    path = Path(path)
    columns = _columns(path)
    types = {column.name: _TYPES[column.kind] for column in columns}
    try:
        table = _read(path, types)
    except pa.ArrowMemoryError:
        raise UserError(f"{path}: does not fit into memory") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(_first_fault(path, columns) or f"{path}: cannot be read: {_one_line(error)}") from None
    unsure = "p_value" in types and pc.any(pc.equal(table["p_value"], 0)).as_py()  # 0, or too small for a double?
    unsure = unsure or any(_broken(table[column.name], column) is not None for column in columns)
    if unsure and (fault := _first_fault(path, columns)):
        raise UserError(fault)
    return _computed(table.to_pandas())


def write_summary_statistics(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as GWAS-SSF, sorted by place, compressed as the ending of its name says.

    Parameters
    ----------
    path : path
        `.tsv`, `.tsv.gz` or `.tsv.zst`.
    table : DataFrame
        The mandatory columns of GWAS-SSF in any order, and others. Numbers are written with seven significant digits.
        An `rsid` that is none (`rs` and digits) becomes `variant_id`, where that is not there. A `p_value` of 0 is
        written from `beta` and `standard_error`.

    Raises
    ------
    UserError
        A column is missing, or a value breaks a rule: row and column of the sorted table.
    """
    names: list[str] = [column.name for column in MANDATORY]
    there = [str(name) for name in table]
    missing = [name for name in names if name not in there]
    if missing:
        raise UserError(f"{path}: GWAS-SSF needs the column {missing[0]!r}; the table has {', '.join(there)}")
    table = _identified(table[[*names, *(name for name in there if name not in names)]])
    table = table.sort_values(names[:4], kind="stable", ignore_index=True)
    for name in ("effect_allele", "other_allele"):
        table[name] = table[name].str.upper()
    too_small = np.flatnonzero(table["p_value"].to_numpy(np.float64) < 1e-300)
    p_text = [written_p(value) for value in negative_log10_p(table.iloc[too_small])]
    table.loc[too_small, "p_value"] = 1e-300  # in place of these words, while the rules are looked at
    columns = columns_of([str(name) for name in table])
    arrow = _arrow(table, columns, path)
    written = [_written(arrow[name]) for name in arrow.column_names]
    if p_text:
        values = written[7].to_pylist()
        for row, text in zip(too_small, p_text, strict=True):
            values[row] = text
        written[7] = pa.array(values)
    text = pa.table(written, names=arrow.column_names)
    with (
        atomic(path) as temporary,
        pa.CompressedOutputStream(str(temporary), codec)
        if (codec := _CODECS.get(Path(path).suffix))
        else pa.OSFile(str(temporary), "wb") as file,
    ):
        file.write(("\t".join(text.column_names) + "\n").encode())
        csv.write_csv(text, file, csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none"))


def number_chromosomes(names: pd.Series) -> pd.Series:
    """Chromosomes as GWAS-SSF numbers them: X, also what PLINK 2 cuts off it, is 23, Y 24, MT 25; `chr` is left off.

    Raises
    ------
    UserError
        A name that is none.
    """
    text = names.astype(str).str.upper().str.removeprefix("CHR")
    numbers = pd.to_numeric(text.replace({name: str(number) for name, number in _NAMED.items()}), errors="coerce")
    if numbers.isna().any():
        raise UserError(f"{names[numbers.isna()].iloc[0]!r} is no chromosome: 1 to 22, X, Y or MT")
    return numbers.astype(np.int64)


def _columns(path: Path) -> list[Column]:
    try:
        names = next(iter(_lines(path)), "").split("\t")
        return columns_of(names)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {_one_line(error)}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: line 1: not UTF-8 text") from None
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: line 1: {error}") from None


def _open(path: Path) -> Any:
    codec = _CODECS.get(path.suffix)
    return pa.CompressedInputStream(pa.OSFile(str(path)), codec) if codec else pa.OSFile(str(path))


def _lines(path: Path) -> Iterator[str]:
    """Lines of a file without their ends, decompressed as they are asked for."""
    left = b""
    with _open(path) as file:
        while block := file.read(1 << 16):
            *lines, left = (left + block).split(b"\n")
            yield from (line.removesuffix(b"\r").decode() for line in lines)
            if len(left) > _LONGEST:
                raise UserError(f"{path}: a line of more than {_LONGEST >> 20} MiB: no table of variants")
    if left:
        yield left.removesuffix(b"\r").decode()


def _read(path: Path, types: dict[str, pa.DataType]) -> pa.Table:
    with _open(path) as file:
        return csv.read_csv(
            file,
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(column_types=types, null_values=MISSING_TOO, strings_can_be_null=True),
        )


def _broken(values: pa.ChunkedArray, column: Column) -> int | None:
    """First row that breaks a column's rule. Of `p_value`, 0 may stand for a number too small for a double."""
    fine = pc.is_null(values) if column.optional else pc.is_null(pc.is_valid(values))
    if column.pattern:
        holds = pc.match_substring_regex(values, f"^(?:{column.pattern})$")
    else:
        holds = pc.is_finite(values)
        if column.low is not None:
            holds = pc.and_(holds, pc.greater_equal(values, column.low))
        if column.high is not None:
            holds = pc.and_(holds, pc.less_equal(values, column.high))
    bad = np.flatnonzero(~pc.or_(fine, pc.fill_null(holds, False)).to_numpy())
    return int(bad[0]) if len(bad) else None


def _first_fault(path: Path, columns: list[Column]) -> str:
    """What is wrong with the first line that cannot be read, or breaks a rule; nothing where all are fine."""
    names: list[str] = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.split("\t")
        names = names or fields
        if number == 1 or (not line and len(names) > 1):
            continue
        if len(fields) != len(names):
            return f"{path}: line {number}: {len(fields)} fields, where the header has {len(names)}"
        for column in columns:
            text = fields[names.index(column.name)]
            if _wrong(text, column):
                found = "is missing" if text in MISSING_TOO else f"{text!r} is not {column.rule}"
                return f"{path}: line {number}, column {column.name}: {found}"
    return ""


def _wrong(text: str, column: Column) -> bool:
    """Whether one value, as it is written, breaks the rule of its column."""
    if text in MISSING_TOO:
        return not column.optional
    if column.pattern:
        return re.fullmatch(column.pattern, text) is None
    try:
        value = float(text) if column.kind == "number" else int(text)
    except ValueError:
        return True
    too_low = column.low is not None and (value < column.low or (column.above and _is_zero(text)))
    return too_low or not math.isfinite(value) or (column.high is not None and value > column.high)


def _is_zero(text: str) -> bool:
    """Whether a number is written as 0; `1e-400` is not, though a double holds it as 0."""
    return not re.search("[1-9]", re.split("[eE]", text)[0])


def _computed(table: pd.DataFrame) -> pd.DataFrame:
    for name in ("effect_allele", "other_allele"):
        table[name] = table[name].str.upper()
    effect = next(name for name in EFFECTS if name in table)
    if effect != "beta":
        with np.errstate(divide="ignore"):
            table.insert(4, "beta", np.log(table[effect]))
    if "p_value" not in table:
        table.insert(list(table).index("neg_log_10_p_value"), "p_value", 10.0 ** -table["neg_log_10_p_value"])
    return table


def _identified(table: pd.DataFrame) -> pd.DataFrame:
    """The table, an `rsid` that is none put where other names of variants belong."""
    if "rsid" not in table:
        return table.copy()
    named = table["rsid"].astype("string")
    other = ~named.str.fullmatch("rs[0-9]+").fillna(True).astype(bool)
    table = table.assign(rsid=named.mask(other))
    if other.any() and "variant_id" not in table:
        variant = named.str.replace("[^A-Za-z0-9_]", "_", regex=True).where(other)
        table.insert(list(table).index("rsid"), "variant_id", variant)
    return table


def _arrow(table: pd.DataFrame, columns: list[Column], path: str | Path) -> pa.Table:
    """The table with the types of GWAS-SSF; raises `UserError` where a value breaks a rule."""
    rules = {column.name: column for column in columns}
    made = {}
    for name in map(str, table):
        kind = _TYPES[rules[name].kind] if name in rules else None
        try:
            made[name] = pa.chunked_array([pa.Array.from_pandas(table[name], type=kind)])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise UserError(f"{path}: column {name}: a value is not {rules[name].rule}") from None
        row = _broken(made[name], rules[name]) if name in rules else None
        if row is not None:
            value = made[name][row].as_py()
            found = "is missing" if value is None else f"{value!r} is not {rules[name].rule}"
            raise UserError(f"{path}: line {row + 2}, column {name}: {found}")
    return pa.table(made)


def _written(values: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_floating(values.type):
        values = pa.array(_rounded(values.to_numpy()), from_pandas=True)
    elif isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return pc.fill_null(values.cast(pa.string()), MISSING)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Numbers with so many significant digits as are written."""
    with np.errstate(divide="ignore", invalid="ignore"):
        places = _DIGITS - 1 - np.floor(np.log10(np.abs(values)))
    places = np.where(np.isfinite(places), np.clip(places, -300, 300), 0)
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    return np.round(values * up / down) / up * down


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
