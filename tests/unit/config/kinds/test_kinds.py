"""What a kind of task names is there and fits together; nothing else compares kinds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecglfm.config.kinds import KINDS, TaskKind
from ecglfm.config.reference import look_up
from ecglfm.evaluation.metrics import Outcome
from ecglfm.models.outputs import Link
from ecglfm.training.finetuning.scores import Score
from ecglfm.training.finetuning.targets import Numbers

each = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@each
def test_the_code_that_it_names_is_there(kind: TaskKind) -> None:
    assert KINDS[kind.name] is kind
    for reference, base in ((kind.targets, Numbers), (kind.link, Link), (kind.outcome, Outcome)):
        assert issubclass(look_up(reference), base)
    assert all(isinstance(look_up(reference), Score) for reference in kind.scores.values())
    assert all(callable(look_up(reference)) for reference in (*kind.losses.values(), kind.pictures))


@each
def test_its_parts_fit(kind: TaskKind) -> None:
    assert set(kind.captions) == {"curves", "calibration"}
    assert len(kind.truth) == len(kind.columns)
    assert set(kind.statistics.values()) <= {"mean", "spread"}
    assert kind.time in (None, *kind.columns)


@pytest.mark.parametrize(
    ("kind", "label", "truth", "output", "threshold"),
    [
        ("multilabel", ["label.x"], ["target.x"], "probability.x", ["threshold.x"]),
        ("multiclass", ["label.x"], ["target.x"], "probability.x", ["threshold.x"]),
        ("regression", ["label.x"], ["target.x"], "prediction.x", []),
        ("survival", ["time.x", "event.x"], ["time.x", "event.x"], "risk.x", []),
    ],
)
def test_columns_of_a_label(kind: str, label: list[str], truth: list[str], output: str, threshold: list[str]) -> None:
    assert KINDS[kind].label_columns("x") == label
    assert KINDS[kind].truth_columns("x") == truth
    assert KINDS[kind].output_column("x") == output
    assert KINDS[kind].threshold_columns(["x"]) == threshold


def _compared(path: Path) -> Iterator[int]:
    """Lines where a text is compared with, or looked up by, the name of a kind."""
    for node in ast.walk(ast.parse(path.read_text())):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            parts = list(node.keys)
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        constants = [
            one for part in parts if part is not None for one in ast.walk(part) if isinstance(one, ast.Constant)
        ]
        if any(isinstance(one.value, str) and one.value in KINDS for one in constants):
            yield node.lineno


def test_nothing_else_compares_kinds(repository: Path) -> None:
    """But benchmarks, which have cases of their own that are called so, and discovery, which has a step."""
    package = repository / "ecglfm"
    other = package / "benchmark", package / "config/named_files.py"
    paths = [path for path in package.rglob("*.py") if not any(path.is_relative_to(one) for one in other)]
    found = [f"{path.relative_to(repository)}:{line}" for path in paths for line in _compared(path)]
    named = re.compile("|".join(f"[\"']{kind}[\"']" for kind in KINDS))
    rules = [path for path in (repository / "workflow").rglob("*.smk") if not path.match("discover_*")]
    others = [*rules, *package.rglob("*.j2"), repository / "workflow/Snakefile"]
    assert found + [str(path) for path in others if named.search(path.read_text())] == []
