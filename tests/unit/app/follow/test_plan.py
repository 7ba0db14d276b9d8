"""What Snakemake would do with a small workflow, in our words; nothing of it is run but by the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecglfm.app.follow.causes import show_causes
from ecglfm.app.follow.plan import Plan, make_plan, parse_config
from ecglfm.config import UserError

SNAKEFILE = """
from types import SimpleNamespace
import sys
sources = {"a": SimpleNamespace(exclude_patients="withdrawn.csv"), "b": SimpleNamespace(exclude_patients=None)}
PROJECT = SimpleNamespace(config=SimpleNamespace(results=config.get("results", "results")), sources=sources)
rule all:
    input: "results/model/tiny.txt"
rule config_slice:
    output: "results/config/{slice}.yaml"
    params: content=lambda wildcards: f"finetune: {{lr: {config.get('lr', 0.001)}}}"
    shell: "printf '%s\\\\n' {params.content:q} > {output}"
rule fit:
    input: "results/config/{name}.yaml", "raw.txt"
    output: "results/model/{name}.txt"
    log: "results/logs/{name}.log"
    shell: "cat {input} > {output}"
rule none:
    input: lambda wildcards: sys.exit("config.yaml's `tasks` is empty")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which that workflow was run."""
    root = tmp_path_factory.mktemp("project")
    (root / "workflow").mkdir()
    (root / "workflow/Snakefile").write_text(SNAKEFILE)
    (root / "raw.txt").write_text("raw")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    subprocess.run(command, cwd=root, check=True, timeout=300, env=os.environ | {"SLURM_CONF": os.devnull})
    return root


@pytest.fixture(autouse=True)
def _here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def _due(plan: Plan) -> list[str]:
    return [job.name for job in plan.jobs if job.reason]


def test_nothing_is_due_and_nothing_is_written(project: Path) -> None:
    before = sorted(path for path in project.rglob("*") if path.is_file())
    plan = make_plan()
    assert (_due(plan), plan.results, plan.excluding) == ([], Path("results"), ("a",))
    fit = plan.jobs[1]
    assert (fit.rule, fit.item, fit.outputs, fit.log) == (
        "fit",
        "tiny",
        ("results/model/tiny.txt",),
        "results/logs/tiny.log",
    )
    assert (fit.inputs, fit.upstream) == (("results/config/tiny.yaml", "raw.txt"), (0,))
    assert sorted(path for path in project.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize("target", ["all", "results/model", "results/model/tiny.txt"])
def test_an_edited_key_is_told_whatever_the_target(target: str) -> None:
    plan = make_plan([target], config=["lr=0.003"])
    assert [plan.jobs[place].rule for place in plan.asked] == ["fit"]
    assert show_causes(plan).endswith("  finetune.lr 0.001 -> 0.003\n    in results/config/tiny.yaml")


def test_a_stage_is_all_of_its_jobs() -> None:
    assert make_plan(["Snakefile"]).asked == [0, 1]


def test_from_elsewhere_as_snakemake_itself(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw.txt").write_text("raw")
    monkeypatch.chdir(tmp_path)
    plan = make_plan(snakefile=project / "workflow/Snakefile")
    assert [job.rule for job in plan.jobs if job.reason.missing] == ["config_slice", "fit"]


def test_newer_and_missing_files_and_another_command_are_told(project: Path) -> None:
    raw, snakefile = project / "raw.txt", project / "workflow/Snakefile"
    raw.write_text("other")
    assert make_plan().jobs[1].reason.updated == ("raw.txt",)
    raw.write_text("raw")  # the same content as before: Snakemake knows its checksum
    assert _due(make_plan()) == []
    snakefile.write_text(SNAKEFILE.replace("cat {input}", "cat  {input}"))
    (said,) = make_plan().jobs[1].reason.others
    assert said == "the command of the rule fit changed: another version of the workflow"
    snakefile.write_text(SNAKEFILE)
    made = project / "results/model/tiny.txt"
    made.rename(project / "aside")
    assert make_plan().jobs[1].reason.missing == ("results/model/tiny.txt",)
    (project / "aside").rename(made)


def test_what_cannot_be_planned_is_one_sentence() -> None:
    for name in ("nonsense.txt", "NOSUCH", "results/finetune/nosuch"):
        with pytest.raises(UserError, match=f"^{name}: no rule, no file that a rule makes, and no folder of results"):
            make_plan(["results/model", name])
    with pytest.raises(UserError, match="^config.yaml's `tasks` is empty$"):
        make_plan(["none"])
    with pytest.raises(UserError, match="--config: "):
        parse_config(["no pair"])


def test_a_mistake_in_a_recipe_is_told_with_its_line(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("lr: 0.003\nroot:path\n")
    with pytest.raises(UserError, match=r"mine\.yaml:2: not valid YAML: no `key: value` here"):
        make_plan(configfiles=[recipe])
