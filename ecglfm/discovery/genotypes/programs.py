"""Programs of others that steps call: found on PATH or where the config says, and what they say when they fail.

None is part of this package or a dependency of it: PLINK is free software of its own (GPL 3).
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecglfm.config import UserError

logger = logging.getLogger(__name__)

_SHOWN = 5  # lines of a program's own that an error repeats


@dataclass(frozen=True)
class _Program:
    """What a program is called, and how to get it."""

    names: tuple[str, ...]
    version: str  # that `--version` says
    packages: str


PROGRAMS = {
    "plink2": _Program(("plink2",), r"^PLINK v2", "`apt-get install plink2`, `conda install -c bioconda plink2`"),
    "plink1.9": _Program(
        ("plink1.9", "plink"), r"^PLINK v1\.9", "`apt-get install plink1.9`, `conda install -c bioconda plink`"
    ),
    "regenie": _Program(
        ("regenie",),
        r"v?[34]\.\d",
        "`conda install -c bioconda -c conda-forge regenie` or github.com/rgcgithub/regenie",
    ),
}


def find_program(name: str, configured: str | None = None) -> str:
    """Path of a program that may be run.

    Parameters
    ----------
    name : str
        Of `PROGRAMS`.
    configured : str, optional
        Where the config says that it is.

    Raises
    ------
    UserError
        It is not there, or another version is; the sentence says how to get it.
    """
    program = PROGRAMS[name]
    key = name.replace("1.9", "19")
    get = f"get it with {program.packages}, or name it in `discover.programs.{key}`"
    for called in [configured] if configured else program.names:
        found = shutil.which(called)
        if found is None:
            continue
        said = subprocess.run([found, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
        if re.search(program.version, said):
            return found
        if configured:
            raise UserError(
                f"{configured}: this is {said.strip().partition(chr(10))[0] or 'something else'}, no {name}; {get}"
            )
    where = f"no program at {configured}" if configured else f"no program {name} on PATH"
    raise UserError(f"{where}: {get}")


def run_program(command: Sequence[object]) -> str:
    """Run a program to its end.

    Returns
    -------
    str
        What it said.

    Raises
    ------
    UserError
        It failed; in its own words.
    """
    words = [str(word) for word in command]
    logger.info("%s", " ".join(words))
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    lines = [line.rpartition("\r")[2].strip() for line in done.stdout.splitlines()]
    if done.returncode:
        errors = [at for at, line in enumerate(lines) if re.match(r"error\b|\* ?error", line, re.I)]
        told = lines[errors[0] :] if errors else lines[-_SHOWN:]
        name = Path(words[0]).name
        raise UserError(f"{name} failed (status {done.returncode}): {' '.join(' '.join(told[:_SHOWN]).split())}")
    return done.stdout


@contextlib.contextmanager
def fresh_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`, which takes its place on success; else nothing is left of it.

    A program that fails leaves files that look whole (PLINK 2, of a `.pgen` that was cut off), so it writes here.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        yield made
        if path.exists():
            shutil.rmtree(path)
        made.rename(path)


def limits(threads: int, memory: int | None = None) -> list[str]:
    """PLINK's arguments for threads, and memory in MiB; without it PLINK 2 takes half of the machine."""
    return ["--threads", str(threads), *(["--memory", str(max(memory, 640))] if memory else [])]
