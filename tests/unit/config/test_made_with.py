"""Results of another version are recognised before a run goes on in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecglfm import __version__
from ecglfm.config import UserError
from ecglfm.config.made_with import check_made_with, earlier, write_made_with
from ecglfm.config.version import VERSION


def of(results: Path, **said: object) -> Path:
    (results / "config").mkdir(parents=True)
    (results / "config/version.json").write_text(json.dumps(said))
    return results


def test_new_and_own_results_are_silent(tmp_path: Path) -> None:
    assert earlier(tmp_path) is None
    write_made_with(tmp_path)
    check_made_with(tmp_path)
    assert earlier(tmp_path) is None
    assert json.loads((tmp_path / "config/version.json").read_text()) == {"config": VERSION, "ecglfm": __version__}


def test_results_from_before_versions_are_told_until_a_run_has_begun(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/identity.json").write_text("{}")
    check_made_with(tmp_path)
    assert earlier(tmp_path) == (
        f"{tmp_path}/ was made with version 1 of the config; this is ecglfm {__version__}, version 2: what its settings"
        " change is made anew, the rest stays as it was made; to keep the old ones whole, choose another folder:"
        " `--config results=FOLDER`"
    )
    write_made_with(tmp_path)
    assert earlier(tmp_path) is None


def test_another_package_is_told_and_a_newer_config_refused(tmp_path: Path) -> None:
    said = earlier(of(tmp_path / "a", config=2, ecglfm="0.0.9"))
    assert said is not None
    assert "was made with ecglfm 0.0.9, version 2 of the config" in said
    with pytest.raises(UserError, match=r"was made by ecglfm 9\.0 with version 3 of the config.*choose another folder"):
        check_made_with(of(tmp_path / "b", config=3, ecglfm="9.0"))
    with pytest.raises(UserError, match=r"version\.json: not the JSON that a run writes there; delete it"):
        check_made_with(of(tmp_path / "c", config="x"))
