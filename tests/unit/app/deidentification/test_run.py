"""A folder with names in every place that we could think of, and what may be given away of it."""

from __future__ import annotations

import datetime
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecglfm.app.deidentification import run_deidentify
from ecglfm.app.deidentification.cleaning import Cleaner
from ecglfm.app.deidentification.secret import Secret
from ecglfm.config import UserError, parse
from ecglfm.config.base import read_yaml
from ecglfm.config.deidentification import DeidentificationRules
from ecglfm.sources.devices.cardiosoft_xml import read_cardiosoft, read_cardiosoft_head
from ecglfm.sources.devices.muse_xml import read_muse, read_muse_head
from ecglfm.sources.inside import Root
from ecglfm.sources.wfdb_reader.files import read_wfdb
from tests.unit.app.deidentification import planted

SECRET = Secret(b"k" * 32)
OTHER = f"{SECRET.name('archive')}/{SECRET.name('other')}"
PERSON = SECRET.pseudonym(planted.NUMBER)
DAYS = SECRET.days(planted.NUMBER, 365)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.make(tmp_path_factory.mktemp("planted") / "in")


def rules_of(folder: Path, **more: object) -> DeidentificationRules:
    (folder / "rules.yaml").write_text(planted.RULES)
    return parse(DeidentificationRules, read_yaml(folder / "rules.yaml") | more, "rules")


