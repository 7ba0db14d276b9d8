"""Mutation testing of one module: `make mutants MODULE=ecglfm/data/manifest/splits.py`.

Each mutant is the module with one small fault (`<` for `<=`, a sign, a default), as mutmut makes them. One that no test
fails on stands for a fault that nobody would see. Works on a copy in `build/mutants/`, so the checkout stays as it is.
There pytest imports and collects once, and each mutant is a fork of that process: a second, not a start of Python.
What lives is run once more in a process of its own: a function that is called while its module is imported was called
before the fork.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIST = "mutants.json"
#: Seconds that a mutant may take beyond ten times the module as it is; one that hangs has been seen.
PATIENCE = 20.0


def tests_of(module: Path) -> list[str]:
    """Test files of a module, by its name and its folder."""
    inside = module.parent.relative_to("ecglfm")
    found = sorted((ROOT / "tests/unit" / inside).rglob(f"test_{module.stem}.py"))
    if not found:
        raise SystemExit(f"no test_{module.stem}.py in tests/unit/{inside}; name the tests: make mutants TESTS='…'")
    return [str(path.relative_to(ROOT)) for path in found]


def copy(folder: Path) -> None:
    """Copy what git lists, as it is now."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


class Forks:
    """Pytest's plugin that runs the tests it has collected once for each mutant, and writes which of them no test saw.

    Parameters
    ----------
    names : list of str
        Mutants, as `module.name`; mutmut's copy of the module is the one that this environment variable names.
    processes : int
        Forks at once.

    Attributes
    ----------
    seen : dict of str to {"survived", "killed", "late"}
        What became of each; late: it was stopped, since it took too long.
    patience : float
        Seconds that a process of its own may take, which imports and collects anew.
    """

    def __init__(self, names: list[str], *, processes: int) -> None:
        self.names, self.processes = names, processes
        self.seen: dict[str, str] = {}
        self.patience, self._started = PATIENCE, time.monotonic()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the module as it is, then every mutant."""
        began = time.monotonic()
        if (pid := os.fork()) == 0:
            os.environ["MUTANT_UNDER_TEST"] = ""
            return None  # here pytest goes on as always, and says of a test that fails what there is to say
        session.config.pluginmanager.unregister(name="terminalreporter")  # of this process no test will be run
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == pytest.ExitCode.NO_TESTS_COLLECTED:
            raise pytest.UsageError("these files have no test that is selected")
        if code != 0:
            raise pytest.UsageError("the tests are not green without a mutant: see above")
        limit = PATIENCE + 10 * (time.monotonic() - began)
        self.patience += 10 * (time.monotonic() - self._started)
        waiting, running = list(self.names), {}
        while waiting or running:
            while waiting and len(running) < self.processes:
                name = waiting.pop(0)
                running[self._fork(session, name)] = (name, time.monotonic() + limit)
            for pid, (name, deadline) in list(running.items()):
                if late := time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, 0 if late else os.WNOHANG)
                if ended:
                    self.seen[name] = "survived" if status == 0 else "late" if late else "killed"
                    del running[pid]
            time.sleep(0.01)
        return True

    @staticmethod
    def _fork(session: pytest.Session, mutant: str) -> int:
        if (pid := os.fork()) != 0:
            return pid
        silent = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(silent, number)
        os.environ["MUTANT_UNDER_TEST"] = mutant
        try:
            for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    break
        except BaseException:  # whatever ends the tests has been seen by them
            os._exit(1)
        os._exit(1 if session.testsfailed else 0)


def inside(tests: list[str], processes: int) -> int:
    """In the copy: run the tests on each mutant of the list, and write what became of it."""
    path, own = Path(LIST), os.getpid()
    forks = Forks(json.loads(path.read_text()), processes=processes)
    command = ["-q", "--no-header", "-p", "no:cacheprovider", *tests]
    status = pytest.main(command, plugins=[forks])
    if os.getpid() != own:  # the fork that ran the module as it is
        sys.stdout.flush()
        os._exit(status)
    for name in [name for name, state in forks.seen.items() if state == "survived"]:
        alone = [sys.executable, "-m", "pytest", "--exitfirst", *command]
        environment = os.environ | {"MUTANT_UNDER_TEST": name}
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            if subprocess.run(alone, env=environment, timeout=forks.patience, **silent).returncode:
                forks.seen[name] = "killed"
        except subprocess.TimeoutExpired:
            forks.seen[name] = "late"
    path.write_text(json.dumps(forks.seen))
    return int(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path, help="file of the package, from the root of the checkout")
    parser.add_argument("tests", nargs="*", help="default: test_{module}.py in the folder of the same name")
    parser.add_argument("--only", default="*", help="mutants by their names; of a large module a sample: '*[147]'")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    module = arguments.module
    if arguments.inside:
        raise SystemExit(inside(arguments.tests, arguments.processes))
    if not (ROOT / module).is_file() or module.parts[0] != "ecglfm":
        raise SystemExit(f"{module}: no file of the package; for instance ecglfm/data/manifest/splits.py")
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.mutation.file_mutation import mutate_file_contents

    tests = arguments.tests or tests_of(module)
    folder = ROOT / "build/mutants" / module.with_suffix("")
    copy(folder)
    with (folder / "pyproject.toml").open("a") as file:
        file.write('\n[tool.mutmut]\nsource_paths = ["ecglfm"]\n')
    os.chdir(folder)  # where mutmut looks for its settings
    mutated = mutate_file_contents(str(module), (ROOT / module).read_text())
    (folder / module).write_text(mutated.code)
    start = ".".join(module.with_suffix("").parts).removesuffix(".__init__")
    names = [f"{start}.{name}" for name in mutated.mutant_names]
    names = [name for name in names if fnmatch.fnmatch(name, arguments.only)]
    (folder / LIST).write_text(json.dumps(names))

    # Data beside the checkout are not beside the copy.
    shared = {"ECGLFM_REAL_DATA": "data", "ECGLFM_CASES": "cases", "ECGLFM_PARITY": "parity"}
    places = {name: str(ROOT.parent / "shared" / inside) for name, inside in shared.items()}
    command = [sys.executable, "-m", "tests.mutants", "--inside", "--processes", str(arguments.processes)]
    environment = places | os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([*command, str(module), *tests], cwd=folder, env=environment)
    if done.returncode:
        raise SystemExit(f"{module}: no mutant was tried")
    found = json.loads((folder / LIST).read_text())
    lived = [name for name, state in found.items() if state == "survived"]
    for name in lived:
        diff = get_diff_for_mutant(name, source=mutated.code, path=module).splitlines()
        changed = [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        print(f"\n{name}: survived", *changed, sep="\n")
    seen, late = len(found) - len(lived), list(found.values()).count("late")
    slow = f"; {late} of them by nothing but their time: on a busy machine run these again" if late else ""
    print(f"\n{module}: {seen} of {len(found)} mutants are seen ({seen / max(1, len(found)):.0%}){slow}")


if __name__ == "__main__":
    main()
