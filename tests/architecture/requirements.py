"""What pyproject.toml requires, for whom."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

#: Distributions whose module has another name.
MODULES = {
    "nvidia-ml-py": "pynvml",
    "psycopg2-binary": "psycopg2",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "umap-learn": "umap",
}


def project(repository: Path) -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    """Name of a distribution, without versions."""
    return re.split(r"[><=;\[ ]", requirement)[0].lower()


def plain(repository: Path) -> set[str]:
    """Distributions that every install brings."""
    return {name_of(text) for text in project(repository)["dependencies"]}


def extras(repository: Path) -> dict[str, set[str]]:
    """Distributions that only extras bring, with those extras."""
    found: dict[str, set[str]] = {}
    for extra, requirements in project(repository)["optional-dependencies"].items():
        for text in requirements:
            found.setdefault(name_of(text), set()).add(extra)
    return {name: by for name, by in found.items() if name not in plain(repository)}


def module_of(distribution: str) -> str:
    """Name that is imported."""
    return MODULES.get(distribution, distribution.replace("-", "_"))
