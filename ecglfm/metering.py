"""What a command took: time, memory, GPUs and their energy, as a line of a file beside its log.

It stands beside the outputs, never in them: the same config and data give the same files, and no two runs take as long.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Energy counters of processors (Intel's and AMD's), readable where the machine's owner allows it.
RAPL = Path("/sys/class/powercap")


@dataclass
class Meter:
    """What `metered` is told while a command runs.

    Attributes
    ----------
    status : int
        Exit status of the command; 1 until it is known.
    """

    status: int = 1
    silent: bool = False

    def hand_over(self) -> None:
        """Write nothing: the processes that this one starts do."""
        self.silent = True


@contextmanager
def metered(path: Path | None, command: str) -> Iterator[Meter]:
    """Append what a command took to a file, also where it fails; what is killed leaves no line.

    A line is a JSON object: `command`, `status`, `seconds`, `processor_seconds` (with processes that it waited for),
    `memory_mb` (the most that was resident in one of them), `gpus` (names of those that this process computed on),
    `gpu_joules` (what these drew, by the driver's counter; null without one) and `processor_joules` (what the
    processors of the whole machine drew, whoever used them; null where their counters cannot be read).

    Parameters
    ----------
    path : path or None
        Where to; nothing is measured without. Ranks but the first have their number at its end.
    command : str
    """
    meter = Meter()
    if path is None:
        yield meter
        return
    began, before, processors = time.perf_counter(), gpu_joules(), processor_joules()
    try:
        yield meter
    finally:
        if not meter.silent:
            uuids, names = _used_gpus()
            after = gpu_joules()
            drawn = [after[one] - before[one] for one in uuids if one in before and one in after]
            usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
            spent = processor_joules()
            line = {
                "command": command,
                "status": meter.status,
                "seconds": round(time.perf_counter() - began, 3),
                "processor_seconds": round(sum(one.ru_utime + one.ru_stime for one in usages), 3),
                "memory_mb": round(max(one.ru_maxrss for one in usages) * 1024 / 1e6, 1),
                "gpus": names,
                "gpu_joules": sum(drawn) if uuids and len(drawn) == len(uuids) else None,
                "processor_joules": _between(processors, spent),
            }
            _append(path, line)


def _append(path: Path, line: dict[str, Any]) -> None:
    """One write, so that no two processes mix theirs."""
    rank = int(os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or 0)
    path = path.with_name(f"{path.name}.{rank}") if rank else path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _used_gpus() -> tuple[list[str], list[str]]:
    """Identities and names of the GPUs that this process computed on; none where torch was never asked for one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return [], []
    used = [torch.cuda.get_device_properties(torch.cuda.current_device())]
    return [f"GPU-{one.uuid}".replace("GPU-GPU-", "GPU-") for one in used], [one.name for one in used]


def read_cost(path: Path) -> list[dict[str, Any]]:
    """Lines of a file that `metered` wrote, as `current` takes them; raises `UserError` where it is not that."""
    from ecglfm.config import UserError

    try:
        return current(json.loads(line) for line in path.read_text().splitlines() if line)
    except ValueError as error:
        raise UserError(f"{path}: not lines of JSON ({error}); delete it") from None


def current(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last success with the attempts before it: the lines since the last success but one."""
    kept: list[dict[str, Any]] = []
    for line in lines:
        if kept and kept[-1]["status"] == 0:
            kept = []
        kept.append(line)
    return kept


def gpu_joules() -> dict[str, float]:
    """Joules that each GPU here has drawn since its driver was loaded, by identity; none without driver or counter."""
    from ecglfm.config import UserError
    from ecglfm.extras import need

    try:
        need("pynvml", extra="train", what="the energy of GPUs")
        import pynvml

        pynvml.nvmlInit()
    except UserError:
        return {}
    except pynvml.NVMLError:
        return {}
    found = {}
    try:
        for place in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(place)
            with suppress(pynvml.NVMLError):  # before Volta
                found[pynvml.nvmlDeviceGetUUID(device)] = pynvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1000
    finally:
        pynvml.nvmlShutdown()
    return found


def processor_joules(root: Path = RAPL) -> dict[str, tuple[float, float]]:
    """Energy counter of each processor package of the machine and where it begins anew, J; none that can be read."""
    found = {}
    for package in sorted(root.glob("intel-rapl:*")):
        if package.name.count(":") > 1:
            continue  # a part of a package
        try:
            now, most = (float((package / name).read_text()) / 1e6 for name in ("energy_uj", "max_energy_range_uj"))
        except (OSError, ValueError):
            continue
        found[package.name] = (now, most)
    return found


def _between(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> float | None:
    """Joules between two readings, in which a counter may have begun anew once."""
    both = [name for name in before if name in after]
    return sum((after[name][0] - before[name][0]) % after[name][1] for name in both) if both else None
