"""Signals of another rate, of other leads or of leads in another order are refused, in one sentence."""

from __future__ import annotations

import pytest

from ecglfm.config import UserError
from ecglfm.data.samples import check_reads
from ecglfm.data.samples.dataset import Signals
from tests.unit.shard_leads import name_leads

WANTED = {"reader": "the encoder", "sampling_rate": 100, "leads": ["I", "II"]}


def test_the_same_rate_and_leads_pass_also_where_an_older_version_named_none(cohort, tmp_path):
    check_reads(*cohort, **WANTED)
    name_leads(tmp_path / "db/000.npy", ["I", "II"])
    check_reads(*cohort, **WANTED)


@pytest.mark.parametrize("leads", [["II", "I"], ["I", "V1"], ["I", "II", "V1"]])
def test_other_names_or_another_order_of_one_file_are_refused(cohort, tmp_path, leads):
    name_leads(tmp_path / "db/000.npy", ["I", "II"])
    name_leads(tmp_path / "db/001.npy", leads)
    with pytest.raises(UserError) as error:
        check_reads(*cohort, **WANTED, anew="the stage `pretrain`")
    assert str(error.value) == (
        f"{tmp_path}/db/001.npy: holds leads {' '.join(leads)} at 100 Hz, but the encoder reads I II at 100 Hz; make"
        " that anew from these signals (the stage `pretrain`), or prepare them for it: preprocess.sampling_rate: 100"
        " and preprocess.leads: [I, II] in config.yaml"
    )


def test_another_number_without_names_is_refused(cohort, tmp_path):
    with pytest.raises(UserError, match=r"holds leads \(2 without names\) at 100 Hz, but the encoder reads I at 100"):
        check_reads(*cohort, **WANTED | {"leads": ["I"]})


def test_the_rate_of_one_record_is_enough(write_records, tmp_path):
    records = write_records(tmp_path, {"a": [100, 100], "b": [100]})
    records.loc[2, "sampling_rate"] = 250
    with pytest.raises(UserError, match=r"db/001\.npy: holds .* at 250 Hz, .* --forcerun .*db/001\.npy"):
        check_reads(records, Signals(records, tmp_path), **WANTED)
