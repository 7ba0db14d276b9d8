"""What must stay true of the tree itself: pins agree, floors hold, the CLI stays light, nothing listens."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.architecture import requirements


def _pins(repository: Path) -> dict[str, str]:
    lines = (repository / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_every_requirement_is_pinned(repository: Path) -> None:
    pins = _pins(repository)
    assert sorted((requirements.plain(repository) | requirements.extras(repository).keys()) - pins.keys()) == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ecglfm", {"formats", "train", "umap", "workflow"}),
        ("discover", {"discover", "formats", "train", "umap", "workflow"}),
    ],
)
def test_conda_environment_has_the_same_pins(repository: Path, name: str, wanted: set[str]) -> None:
    """Of what the workflow runs."""
    pins = _pins(repository)
    found = re.findall(r"^      - (\S+)==(\S+)$", (repository / f"envs/{name}.yaml").read_text(), re.M)
    only = {name for name, extras in requirements.extras(repository).items() if extras & wanted}
    assert {name for name, _ in found} == requirements.plain(repository) | only
    assert {name: version for name, version in found if pins[name] != version} == {}


def test_conda_brings_the_genetic_programs(repository: Path) -> None:
    """What pip does not have; bioconda packages take their libraries from conda-forge, which comes first."""
    content = yaml.safe_load((repository / "envs/discover.yaml").read_text())
    assert content["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    assert {"plink", "plink2", "regenie"} <= {one for one in content["dependencies"] if isinstance(one, str)}


def _imports(tree: ast.AST) -> Iterator[str]:
    """Top-level names of the modules that code imports when it runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]
        yield from _imports(node)


