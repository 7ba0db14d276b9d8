"""What the Slurm profile asks of a cluster: the very lines that sbatch is given, noted by an sbatch that refuses."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.submit_string import get_submit_command

from tests.integration.conftest import Clone, make_clone

pytestmark = pytest.mark.slow

PROFILE = "workflow/profiles/slurm/config.yaml"
RANKS = ("nodes", "tasks", "tasks_per_node", "tasks_per_gpu", "mpi", "gres")  # keys that a site replaces


@pytest.fixture
def site(repository: Path, tmp_path: Path) -> Clone:
    """A clone that believes its data are ready, and an sbatch that notes what it is told."""
    clone = make_clone(repository, tmp_path / "clone")
    for name in ("manifest/records.parquet", "index/demo-ptbxl.parquet", "index/demo-mimic.parquet"):
        (clone.results / name).parent.mkdir(parents=True, exist_ok=True)
        (clone.results / name).touch()
    (clone.root / "bin").mkdir()
    # A machine that has no Slurm has no sinfo, and no sacct to ask for the account either.
    noted = {"sbatch": f'printf "%s\\0" sbatch "$@" >> {clone.root}/calls\n', "sacct": "", "sinfo": ""}
    for name, line in noted.items():
        command = clone.root / "bin" / name
        command.write_text(f"#!/bin/sh\n{line}exit 1\n")
        command.chmod(0o755)
    return clone


def submit(clone: Clone, target: str, *rules: str) -> tuple[list[list[str]], str]:
    """Words of each sbatch line up to the command to run there, without names and paths; and what Snakemake said."""
    path = f"{clone.root}/bin:{clone.environment()['PATH']}"
    options = ["--retries=0", "--keep-going", "--cores=64"]  # no job gets more threads than the login node has cores
    options += ["--allowed-rules", target, "config_slice", *rules]
    said = clone.run("snakemake", "--profile", "slurm", target, *options, check=False, PATH=path).stdout
    calls = (clone.root / "calls").read_text().split("sbatch\0")[1:]
    lines = []
    for call in calls:
        words = call.split("\0")
        for name in ("--job-name", "--output", "--comment", "-D"):
            at = words.index(name)
            del words[at : at + 2]
        lines.append(["sbatch", *(word for word in words if word and not word.startswith("--wrap="))])
    return lines, said


class Resources(dict):
    """Resources of a job as Snakemake hands them to its plugins: `get` and attributes."""

    __getattr__ = dict.__getitem__


def recipes(repository: Path) -> dict[str, dict[str, object]]:
    """The lines that the profile has for pretraining, and those that it offers in a comment, by what they are for."""
    text = (repository / PROFILE).read_text()
    shipped = yaml.safe_load(text)["set-resources"]["pretrain_encoder"]
    offered = re.findall(r"^    #   (\S.*?): +(nodes: .*?)(?: {2,}\(.*)?$", text, re.MULTILINE)
    commented = yaml.safe_load(re.search(r"^    # (gres: .*)$", text, re.MULTILINE)[1])
    found = {name: yaml.safe_load(f"{{{line}}}") for name, line in offered}
    found["as shipped"] = {key: shipped[key] for key in RANKS if key in shipped}
    found["as shipped, with GPUs"] = found["as shipped"] | commented
    return found


@pytest.mark.parametrize(
    ("recipe", "tasks"),
    [
        ("2 nodes, 8 GPUs each", "--nodes=2 --ntasks-per-node=8"),
        ("1 node, 8 GPUs", "--nodes=1 --ntasks-per-node=8"),
        ("4 nodes, 1 GPU each", "--nodes=4 --ntasks=4"),
        ("1 GPU", "--nodes=1"),
        ("CPU only", "--nodes=1 --ntasks=1"),
        ("as shipped", "--nodes=2 --ntasks=2"),
        ("as shipped, with GPUs", "--nodes=2 --ntasks=2"),  # the plugin once added 2 tasks on each GPU
    ],
)
def test_a_recipe_of_the_profile_asks_for_one_task_a_gpu(repository, recipe, tasks):
    """What Snakemake's plugin makes of it, so that a line need only be uncommented."""
    offered = recipes(repository)
    assert len(offered) == 7
    job = SimpleNamespace(resources=Resources(offered[recipe]), threads=4)
    names = dict.fromkeys(("run_uuid", "slurm_logfile", "comment_str", "account", "partition", "workdir"), "")
    words = get_submit_command(job, names).split()
    assert " ".join(word for word in words if word.startswith(("--nodes", "--ntasks"))) == tasks