def run(source: Path, target: Path, *, workers: int = 1, look_for: tuple[str, ...] = (), **more: object) -> Any:
    rules = rules_of(target.parent, **more)
    return run_deidentify(source, target, secret=SECRET, rules=rules, workers=workers, look_for=look_for)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()] + list(folder.parent.glob(f"{folder.name}.*.csv"))
    return {str(path.relative_to(folder.parent)).removeprefix(folder.name): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("made") / "out"
    outcome = run(folder, target)
    assert outcome.refused == []
    assert outcome.files == 8
    return target


# ---- nothing is left ---------------------------------------------------------------------------------------------


def test_what_is_planted_in_twenty_places_is_there_before_and_gone_after(folder: Path, made: Path) -> None:
    assert len(planted.PLACES) >= 20
    before = "\n".join(
        [str(path) for path in folder.rglob("*")] + [p.read_text("latin-1") for p in folder.rglob("*.*")]
    )
    after = contents(made)
    for secret in planted.SECRETS:
        assert secret in before
        assert [path for path, content in after.items() if secret.encode() in content or secret in path] == []
    everything = b"\n".join(after.values()).decode("latin-1").casefold()
    for word in ("muehlenbeck", "muller", "fraubedside", "ward>", "discussed", "owner", "cardiosoft quack"):
        assert word not in everything


def test_signals_are_the_same_sample_for_sample(folder: Path, made: Path) -> None:
    new = {path.suffix: path for path in made.rglob("*.*")}
    assert set(new) == {".hea", ".dat", ".xml", ".csv"}
    old_place = f"archive/{planted.PLACES['folder_name']}"
    place = "/".join(SECRET.name(part) for part in old_place.split("/"))
    for name in (f"{old_place}/{planted.PLACES['file_name']}", "archive/other"):
        renamed = "/".join(SECRET.name(part) for part in name.split("/"))
        before, after = read_wfdb(Root(folder), name, "strict"), read_wfdb(Root(made), renamed, "strict")
        assert before.leads == after.leads
        np.testing.assert_array_equal(before.signal, after.signal)
        assert (folder / f"{name}.dat").read_bytes() == (made / f"{renamed}.dat").read_bytes()
    for name in ("ecg0", "ecg1"):
        before = read_muse(Root(folder), f"{old_place}/{name}.xml")
        after = read_muse(Root(made), f"{place}/{SECRET.name(name)}.xml")
        assert (before.leads, before.sampling_rate) == (after.leads, after.sampling_rate)
        np.testing.assert_array_equal(before.signal, after.signal)
    before = read_cardiosoft(Root(folder), f"{planted.NUMBER}_20205_2_0.xml")
    after = read_cardiosoft(Root(made), f"{PERSON}_20205_2_0.xml")
    assert (before.leads, before.sampling_rate, len(before.signal)) == (after.leads, after.sampling_rate, 500)
    np.testing.assert_array_equal(before.signal, after.signal)
    head = read_cardiosoft_head(Root(made), f"{PERSON}_20205_2_0.xml")
    assert (head.patient, head.age, head.sex, head.report) == (PERSON, 90, "female", "")


def test_one_person_is_one_pseudonym_and_one_shift_in_all_formats(made: Path) -> None:
    table = pd.read_csv(made / "table.csv", dtype=str)
    assert table["hospital_no"].tolist() == [PERSON, PERSON, SECRET.pseudonym("77")]
    shift = datetime.timedelta(DAYS)
    assert table["recorded"].tolist()[:2] == [
        f"{datetime.datetime(2020, 5, 5, 10, 35, 17) - shift}", f"{datetime.date(2020, 6, 4) - shift}",
    ]  # fmt: skip
    header = (made / f"{table['file'][0]}.hea").read_text()
    assert f"10:35:17 {datetime.date(2020, 5, 5) - shift:%d/%m/%Y}" in header
    assert f"#Patient ID: {PERSON}\n" in header
    heads = [read_muse_head(Root(path.parent), path.name) for path in sorted(made.rglob("*/*/*.xml"))]
    assert {head.patient for head in heads} == {PERSON}
    days = sorted(datetime.datetime.strptime(str(head.native["AcquisitionDate"]), "%m-%d-%Y").date() for head in heads)
    assert days == [datetime.date(2020, 8, 17) - shift, datetime.date(2020, 9, 16) - shift]  # 30 days apart, as before
    (biobank,) = made.glob("*.xml")
    assert biobank.name == f"{PERSON}_20205_2_0.xml"
    earlier = datetime.date(2021, 2, 3) - shift
    assert re.sub(r"\s", "", biobank.read_text()).find(
        f"<Year>{earlier.year}</Year><Month>{earlier.month}</Month><Day>{earlier.day}</Day><Hour>09</Hour>"
    ) > 0  # fmt: skip
    other = (made / f"{table['file'][2]}.hea").read_text().splitlines()[0]
    elsewhere = datetime.date(2020, 8, 17) - datetime.timedelta(SECRET.days("77", 365))  # whose the table says it is
    assert other.endswith(f"08:00:00 {elsewhere:%d/%m/%Y}")


def test_the_report_counts_by_file_and_kind_and_has_no_value(made: Path) -> None:
    report = pd.read_csv(made.with_name("out.report.csv"))
    header = report[(report["format"] == "WFDB") & report["file"].str.startswith(SECRET.name("archive") + "/")]
    counts = header.groupby("kind")["removed"].sum()
    assert counts[["name", "birth date", "staff", "site", "vendor", "age"]].tolist() == [1, 1, 1, 1, 1, 1]
    assert {str(path.relative_to(made)) for path in made.rglob("*.*")} - {*report["file"]} == {
        str(path.relative_to(made)) for path in made.rglob("*.dat")
    }
    assert made.with_name("out.refused.csv").stat().st_mode & 0o777 == 0o600


def test_the_report_tells_of_dates_that_could_be_of_either_order(folder: Path, made: Path, tmp_path: Path) -> None:
    """Two files, in each birth dates of 03-07-1931 and 01-02-1960; day first, 08-17-2020 and 09-16-2020 are no dates."""

    def of_muse(path: Path) -> dict[str, int]:
        report = pd.read_csv(path)
        counts = report[report["format"] == "MUSE XML"].groupby("kind")["removed"].sum()
        return {kind: int(counts[kind]) for kind in ("unclear date", "unread date") if kind in counts}

    assert of_muse(made.with_name("out.report.csv")) == {"unclear date": 4}
    outcome = run(folder, tmp_path / "out", muse_dates="day_first")
    assert of_muse(tmp_path / "out.report.csv") == {"unclear date": 4, "unread date": 2}
    assert outcome.refused == []
    assert not any("AcquisitionDate" in path.read_text() for path in (tmp_path / "out").rglob("*/*/*.xml"))


# ---- the scan ----------------------------------------------------------------------------------------------------


def test_a_file_in_which_something_is_left_is_named_and_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cleaner is broken: texts stay as they are."""
    monkeypatch.setattr(Cleaner, "text", lambda self, text: text)
    outcome = run(folder, tmp_path / "out")
    reasons = {Path(path).name: reason for path, reason in outcome.refused}
    biobank = f"{planted.NUMBER}_20205_2_0.xml"
    assert set(reasons) == {f"{planted.PLACES['file_name']}.hea", "ecg0.xml", "ecg1.xml", biobank}
    assert all(re.search("is left in what it became; it is not written", reason) for reason in reasons.values())
    after = contents(tmp_path / "out")
    assert sorted(map(Path, after)) == sorted(
        Path(name)
        for name in (".refused.csv", ".report.csv", "/table.csv", *(f"/{OTHER}{end}" for end in (".dat", ".hea")))
    )


def test_a_name_within_the_samples_is_found(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for ending in (".hea", ".dat"):
        shutil.copy(folder / f"archive/other{ending}", source)
    header = (source / "other.hea").read_text()
    (source / "other.hea").write_text(re.sub(r"(?m) -?\d+ \d+ 0 ", " 0 0 0 ", header) + "# Name: Winterbottom\n")
    content = bytearray((source / "other.dat").read_bytes())
    for spelled in (b"wINTERbottom", "Winterbottom".encode("utf-16-le")):
        content[400 : 400 + len(spelled)] = spelled
        (source / "other.dat").write_bytes(content)
        outcome = run(source, tmp_path / "out")
        assert outcome.refused == [("other.hea", "other.dat: a name or an id is left in it; it is not written")]


def test_names_of_one_file_are_searched_for_in_what_another_becomes(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "people.csv").write_text("hospital_no,name\n1,Zacharias Winterbottom\n")
    (source / "notes.csv").write_text("label\nseen by winterbottom\n")
    outcome = run(source, tmp_path / "out")
    assert [path for path, _ in outcome.refused] == ["notes.csv"]
    assert "a name or an id is left in row 2" in outcome.refused[0].reason
    allowed = run(source, tmp_path / "out", words=["Winterbottom"])
    assert allowed.refused == []


def test_more_can_be_searched_for(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "t.csv").write_text("label\nQT long\nvisit 2020-05-05\n")
    assert run(source, tmp_path / "a").refused == []
    assert "row 2" in run(source, tmp_path / "b", look_for=("Long",)).refused[0].reason
    assert "a date is left in row 3" in run(source, tmp_path / "c", look_for=("05/05/2020",)).refused[0].reason


def test_a_short_id_that_is_listed_is_found_in_every_format(folder: Path, tmp_path: Path) -> None:
    """4711 is planted in a comment, an element, a cell and a name; 4712 stands in them too, and is nobody's."""
    source = tmp_path / "in"
    source.mkdir()
    for ending in (".hea", ".dat"):
        shutil.copy(folder / f"archive/other{ending}", source / f"ward_4711{ending}")
    header = (source / "ward_4711.hea").read_text().replace("other", "ward_4711")
    (source / "ward_4711.hea").write_text(header + "# filter: as of 4712\n")
    (source / "t.csv").write_text("label\nas 4712 had\n4711\n")
    (muse,) = folder.rglob("ecg0.xml")
    (source / "m.xml").write_text(muse.read_text().replace(planted.PLACES["xml_unknown"], "<Note>bed 4712</Note>"))
    kept = {"comments": {"filter": "keep"}, "elements": {"Note": "keep"}, "names": "keep"}
    before = run(source, tmp_path / "a", **kept)
    assert before.refused == []
    assert (tmp_path / "a/ward_4711.hea").exists()
    listed = run(source, tmp_path / "b", look_for=("4711",), **kept)
    assert listed.refused == []
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(
        ["m.xml", "t.csv", *(f"{SECRET.name('ward_4711')}{ending}" for ending in (".dat", ".hea"))]
    )
    for path in source.iterdir():
        if path.suffix != ".dat":
            path.write_text(path.read_text().replace("4712", "4711"))
    reasons = dict(run(source, tmp_path / "c", look_for=("4711",), **kept).refused)
    assert reasons == {
        "m.xml": "m.xml: an id that is listed is left in what it became; it is not written",
        "t.csv": "t.csv: an id that is listed is left in row 2 of what it became; not written",
        "ward_4711.hea": "ward_4711.hea: an id that is listed is left in what it became; it is not written",
    }


def test_texts_that_are_kept_have_no_name_in_them(folder: Path, tmp_path: Path) -> None:
    outcome = run(folder, tmp_path / "out", text="keep")
    assert outcome.refused == []
    assert outcome.removed["part of a text"] > 0
    table = pd.read_csv(tmp_path / "out" / "table.csv", dtype=str)
    assert table["remark"].tolist()[0] == "Frau [removed] (*[date]), Nr. [removed]"
    assert table["remark"].tolist()[2] == "stable"
    statements = [
        text
        for path in (tmp_path / "out").rglob("*/*/*.xml")
        for text in re.findall("<StmtText>(.*)<", path.read_text())
    ]
    assert statements == ["Sinus rhythm, discussed with [removed], born [date]"] * 2


def test_a_date_of_birth_is_searched_for_in_either_order(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    columns = {"pid": "patient", "born": "birth", "note": "keep"}
    (source / "row.csv").write_text("pid,born,note\n7,03/07/1931,born 7 March 1931\n8,,fine\n")
    (source / "listed.csv").write_text("pid,born,note\n9,,the 9th of April 1932\n")
    refused = dict(run(source, tmp_path / "out", look_for=("04/09/1932",), columns=columns).refused)
    assert refused == {
        "row.csv": "row.csv: a date is left in row 2 of what it became; not written",
        "listed.csv": "listed.csv: a date is left in row 2 of what it became; not written",
    }


def test_an_id_that_is_the_name_of_a_column_is_found(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "wide.csv").write_text(f"pid,{planted.NUMBER}\n{planted.NUMBER},AF\n")
    rules = {"pid": "patient", planted.NUMBER: "keep"}
    assert dict(run(source, tmp_path / "out", columns=rules).refused) == {
        "wide.csv": "wide.csv: an id is the name of a column; not written"
    }
    rules[planted.NUMBER] = "drop"
    assert run(source, tmp_path / "out", columns=rules).refused == []


# ---- runs --------------------------------------------------------------------------------------------------------


def test_workers_and_interruptions_change_nothing(folder: Path, made: Path, tmp_path: Path) -> None:
    expected = contents(made)
    target = tmp_path / "out"
    shutil.copytree(made, target)
    lost = sorted(path for path in target.rglob("*.*"))[::2]
    for path in lost:
        path.unlink()
    (target / ".deidentify-1.tmp").write_bytes(b"of a run that was killed")
    outcome = run(folder, target, workers=2)
    assert outcome.refused == []
    assert contents(target) == expected


def test_nothing_is_replaced(folder: Path, made: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    shutil.copytree(made, target)
    (target / "table.csv").write_text("mine\n")
    (target / "notes.txt").write_text("mine\n")
    outcome = run(folder, target)
    assert [path for path, _ in outcome.refused] == ["table.csv", "out/notes.txt", "out/table.csv"]
    assert "is there already with other content" in outcome.refused[0].reason
    assert (target / "table.csv").read_text() == "mine\n"
    (tmp_path / "out.report.csv").write_text("mine\n")
    with pytest.raises(UserError, match="no report of this command"):
        run(folder, target)


def test_what_is_not_known_is_not_let_through_and_the_rest_is(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    shutil.copy(folder / "archive/other.hea", source)
    shutil.copy(folder / "archive/other.dat", source)
    (source / "scan.pdf").write_bytes(b"%PDF")
    (source / "lost.dat").write_bytes(b"1234")
    (source / "odd.xml").write_text("<AnnotatedECG/>")
    (source / "evil.xml").write_text('<!DOCTYPE r [<!ENTITY a "b">]><RestingECG>&a;</RestingECG>')
    (source / "broken.hea").write_text("broken 12 500\n")
    (source / "many.hea").write_text("many/1 12 500 500\nbroken 500\n")
    (source / "link.csv").symlink_to(folder / "table.csv")
    (source / "linked").symlink_to(folder)
    outcome = run(source, tmp_path / "out")
    assert {path: reason.partition(";")[0][:44] for path, reason in outcome.refused} == {
        "scan.pdf": "of no format that is known: WFDB, MUSE or Ca",
        "lost.dat": "no header that is let through describes it",
        "odd.xml": "<AnnotatedECG> is no XML that is known: Rest",
        "evil.xml": "evil.xml: declares the entity 'a', which is ",
        "broken.hea": "broken.hea announces 12 signals and lists 0",
        "many.hea": "its segment broken is refused or missing",
        "link.csv": "a symbolic link",
        "linked": "a symbolic link",
    }
    assert sorted(path.suffix for path in (tmp_path / "out").rglob("*.*")) == [".dat", ".hea"]


def test_folders_and_tables_that_cannot_be(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one folder lies within the other"):
        run(folder, folder / "out")
    with pytest.raises(UserError, match="is no folder"):
        run(tmp_path / "no", tmp_path / "out")
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("x\n1\n")
    (tmp_path / "in/b.csv").write_text("y\n1\n")
    with pytest.raises(UserError) as error:
        run(tmp_path / "in", tmp_path / "out")
    assert re.findall(r"(\w)\.csv: no rule for 1 column: '(\w)'", str(error.value)) == [("a", "x"), ("b", "y")]
    assert not (tmp_path / "out").exists()


def test_changed_samples_are_not_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecglfm.app.deidentification import run as module

    class Changed:
        title, spec = "MUSE XML", module.VENDORS["RestingECG"].spec

        @staticmethod
        def read(root: Root, path: str) -> Any:
            record = read_muse(root, path)
            return (
                record if path.endswith(".xml") else type(record)(record.signal + 1, record.leads, record.sampling_rate)
            )

    monkeypatch.setitem(module.VENDORS, "RestingECG", Changed)
    monkeypatch.setattr(Changed, "patient_of", staticmethod(lambda found, path: ""), raising=False)
    outcome = run(folder, tmp_path / "out")
    assert [Path(path).name for path, reason in outcome.refused if "samples would not be" in reason] == [
        "ecg0.xml",
        "ecg1.xml",
    ]
