"""A training as a job of a real two-node Slurm, ready to be disturbed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.integration.conftest import Clone, copy_clone, made_once
from tests.integration.slurm.training import Training, history, prepare, weights

STEPS, EVERY = 60, 10


@pytest.fixture(scope="session")
def ready(with_manifest: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with its manifest, so that Slurm has only the training to run."""
    return prepare(with_manifest, tmp_path_factory.mktemp("slurm") / "clone", STEPS, EVERY, zero_stage=2)


@pytest.fixture(scope="session")
def undisturbed(
    ready: Clone, slurm: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, pd.DataFrame]:
    """Weights and history of a training that nothing disturbed, the same for all test processes."""

    def make(folder: Path) -> None:
        training = Training(copy_clone(ready, folder), slurm)
        training.end(training.sbatch())

    clone = made_once(tmp_path_factory, "undisturbed", make)
    return weights(clone), history(clone)


@pytest.fixture
def training(ready: Clone, slurm: dict[str, str], undisturbed: tuple[str, pd.DataFrame]) -> Iterator[Training]:
    """A training that has not begun."""
    made = Training(ready, slurm)
    yield made
    made.close()
    made.slurm("scancel", "--user", os.environ.get("USER", "root"))
