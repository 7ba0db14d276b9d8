"""From words on the command line to an exit status: a user's mistake is a line, ours keeps its traceback."""

from __future__ import annotations

import argparse
import errno
import logging
import subprocess
import sys

import pytest

import ecglfm
from ecglfm import cli
from ecglfm.cli import _Legible
from ecglfm.config import UserError


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Run a command `try` that raises what is given, or returns it."""

    def run(result: object) -> int:
        def command(_: argparse.Namespace) -> object:
            if isinstance(result, Exception):
                raise result
            return result

        def add_commands(commands: argparse._SubParsersAction) -> None:
            commands.add_parser("try").set_defaults(run=command)

        group = argparse.Namespace(add_commands=add_commands)
        monkeypatch.setattr(cli, "GROUPS", (group,))
        monkeypatch.setattr(cli, "tune_process", lambda: None)
        return cli.main(["try"])

    return run


@pytest.mark.parametrize(("result", "status"), [(None, 0), (0, 0), (75, 75), (True, 1)])
def test_what_a_command_returns_is_the_status(run, result: object, status: int) -> None:
    assert run(result) == status


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (UserError("a.csv: row 3\nb.csv: row 4"), ["a.csv: row 3", "b.csv: row 4"]),
        (OSError(errno.ENOSPC, "No space left on device", "out.npy"), ["out.npy: No space left on device"]),
        (OSError(errno.EIO, "Input/output error"), ["Input/output error"]),
        (OSError("odd"), ["odd"]),
        (UserError("a\x1b[2J.csv: row 3"), [r"a\x1b[2J.csv: row 3"]),
    ],
)
def test_each_mistake_is_a_line(run, error: Exception, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(error) == 1
    assert capsys.readouterr().err.splitlines() == [f"ecglfm try: error: {line}" for line in lines]


def test_our_own_fault_keeps_its_traceback(run) -> None:
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError("by zero"))


def test_wrong_words_end_with_2_and_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, status in ((["no-such-command"], 2), ([], 2), (["--version"], 0)):
        with pytest.raises(SystemExit) as ended:
            cli.main(argv)
        assert ended.value.code == status
    assert capsys.readouterr().out == f"ecglfm {ecglfm.__version__}\n"


def test_who_reads_no_further_is_told_nothing() -> None:
    """As `ecglfm why | head`: neither an error nor a traceback."""
    script = """
from types import SimpleNamespace
from ecglfm import cli
args = SimpleNamespace(cost=None, command="why", run=lambda args: print("line\\n" * 10**6))
cli.build_parser = lambda: SimpleNamespace(parse_args=lambda argv: args)
raise SystemExit(cli.main([]))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout.readline() == b"line\n"
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait() == 1


def test_names_in_a_log_do_nothing_to_the_terminal() -> None:
    record = logging.LogRecord("a", logging.WARNING, "a.py", 1, "%s: no recording", ("x\x1b[2J.hea",), None)
    assert _Legible("%(message)s").format(record) == r"x\x1b[2J.hea: no recording"
