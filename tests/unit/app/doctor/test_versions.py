"""Versions of packages: those that are installed, and those that do not fit."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from ecglfm.app.doctor import versions
from tests.unit.app.doctor.findings import lines


def test_versions_are_those_of_the_environment() -> None:
    found = lines(versions.check_versions())
    assert f"ok   torch {metadata.version('torch')}" in found
    assert [line for line in found if not line.startswith("ok")] == []
    assert {line.split()[1] for line in found} == {"python", "deepspeed", "mlflow", "snakemake", "torch", "wfdb"}


def test_versions_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda _: [
            "torch>=99",
            "h5py<1",
            "numpy>=1",
            "ecglfm-nothing",
            'onnx>=99; extra == "dev"',
            'scipy>=99; extra == "train"',
        ],
    )
    monkeypatch.setattr(metadata, "metadata", lambda _: {"Requires-Python": ">=3.99"})
    python = ".".join(map(str, sys.version_info[:3]))
    assert lines(versions.check_versions()) == [
        f"fail python {python} is not >=3.99: make a new environment with `make PYTHON=python3.11 setup`",
        f"fail torch {metadata.version('torch')} is not >=99: run `make setup`",
        f"fail h5py {metadata.version('h5py')} is not <1: run `make setup`",
        "fail ecglfm-nothing is not installed: run `make setup`",
        f"fail scipy {metadata.version('scipy')} is not >=99: run `make setup`",
    ]


def test_an_environment_without_ecglfm(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", missing)
    (line,) = lines(versions.check_versions())
    assert line.startswith("fail ecglfm is not installed")
