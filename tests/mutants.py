"""Mutation testing of one module: `make mutants MODULE=ecglfm/data/manifest/splits.py`.

Each mutant is the module with one small fault (`<` for `<=`, a sign, a default). One that no test fails on stands for a
fault that nobody would see. Works on a copy in `build/mutants/`, so the checkout stays as it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SETTINGS = """
[tool.mutmut]
source_paths = ["ecglfm"]
only_mutate = [{module!r}]
pytest_add_cli_args_test_selection = {tests!r}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
also_copy = ["config", "docs", "envs", "workflow", "README.md"]
process_isolation = "forkserver"
use_git_change_detection = false
"""
#: What a test that hangs on a mutant, or is killed by it, has seen.
_SEEN = ("killed", "timeout", "segfault", "caught by type check")


def tests_of(module: Path) -> list[str]:
    """Test files of a module, by its name and its folder."""
    inside = module.parent.relative_to("ecglfm")
    found = sorted((ROOT / "tests/unit" / inside).rglob(f"test_{module.stem}.py"))
    if not found:
        raise SystemExit(f"no test_{module.stem}.py in tests/unit/{inside}; name the tests: make mutants TESTS='…'")
    return [str(path.relative_to(ROOT)) for path in found]


def copy(folder: Path, module: Path, tests: list[str]) -> None:
    """Copy what git lists, as it is now, with mutmut's settings."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(_SETTINGS.format(module=str(module), tests=tests))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path, help="file of the package, from the root of the checkout")
    parser.add_argument("tests", nargs="*", help="default: test_{module}.py in the folder of the same name")
    parser.add_argument("--only", default="*", help="mutants by their names; of a large module a sample: '*[147]'")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    if not (ROOT / arguments.module).is_file() or arguments.module.parts[0] != "ecglfm":
        raise SystemExit(f"{arguments.module}: no file of the package; for instance ecglfm/data/manifest/splits.py")
    tests = arguments.tests or tests_of(arguments.module)
    folder = ROOT / "build/mutants" / arguments.module.with_suffix("")
    copy(folder, arguments.module, tests)

    # Data beside the checkout are not beside the copy.
    shared = {"ECGLFM_REAL_DATA": "data", "ECGLFM_CASES": "cases", "ECGLFM_PARITY": "parity"}
    places = {name: str(ROOT.parent / "shared" / inside) for name, inside in shared.items()}
    environment = places | {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def mutmut(*words: str, quiet: bool = True) -> str:
        command = [sys.executable, "-m", "mutmut", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE if quiet else None, text=True
        )
        if done.returncode:
            raise SystemExit(f"mutmut {words[0]} ended with {done.returncode}; are the tests green without a mutant?")
        return done.stdout or ""

    mutmut("run", "--max-children", str(arguments.processes), arguments.only, quiet=False)
    results = mutmut("results", "--all", "true").splitlines()
    rows = [line.strip().rsplit(": ", 1) for line in results if ": " in line and not line.endswith(": not checked")]
    counts = Counter(state for _, state in rows)
    seen = sum(counts[state] for state in _SEEN)
    for name, state in rows:
        if state not in _SEEN:
            changed = [
                line
                for line in mutmut("show", name).splitlines()
                if line[:1] in "+-" and line[:3] not in ("+++", "---")
            ]
            print(f"\n{name}: {state}", *changed, sep="\n")
    print(f"\n{arguments.module}: {seen} of {len(rows)} mutants are seen ({seen / len(rows):.0%}); {dict(counts)}")


if __name__ == "__main__":
    main()