def override(clone: Clone, ranks: dict[str, object]) -> None:
    """What the README tells a site to do: edit a copy that git ignores."""
    content = yaml.safe_load((clone.root / PROFILE).read_text())
    rule = content["set-resources"]["pretrain_encoder"]
    content["set-resources"]["pretrain_encoder"] = {key: rule[key] for key in rule if key not in RANKS} | ranks
    content["default-resources"]["slurm_partition"] = "'gpu'"
    (clone.root / "slurm/config.v9+.yaml").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("ranks", "sbatch", "srun"),
    [
        (
            {"nodes": 2, "tasks_per_node": 8, "mpi": "'srun'", "gres": "'gpu:8'"},
            "--nodes=2 --requeue --ntasks-per-node=8 --cpus-per-task=4 {extra} --gres=gpu:8",
            "srun --nodes=2 --ntasks=16 --ntasks-per-node=8 --cpus-per-task=4 --kill-on-bad-exit=1 ",
        ),
        (
            {"nodes": 4, "tasks": 4, "mpi": "'srun --mpi=pmix'", "gres": "'gpu:1'", "tasks_per_gpu": 0},
            "--nodes=4 --requeue --ntasks=4 --cpus-per-task=4 {extra} --gres=gpu:1",
            "srun --mpi=pmix --nodes=4 --ntasks=4 --ntasks-per-node=1 --cpus-per-task=4 --kill-on-bad-exit=1 ",
        ),
    ],
    ids=["2-nodes-8-gpus", "4-nodes-1-gpu"],
)
def test_pretraining_is_submitted_as_a_person_would(site, ranks, sbatch, srun):
    override(site, ranks)
    (line,), said = submit(site, "pretrain", "pretrain_encoder")
    extra = "--signal=USR1@60 --open-mode=append"
    expected = f"sbatch --parsable --export=ALL -p gpu -t 1440 --mem 16000 {sbatch.format(extra=extra)}"
    assert line == shlex.split(expected)
    (command,) = re.findall(r"^Shell command: (.* -m ecglfm .* pretrain .*)", said, re.M)
    assert command == srun + (
        "python -m ecglfm --cost results/logs/pretrain/tiny.log.cost pretrain"
        " --config results/config/pretrain/tiny.yaml --manifest results/manifest/records.parquet"
        " --signals results/preprocess --output results/pretrain/tiny --tracking results/config/tracking.yaml"
        " --rule pretrain_encoder --threads 4 2> results/logs/pretrain/tiny.log"
    )


def test_a_finetuning_is_started_by_srun_and_warned_as_a_pretraining_is(site):
    for name in ("pretrain/tiny/encoder.safetensors", "labels/diagnosis.parquet"):
        (site.results / name).parent.mkdir(parents=True, exist_ok=True)
        (site.results / name).touch()
    site.edit("config/config.yaml", encoders=["tiny"], tasks=["diagnosis"])
    (line,), said = submit(site, "finetune_all", "finetune_model")
    expected = (
        "sbatch --parsable --export=ALL -p main -t 480 --mem 16000 --nodes=1 --requeue --ntasks=1 --cpus-per-task=4"
    )
    assert line == shlex.split(f"{expected} --signal=USR1@60 --open-mode=append")
    (command,) = re.findall(r"^Shell command: (.* -m ecglfm) --cost \S+ finetune ", said, re.M)
    assert (
        command
        == "srun --nodes=1 --ntasks=1 --ntasks-per-node=1 --cpus-per-task=4 --kill-on-bad-exit=1 python -m ecglfm"
    )


def test_shards_are_bundled(site):
    for source in ("demo-ptbxl", "demo-mimic"):
        site.edit(f"config/sources/{source}.yaml", shards=10)
    lines, said = submit(site, "preprocess", "ingest_shard", "preprocess_shard")
    assert re.search(r"^ingest_shard +20$", said, re.M)
    assert re.search(r"^preprocess_shard +20$", said, re.M)
    # 20 shards by 8; one after the other, so a job has one shard's processors and memory and everybody's time
    common = "sbatch --parsable --export=ALL -p main -t {} --mem 8000 --requeue --ntasks=1 --cpus-per-task=4"
    expected = [shlex.split(common.format(shards * (15 + 15))) for shards in (8, 8, 4)]
    assert sorted(lines) == sorted(expected)


def test_the_copy_of_a_site_is_ignored_by_git(site, repository):
    name = "workflow/profiles/slurm/config.v9+.yaml"
    ignored = subprocess.run(["git", "check-ignore", name], cwd=repository, capture_output=True, text=True)
    assert ignored.stdout.strip() == name
    assert "cp slurm/config.yaml slurm/config.v9+.yaml" in (repository / PROFILE).read_text()