def _asked_for(tree: ast.AST) -> dict[str, str]:
    """Modules that code asks for with `need`, and the extra that it says brings them."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "need"]
    return {
        ast.literal_eval(name): ast.literal_eval(next(key.value for key in call.keywords if key.arg == "extra"))
        for call in calls
        for name in call.args
    }


def test_what_is_imported_is_required_or_asked_for(repository: Path) -> None:
    """A module that only an extra brings is asked for in the same file, by that extra: users get a line, no traceback."""
    always = {requirements.module_of(name) for name in requirements.plain(repository)}
    extras = {requirements.module_of(name): by for name, by in requirements.extras(repository).items()}
    known, found = sys.stdlib_module_names | always | {"ecglfm", "pydantic_core"}, []
    for path in sorted((repository / "ecglfm").rglob("*.py")):
        tree = ast.parse(path.read_text())
        asked = _asked_for(tree)
        found += [
            f"{path.relative_to(repository)}: {module}"
            for module in sorted({*_imports(tree), *asked} - known)
            if asked.get(module) not in extras.get(module, ())
        ]
    assert found == []


def test_the_packages_hold_code_and_no_recording(repository: Path, tmp_path: Path) -> None:
    """What a release consists of, built as `python -m build` does; PyPI would take it."""
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(build, cwd=repository, capture_output=True, text=True, check=True)
    (wheel,), (archive,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", wheel, archive],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    with zipfile.ZipFile(wheel) as file:
        inside = [name for name in file.namelist() if ".dist-info/" not in name]
    with tarfile.open(archive) as file:
        source = [member.name.partition("/")[2] for member in file if member.isfile()]
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    package = {name for name in tracked.stdout.splitlines() if name.startswith("ecglfm/")}
    assert set(inside) == package <= set(source) <= {*tracked.stdout.splitlines(), "PKG-INFO"}
    assert {"workflow/Snakefile", "config/config.yaml", "constraints.txt", "README.md"} <= set(source)
    code = {".cff", ".css", ".csv", ".def", ".html", ".ipynb", ".j2", ".js", ".json", ".md", ".png", ".py", ".rst", ".smk", ".svg", ".toml",
            ".txt", ".typed", ".yaml", ".yml"}  # fmt: skip
    odd = {name for name in source if Path(name).suffix not in code}
    assert odd == {"PKG-INFO", "LICENSE", "Makefile", "Dockerfile", ".gitignore", "workflow/Snakefile"}


@pytest.mark.parametrize("module", ["ecglfm", "ecglfm.config", "ecglfm.cli"])
def test_light_modules_import_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print(*sorted({{'torch','mlflow','deepspeed','pandas','numpy','matplotlib'}} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == ""


def test_data_stages_need_no_torch() -> None:
    code = (
        "import sys, ecglfm.data.ingest, ecglfm.data.signals, ecglfm.data.manifest, ecglfm.data.labels, ecglfm.data.tracked;"
        "print(*sorted({'torch','mlflow','deepspeed'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == ""


def test_the_package_is_found_beside_a_clone_of_its_name(tmp_path: Path) -> None:
    """Python would take the folder for a namespace package, unless the installed one is on its path."""
    (tmp_path / "ecglfm" / "ecglfm").mkdir(parents=True)
    command = [sys.executable, "-c", "import ecglfm; print(ecglfm.load_model.__module__)"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (shown.stdout, shown.stderr) == ("ecglfm.app.python\n", "")


_STAND_IN = """#!/bin/sh
# Stands in for Python: makes the environment that it is asked for, and writes down everything else.
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; else echo "$2" >> asked; fi
"""


def test_a_clone_in_any_folder_is_set_up_once(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "my clone; $(touch x) \u00e9"
    clone.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(repository / name, clone)
    python = tmp_path / "python"
    python.write_text(_STAND_IN)
    python.chmod(0o755)
    own = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    for _ in range(2):  # the second time there is nothing to do
        command = ["make", "setup", f"PYTHON={python}"]
        made = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
    assert (clone / "asked").read_text().splitlines()[1:] == ["pip", "pip"]
    assert sorted(path.name for path in clone.iterdir()) == [
        ".venv", "Makefile", "asked", "constraints.txt", "pyproject.toml",
    ]  # fmt: skip


def test_every_option_is_used(repository: Path) -> None:
    """Each config key is read somewhere outside ecglfm/config, by its name as an attribute."""
    from ecglfm import config

    code = "\n".join(
        path.read_text() for folder in ("ecglfm", "workflow") for path in (repository / folder).rglob("*")
        if path.suffix in {".py", ".smk"} and ("config" not in path.relative_to(repository).parts
                                               or path.name in {"checked_project.py", "slices.py", "identity.py"})
    )  # fmt: skip
    sections = [value for value in vars(config).values() if isinstance(value, type) and hasattr(value, "model_fields")]
    unused = {
        f"{section.__name__}.{name}"
        for section in sections
        for name in section.model_fields
        if not re.search(rf"\.{name}\b|[\"']{name}[\"']", code)
    }
    assert unused == set()


def test_every_rule_has_resources_in_the_slurm_profile(repository: Path) -> None:
    profile = (repository / "workflow/profiles/slurm/config.yaml").read_text()
    named = set(re.findall(r"^  (\w+):$", profile.split("set-resources:")[1], re.M))
    rules = {
        name
        for path in (repository / "workflow/rules").glob("*.smk")
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", path.read_text(), re.M | re.S)
        if "localrule: True" not in body
    }
    assert named == rules


def test_every_value_in_a_shell_command_is_quoted(repository: Path) -> None:
    """But a number, and the launcher, which is several words of our own."""
    bare = []
    for path in (repository / "workflow/rules").glob("*.smk"):
        for command in re.findall(r"^    shell:\n((?: {8}.*\n)+)", path.read_text(), re.M):
            bare += re.findall(r"\{(?!threads\}|params\.launcher\})[^}]*(?<!:q)\}", command)
    assert bare == []


def test_nothing_trusts_its_input(repository: Path) -> None:
    """No eval, exec, or unrestricted unpickling in the product's own code."""
    forbidden = (
        r"(?<![.\w`])(eval|exec)\(|weights_only=False|allow_pickle=True|pickle\.loads?\(|yaml\.unsafe_load|0\.0\.0\.0"
    )
    found = [
        f"{path.name}: {match.group(0)}"
        for path in (repository / "ecglfm").rglob("*.py")
        for match in re.finditer(forbidden, path.read_text())
    ]
    assert found == []


def test_texts_of_pictures_are_no_formulas(repository: Path) -> None:
    """Whatever is saved has gone through `literal`: names of patients and labels come from anywhere."""
    code = {path: path.read_text() for path in (repository / "ecglfm").rglob("*.py")}
    saved = [path.name for path, text in code.items() for _ in re.finditer(r"(?<!literal\(figure\))\.savefig\(", text)]
    assert saved == []
    assert sum(text.count("literal(figure).savefig(") for text in code.values()) >= 3


def test_no_path_of_a_machine_is_committed(repository: Path) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=True)
    machine_path = re.compile(r"(?<![\w./-])/(work|root|home/\w+)/\w")
    found = []
    for name in listed.stdout.splitlines():
        path = repository / name
        if path.is_file() and path.name != "test_repository.py":
            lines = path.read_text(errors="replace").splitlines()  # also what is readable of a binary file
            found += [f"{name}: {line}" for line in lines if machine_path.search(line)]
    assert found == []
