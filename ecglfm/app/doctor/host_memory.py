"""How much memory a job of this machine may take."""

from __future__ import annotations

from pathlib import Path

_MEMINFO, _OWN, _GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def host_memory() -> float:
    """Bytes of this machine, or of what a cgroup leaves of it (Slurm's and containers' limits).

    Version 2 alone: https://docs.kernel.org/admin-guide/cgroup-v2.html, `memory.max` of the group and of all above it.
    """
    (total,) = [line for line in _MEMINFO.read_text(encoding="ascii").splitlines() if line.startswith("MemTotal:")]
    limits = [1024.0 * int(total.split()[1])]
    own = [line[3:] for line in _OWN.read_text(encoding="utf-8").splitlines() if line.startswith("0::")]
    group = _GROUPS / own[0].lstrip("/") if own else _GROUPS
    for folder in (group, *group.parents):
        try:
            limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if limit != "max":
            limits.append(float(limit))
    return min(limits)
