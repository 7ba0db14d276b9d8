"""Packages that only some commands need: the extras of pyproject.toml, such as `pip install 'ecglfm[train]'`."""

from __future__ import annotations

import importlib.util

from ecglfm.config import UserError


def need(*modules: str, extra: str, what: str) -> None:
    """See that modules are there before they are imported.

    Parameters
    ----------
    *modules : str
        Top-level names, such as `deepspeed`.
    extra : str
        Of pyproject.toml, which brings them.
    what : str
        Who needs them: the beginning of the sentence.

    Raises
    ------
    UserError
        One is not installed.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{what} needs {', '.join(missing)}: pip install 'ecglfm[{extra}]'")
