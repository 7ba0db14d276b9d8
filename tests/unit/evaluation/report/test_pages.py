"""What all pages share: numbers in words, titles of metrics, values that are escaped and names that must be known."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from ecglfm.evaluation.report.pages import environment


def shown(text: str, **values: object) -> str:
    return environment().from_string(text).render(values)


def test_numbers() -> None:
    assert shown("{{ 0.1234|percent }} {{ none|percent }} {{ 1234.56|number }} {{ none|number }}") == "12.3 % – 1235 –"
    assert shown("{{ 1234567|count }}") == "1\u202f234\u202f567"


def test_names_of_metrics() -> None:
    assert shown("{{ title_of('td_auc_2') }}, {{ title_of('r2') }}, {{ measures.eer }}") == "AUC, time 2, R², EER"
    assert shown("{{ chances|dictsort }}").startswith("[(&#39;auroc&#39;, 0.5), ")
    assert shown("{{ beside_constant|sort|join(' ') }}") == "f1 ppv"


def test_every_value_is_escaped_and_an_unknown_name_is_an_error() -> None:
    assert shown("{{ name }}", name="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError, match="'nobody' is undefined"):
        shown("{{ nobody }}")


def test_settings_are_spelled_as_in_a_config() -> None:
    template = environment().from_string("{% for one in all %}{{ one|setting }} {% endfor %}")
    assert template.render(all=[False, None, 0.0, "batch"]) == "false null 0.0 batch "
