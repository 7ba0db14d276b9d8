"""What one file holds: of whom it speaks, what belongs to it, or why it is not let through."""

from __future__ import annotations

from pathlib import Path

from ecglfm.app.deidentification.cleaning import Names
from ecglfm.app.deidentification.secret import Secret
from ecglfm.app.deidentification.survey import Survey, Surveyor, stem
from ecglfm.config.deidentification import DeidentificationRules
from tests.unit.app.deidentification import planted


def test_each_format(tmp_path: Path) -> None:
    root = planted.make(tmp_path / "in")
    (root / "odd.xml").write_text("<Other/>")
    rules = DeidentificationRules.model_validate({"columns": {"a": "patient", "b": "path"}})
    read = Surveyor(root, Names(rules, Secret(b"k" * 32)))
    (root / "t.csv").write_text("a,b\n48151623.0,x\n")
    assert read("t.csv").linked == (("x", planted.NUMBER),)
    place, name = f"archive/{planted.PLACES['folder_name']}", planted.PLACES["file_name"]
    header = read(f"{place}/{name}.hea")
    assert (header.patient, header.signals, header.parts) == (planted.NUMBER, (f"{place}/{name}.dat",), ())
    assert {"muhlenbeck", "muehlenbeck", "hannelore", "quackenbush", planted.NUMBER} <= header.everybody
    assert read(f"{place}/ecg0.xml").patient == planted.NUMBER
    assert read(f"{planted.NUMBER}_20205_2_0.xml").patient == planted.NUMBER
    assert read("odd.xml") == Survey("odd.xml", "<Other> is no XML that is known: RestingECG, CardiologyXML")


def test_endings() -> None:
    assert [stem(path) for path in ("a/b.HEA", "a/b.dat", "1.2.840", "c.csv")] == ["a/b", "a/b", "1.2.840", "c"]
