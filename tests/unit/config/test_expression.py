"""Conditions are taken apart, never run."""

import pytest

from ecglfm.config.expression import All, AnyOf, Comparison, Not, columns_of, parse_condition


def test_what_a_condition_means():
    found = parse_condition("18 <= age < 65 and not (source in ['a', 'b'] or native.device != \"AT-6\")")
    assert found == All(
        (
            All((Comparison("age", ">=", 18), Comparison("age", "<", 65))),
            Not(AnyOf((Comparison("source", "in", ["a", "b"]), Comparison("native.device", "!=", "AT-6")))),
        )
    )
    assert columns_of(found) == ["age", "native.device", "source"]
    assert parse_condition('native["Heart Rate"] > -1.5') == Comparison("native.Heart Rate", ">", -1.5)
    assert parse_condition("age is not None") == Comparison("age", "is not", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age", "`age` is no comparison"),
        ("age >", "is no condition"),
        ("", "is no condition"),
        ("__import__('os').system('true') == 0", "compares no column"),
        ("age == open('/etc/passwd')", "is not a number"),
        ("(lambda: 1)() < age", "is not a number"),
        ("age.real > 3", "compares no column"),
        ("sex == ja", "`sex` == `ja` compares two columns; write a word in quotes, sex == 'ja'$"),
        ("1 == 1", "compares no column"),
        ("age == None", "`is` and `is not` go with None"),
        ("age is 3", "`is` and `is not` go with None"),
        ("source in 'abc'", "write a list of values"),
        ("source == ['a']", "goes with `in`"),
        ("source in []", "goes with `in`"),
        ("'a' in report", "the column stands on the left"),
        ("age > 1 if sex == 'f' else True", "is no comparison"),
        ("age > f'{3}'", "is not a number"),
        ("age > 2**9999999999", "is not a number"),
        ("(age := 3) > 2", "compares no column"),
        ("not " * 400 + "age > 3", None),
        ("(" * 900 + "age > 3" + ")" * 900, "nested too deeply|is no condition"),
        ("age > 3 or " * 300 + "age > 3", "at most 2000"),
        ("age > b'x'", "is not a number"),
        ("age > 3j", "is not a number"),
        ("age > 1" + "0" * 400, r"`10+…` is too large a number"),
        ("age in [1, -1" + "0" * 400 + "]", "is too large a number"),
    ],
)
def test_anything_else_is_refused_by_name(text, said):
    if said is None:
        parse_condition(text)
        return
    with pytest.raises(ValueError, match=said):
        parse_condition(text)
