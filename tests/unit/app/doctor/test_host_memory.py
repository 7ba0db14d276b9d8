"""Memory of the machine, and what cgroups leave of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.app.doctor import host_memory


@pytest.mark.parametrize(
    ("own", "limits", "gigabytes"),
    [
        ("0::/job/step", {"job": "4000000000", "job/step": "max"}, 4.0),  # Slurm's is of the job
        ("0::/job/step", {"job": "max", "job/step": "2000000000"}, 2.0),
        ("0::/", {"": "3000000000"}, 3.0),  # in a container
        ("0::/job", {"job": "99000000000"}, 8.192),  # more than there is
        ("0::/job", {}, 8.192),
        ("4:memory:/old", {}, 8.192),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, monkeypatch, own: str, limits: dict[str, str], gigabytes: float):
    (tmp_path / "meminfo").write_text("MemTotal:        8000000 kB\nMemFree: 5 kB\n")
    (tmp_path / "own").write_text(f"{own}\n")
    for name, limit in limits.items():
        (tmp_path / "groups" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name / "memory.max").write_text(f"{limit}\n")
    for name, path in (("_MEMINFO", "meminfo"), ("_OWN", "own"), ("_GROUPS", "groups")):
        monkeypatch.setattr(host_memory, name, tmp_path / path)
    assert host_memory.host_memory() == pytest.approx(gigabytes * 1e9)
