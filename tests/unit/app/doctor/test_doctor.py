"""Every check is made whatever the others come to, and Slurm's only where a profile is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm.app.doctor import examine, machine, places, site, versions
from ecglfm.app.doctor.finding import Finding, fail, ok, warn
from ecglfm.config import Project


def test_what_nobody_has_foreseen_is_a_finding_too(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        yield warn("half of it")
        raise ZeroDivisionError("by zero")

    def check(name: str):
        return lambda *_: iter([ok(name)])

    monkeypatch.setattr(versions, "check_versions", check("versions"))
    monkeypatch.setattr(machine, "check_cuda", broken)
    for module, name in ((machine, "engine"), (machine, "compiler"), (places, "disk"), (places, "sources"),
                         (places, "mlflow"), (site, "slurm")):  # fmt: skip
        monkeypatch.setattr(module, f"check_{name}", check(name))
    content = {"sources": ["demo-ptbxl"], "encoders": [], "tasks": []}
    project = Project(content, repository / "config")
    found = [ok("versions"), warn("half of it"), fail("CUDA: ZeroDivisionError: by zero")]
    found += [ok(name) for name in ("engine", "compiler", "disk", "sources", "mlflow")]
    assert list(examine(project, None)) == found
    assert list(examine(project, "slurm")) == [*found, ok("slurm")]
