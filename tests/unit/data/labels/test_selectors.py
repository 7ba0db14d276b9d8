"""Which rows of an index a selector takes."""

import pandas as pd
import pytest

from ecglfm.config import Selector, UserError
from ecglfm.data.labels.selectors import columns_used, is_silent, is_unread, near_spellings, select
from tests.unit.data.labels.indexes import CHALLENGE, MIMIC, PTBXL


def picked(**selector):
    return PTBXL.record_id[select(PTBXL, Selector(**selector), "here")].str[2:].astype(int).tolist()


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"scp": ["AFIB"]}, [2, 3]),
        ({"scp": ["AFIB"], "min_likelihood": 50}, [3]),
        ({"scp": ["IMI", "AMI"], "min_likelihood": 35}, [2, 5]),
        ({"scp_class": ["MI"]}, [2, 5]),
        ({"scp_class": ["MI", "NORM"]}, [1, 2, 5, 6]),
        ({"scp_class": ["MI", "NORM"], "min_likelihood": 80}, [1, 5, 6]),
        ({"scp_class": ["MI"], "max_likelihood": 50}, [2]),
        ({"scp": ["NORM", "IMI"], "min_likelihood": 35, "max_likelihood": 80}, [2, 6]),
        ({"scp_subclass": ["IMI"]}, [2]),
        ({"scp_subclass": ["IMI", "AMI"], "min_likelihood": 50}, [5]),
        ({"where": "nurse == 1 and sex == 'male'"}, [1]),
        ({"where": "site is None or fold > 1", "scp": ["AMI"]}, [3, 5]),
        ({"report": ["vorhofflimmern"]}, [2, 3]),
        ({"report": ["^sinus", "infarkt$"]}, [1, 5]),
        ({"column": {"nurse": ["1"]}}, [1, 4, 6]),
        ({"column": {"nurse": ["1.0", "2"]}}, [1, 4, 5, 6]),
        ({"column": {"site": ["1"]}}, [1, 4]),
        ({"column": {"site": ["1.5", "0"]}}, [5, 6]),
        ({"column": {"validated": ["true"]}}, [1, 3, 4]),
        ({"column": {"sex": ["female"]}}, [2, 4]),
        ({"scp": ["AMI"], "report": ["sinus"], "column": {"nurse": ["0"]}}, [1, 2, 5]),
    ],
)
def test_selectors(selector, expected):
    assert picked(**selector) == expected


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["I48"], [0, 3]),
        (["i48*"], [0, 1, 3]),
        (["44", "I21.9"], [2, 3]),
        (["I4"], []),  # no code of its own, though others begin so
    ],
)
def test_codes_in_one_cell(codes, expected):
    cells = ["I48", "I48.0;E11", "44|Z95 ", "I21.9, I48", "", None]
    index = pd.DataFrame({"record_id": [f"r{i}" for i in range(6)], "native.icd": cells})
    selector = Selector(codes={"icd": codes})
    assert select(index, selector, "here").nonzero()[0].tolist() == expected
    assert is_silent(index, selector, "here").nonzero()[0].tolist() == [4, 5]
    assert columns_used(selector, index.columns, "here") == {"native.icd"}


@pytest.mark.parametrize(
    ("selector", "carried", "unread"),
    [
        ({"statement": [161]}, [0], [3]),
        ({"statement": ["161", 22], "read_by": "physician"}, [0, 1], [3]),
        ({"statement": [161], "read_by": "software"}, [1, 4], [2]),
        ({"statement": [161], "read_by": "v24"}, [], [0, 1, 2, 3, 4]),
        ({"statement": [16]}, [], [3]),  # a number, no part of one
    ],
)
def test_statements_of_one_reader(selector, carried, unread):
    index = pd.DataFrame(
        {
            "native.codes_physician": ["161,1699", "22, 1699", "", None, "1610"],
            "native.codes_software": ["22", " 161", None, "", "1699,161"],
            "native.codes_v24": pd.Series([None] * 5, dtype="str"),
        }
    )
    selector = Selector(**selector)
    assert select(index, selector, "here").nonzero()[0].tolist() == carried
    assert is_unread(index, selector).nonzero()[0].tolist() == unread
    assert is_silent(index, selector, "here").nonzero()[0].tolist() == unread  # an empty cell says that there is none
    assert columns_used(selector, index.columns, "here") == {f"native.codes_{selector.read_by}"}
    assert near_spellings(index, Selector(statement=[23])) == "statement '23': near ones are 22"


def test_codes_that_nobody_has_are_told_with_those_that_are_there():
    index = pd.DataFrame({"native.icd": ["I48.0;E11", None]})
    assert near_spellings(index, Selector(codes={"icd": ["I48.1"]})) == "icd 'I48.1': near ones are I48.0"


def test_unknown_column_lists_near_names():
    with pytest.raises(UserError, match=r"here: column 'nurze' .*near names: nurse"):
        select(PTBXL, Selector(column={"nurze": ["1"]}), "here")


def test_index_of_an_earlier_version_still_answers_what_it_can():
    old = PTBXL.drop(columns="native.scp_subclass").assign(
        **{"native.scp_class": [["NORM"], ["MI"], [], [], ["MI"], ["NORM"]]}
    )
    assert select(old, Selector(scp=["IMI", "AMI"]), "here").tolist() == [False, True, False, False, True, False]
    for selector in ({"scp_class": ["MI"]}, {"scp_subclass": ["IMI"]}):
        with pytest.raises(
            UserError, match="here: the index was made by an earlier version; .*--forcerun index_source"
        ):
            select(old, Selector(**selector), "here")


@pytest.mark.parametrize("code", ["59118001", "713427006", 59118001])  # the Challenge scores the two as one diagnosis
def test_snomed_codes(code):
    assert select(CHALLENGE, Selector(snomed=[code]), "here").tolist() == [True, False, False, True, False, False]


@pytest.mark.parametrize(
    ("index", "selector", "message"),
    [
        (PTBXL, {"snomed": ["59118001"]}, "here: `snomed` needs a database with SNOMED CT codes"),
        (MIMIC, {"scp": ["AFIB"]}, "here: `scp` needs a database with SCP-ECG codes"),
        (MIMIC, {"scp_subclass": ["IMI"]}, "here: `scp_subclass` needs a database with SCP-ECG codes"),
        (MIMIC, {"statement": [161]}, "here: `statement` needs a database with 12SL statements"),
    ],
)
def test_clause_that_the_kind_cannot_answer_is_refused(index, selector, message):
    def asked():
        columns_used(Selector(**selector), index.columns, "here")
        select(index, Selector(**selector), "here")

    with pytest.raises(UserError, match=message):
        asked()
