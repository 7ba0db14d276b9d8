"""Selectors are held to the kinds of a task's sources when the config is read."""

from __future__ import annotations

from typing import Any

import pytest

from ecglfm.config import TaskConfig, UserError
from ecglfm.config.project.label_sources import check_label_sources

KINDS = {"lab": "wfdb_folder", "ptbxl": "ptbxl"}
COLUMN: dict[str, Any] = {"column": {"rhythm": ["AF"]}}


def check(labels: dict[str, Any], **more: Any) -> None:
    check_label_sources(TaskConfig(kind="multilabel", labels=labels, **more), KINDS, "af.yaml")


def test_one_source_that_has_a_label_is_enough() -> None:
    check({"AF": {"wfdb_folder": COLUMN}, "MI": {"ptbxl": COLUMN, "mimic_iv_ecg": COLUMN}})


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        ({"lab": COLUMN}, {}, r"labels\.AF: 'lab' is a source; selectors stand under its kind: write 'wfdb_folder'$"),
        ({"wfdb_files": COLUMN}, {}, r"labels\.AF: 'wfdb_files' is no kind of source; did you mean 'wfdb_folder'\?$"),
        ({"hospital": COLUMN}, {}, r"labels\.AF: 'hospital' is no kind of source; kinds: ptbxl, mimic_iv_ecg, "),
        ({"ludb": COLUMN}, {}, r"labels\.AF: no selector for the kinds of its sources \(ptbxl, wfdb_folder\); add one"),
        ({"ptbxl": COLUMN}, {"exclude": {"lab": COLUMN}}, r"exclude: 'lab' is a source; .* write 'wfdb_folder'$"),
    ],
)
def test_what_no_source_has_is_one_sentence(labels: dict[str, Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^af.yaml: {message}"):
        check({"AF": labels, "MI": {"ptbxl": COLUMN}}, **more)
