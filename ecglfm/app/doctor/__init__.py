"""`ecglfm doctor`: whether this machine is fit for the pipeline, a line for each thing, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ecglfm.app.doctor import device, machine, places, site, versions
from ecglfm.app.doctor.finding import Finding, fail
from ecglfm.config import Project

__all__ = ["examine"]

Check = Callable[[], Iterator[Finding]]


def examine(project: Project, profile: str | None, *, gpus: bool = False) -> Iterator[Finding]:
    """Make every check.

    Parameters
    ----------
    project : Project
    profile : str or None
        Snakemake profile whose partitions and accounts Slurm must know; None: none.
    gpus : bool
        Whether to make steps of the project's pretrainings on every GPU.

    Yields
    ------
    Finding
        As soon as it is found.
    """
    checks: list[tuple[str, Check]] = [
        ("versions", versions.check_versions),
        ("CUDA", machine.check_cuda),
        ("DeepSpeed", machine.check_engine),
        ("compiler", machine.check_compiler),
        ("disk", partial(places.check_disk, Path(project.config.results))),
        ("sources", partial(places.check_sources, project)),
        ("MLflow", partial(places.check_mlflow, project.tracking_slice())),
    ]
    if profile is not None:
        checks.append(("Slurm", partial(site.check_slurm, profile)))
    if gpus:
        slices = [project.encoder_slice(name) for name, config in project.encoders.items() if config.pretrain]
        checks += [("GPU", device.check_devices), ("trainings", partial(device.check_trainings, slices))]
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:  # what nobody has foreseen is a finding, too, and hides none of the others
            yield fail(f"{name}: {type(error).__name__}: {error}")
