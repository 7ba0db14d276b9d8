"""`ecglfm verify-bundle`: whether a bundle is whole, and says here what it said where it was made.

The file may come from anybody. Only names of `contents` are unpacked, up to the sizes there, into a folder that is
thrown away; weights are read from that folder alone.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from ecglfm.app.handover.contents import (
    ABOUT,
    EXAMPLE,
    LARGEST,
    LARGEST_RATIO,
    MODEL,
    OPTIONAL,
    PREPROCESS,
    SUMS,
    About,
)
from ecglfm.app.handover.example import Example
from ecglfm.app.handover.running import Difference, compare
from ecglfm.config import UserError, parse
from ecglfm.provenance import read_json

_CHUNK = 1 << 20


class Verified(NamedTuple):
    """What was found: names of the files, what `bundle.json` says, and the difference on the test vector."""

    files: list[str]
    about: About
    difference: Difference


def verify_bundle(path: Path) -> Verified:
    """Check a bundle.

    Parameters
    ----------
    path : path
        The zip file.

    Raises
    ------
    UserError
        It is no bundle, is damaged, holds what no bundle holds, or gives other numbers than it should.
    """
    with tempfile.TemporaryDirectory(prefix="ecglfm-bundle.") as temporary:
        inside = Path(temporary)
        try:
            sums = _unpack(path, inside)
            _check_sums(sums, inside)
            about = parse(About, _json(inside / ABOUT), ABOUT)
            example = _example(inside / EXAMPLE)
            _check_graphs(inside)
            return Verified(sorted(sums), about, compare(inside, example, about.model, about.tolerance))
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def _unpack(path: Path, inside: Path) -> dict[str, str]:
    """Unpack the known files; the SHA-256 of each."""
    sums: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _check_entry(entry, sums)
                digest = hashlib.sha256()
                with archive.open(entry) as source, (inside / entry.filename).open("xb") as target:
                    while piece := source.read(_CHUNK):  # no more than the size that was checked
                        digest.update(piece)
                        target.write(piece)
                sums[entry.filename] = digest.hexdigest()
    except UserError:  # is a ValueError, too
        raise
    except FileNotFoundError:
        raise UserError("no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise UserError(f"not a readable zip file ({error}); copy it again") from None
    lacking = sorted(set(LARGEST) - OPTIONAL - set(sums))
    if lacking:
        raise UserError(f"no bundle: {', '.join(lacking)} lacking")
    return sums


def _check_entry(entry: zipfile.ZipInfo, before: dict[str, str]) -> None:
    """Raise `UserError` where an entry is none of a bundle's, or larger than such a one may be."""
    name = entry.filename
    if name not in LARGEST or name in before:
        raise UserError(f"holds {name[:100]!r}{' twice' if name in before else ', which no bundle has'}: not unpacked")
    if entry.flag_bits & 1:
        raise UserError(f"{name} is encrypted: not unpacked")
    if entry.file_size > LARGEST[name] or entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1):
        raise UserError(
            f"{name} would have {entry.file_size:,} bytes, from {entry.compress_size:,} in the zip file: not unpacked"
        )


def _check_sums(sums: dict[str, str], inside: Path) -> None:
    """Raise `UserError` where the files are not those of `SHA256SUMS`."""
    try:
        lines = (inside / SUMS).read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{SUMS} is not what sha256sum writes") from None
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in sorted((set(sums) | set(listed)) - {SUMS}):
        if sums.get(name) != listed.get(name):
            raise UserError(f"{name[:100]} is not the file of {SUMS}: the bundle was damaged, or changed")


def _json(path: Path) -> Any:
    try:
        return read_json(path)
    except ValueError as error:
        raise UserError(f"{path.name}: not valid JSON: {error}") from None


def _example(path: Path) -> Example:
    try:
        return Example.from_json(_json(path))
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path.name}: no test vector: {error}") from None


def _check_graphs(inside: Path) -> None:
    """Raise `UserError` where a graph is none, or would read weights from elsewhere."""
    from onnx.checker import ValidationError, check_model

    for name in (PREPROCESS, MODEL):
        try:
            check_model(inside / name)
        except ValidationError as error:
            raise UserError(f"{name}: not an ONNX graph of this bundle: {' '.join(str(error).split())[:300]}") from None
