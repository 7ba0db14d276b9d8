"""Packages and their versions, against what pyproject.toml allows."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ecglfm.app.doctor.finding import Finding, fail, ok

TOLD = ("torch", "deepspeed", "snakemake", "mlflow", "wfdb")  # also where all is well
_EXTRAS = ("", "workflow", "train")  # what the pipeline needs of pyproject.toml
_MEND = "run `make setup`"


def check_versions() -> Iterator[Finding]:
    """Python, the packages of `TOLD`, and whichever of the others is at fault."""
    try:
        about = metadata.metadata("ecglfm")
        requirements = [Requirement(text) for text in metadata.requires("ecglfm") or []]
    except metadata.PackageNotFoundError:
        yield fail(f"ecglfm is not installed in this environment, so its requirements are unknown: {_MEND}")
        return
    python, wanted = platform.python_version(), about["Requires-Python"] or ""
    if SpecifierSet(wanted).contains(python, prereleases=True):
        yield ok(f"python {python}")
    else:
        yield fail(f"python {python} is not {wanted}: make a new environment with `make PYTHON=python3.11 setup`")
    for requirement in requirements:
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in _EXTRAS):
            continue
        finding = _check(requirement)
        if finding.level != "ok" or requirement.name in TOLD:
            yield finding


def _check(requirement: Requirement) -> Finding:
    """One package."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return fail(f"{requirement.name} is not installed: {_MEND}")
    if not requirement.specifier.contains(version, prereleases=True):
        return fail(f"{requirement.name} {version} is not {requirement.specifier}: {_MEND}")
    return ok(f"{requirement.name} {version}")
