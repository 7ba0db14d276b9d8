"""Ways to install elsewhere: docs/clusters.md, the Dockerfile and envs/, as far as they can be held without a cluster."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.architecture import requirements
from tests.pages import blocks


def commands(repository: Path) -> list[str]:
    """Of the ways to install, the blocks that name the test below."""
    found = blocks(repository / "docs/clusters.md", "bash")
    return [one for block in found if "test_commands_for_clusters_are_sound" in block.run_by for one in block.commands]


def test_extras_that_are_named_exist(repository: Path) -> None:
    """A recipe that names another would install less than it says, with a warning of pip's."""
    known = set(requirements.project(repository)["optional-dependencies"])
    for name in ("README.md", "docs/clusters.md", "docs/released-weights.md", "Dockerfile", "envs/ecglfm.def",
                 "envs/ecglfm.yaml", "Makefile", "docs/config/where-it-runs.md"):  # fmt: skip
        named = re.findall(r"(?:ecglfm|['\"]\.)\[([\w,]+)\]", (repository / name).read_text())
        assert named or name == "docs/clusters.md", name
        assert {extra for group in named for extra in group.split(",")} <= known, name


def test_commands_for_clusters_are_sound(repository: Path, tmp_path: Path) -> None:
    """Those that need no other machine are run; of the others, files and options are there."""
    found = commands(repository)
    script = "\n".join(found)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True)
    assert {shlex.split(command)[0] for command in found} == {
        "python3.11", "git", "tar", "source", "pip", "cd", "apptainer", "sbatch", "docker",
    }  # fmt: skip
    (archive,) = [command for command in found if command.startswith("git archive")]
    subprocess.run(shlex.split(archive.replace("ecglfm.tar", f"{tmp_path}/ecglfm.tar")), cwd=repository, check=True)
    with tarfile.open(tmp_path / "ecglfm.tar") as file:
        assert {f"ecglfm/{name}" for name in ("workflow/Snakefile", "config/config.yaml", "slurm")} <= set(
            file.getnames()
        )
    named = re.findall(r"(?:-c|build \S+\.sif) (\S+)", script)
    assert set(named) == {"constraints.txt", "envs/ecglfm.def"}
    assert all((repository / name).is_file() for name in named)


def test_the_package_can_be_built_of_what_the_image_is_given(repository: Path, tmp_path: Path) -> None:
    given = re.findall(r"^    (\S+) /ecglfm/(\S+)$", (repository / "envs/ecglfm.def").read_text(), re.M)
    assert given
    for source, target in given:
        copy = shutil.copytree if (repository / source).is_dir() else shutil.copy
        copy(repository / source, tmp_path / target)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    made = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert len(list((tmp_path / "dist").glob("*.whl"))) == 1
