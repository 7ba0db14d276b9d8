"""The rules of GWAS-SSF in words, and which columns have them."""

from __future__ import annotations

from ecglfm.discovery.summary.schema import MANDATORY, columns_of


def test_rules_in_words() -> None:
    rules = {column.name: column.rule for column in MANDATORY}
    assert rules["p_value"] == "a number above 0 and at most 1"
    assert rules["beta"] == "a number"
    assert rules["base_pair_location"] == "a whole number of at least 1"


def test_columns_beyond_the_mandatory_have_rules_where_the_standard_has_some() -> None:
    names = [column.name for column in MANDATORY]
    names[4], names[7] = "hazard_ratio", "neg_log_10_p_value"
    assert [column.name for column in columns_of([*names, "gene", "n"])] == [*names, "n"]
