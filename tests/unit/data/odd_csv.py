"""Odd tables of a person's own recordings, each written here, with what the index says or the sentence that it ends in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ecglfm.config import LEADS
from tests.unit.data.odd_files import Case, Fails, Read

SAMPLES = (np.arange(60 * 12).reshape(60, 12) * 7 % 201 - 100).astype(np.int16)
HEADER = "path,patient_id,age,sex"
KEYS = {"table": "t.csv", "sampling_rate": 500, "unit": "uV", "file_leads": list(LEADS)}
USUAL = {"age": 61.5, "sex": "female"}


def table(name: str, content: str | bytes, expected: Read | Fails | None = None, **row: Any) -> Case:
    """A folder with one array, `NAME/r.npy`, and a table; PATH stands for the array's path in it."""
    folder_name = f"csv {name}".replace("/", " or ")

    def write(folder: Path) -> None:
        np.save(folder / "r.npy", SAMPLES)
        path = f"{folder.name}/r.npy"
        content_ = content.encode() if isinstance(content, str) else content
        (folder.parent / "t.csv").write_bytes(content_.replace(b"PATH", path.encode()))

    found = Read(SAMPLES) if expected is None else expected
    more = row if isinstance(found, Read) else {}
    return Case(
        folder_name, write, found, record="r.npy", kind="numpy_folder", keys=KEYS, row=more, alone=True, public=False
    )


def sexed(word: str, sex: str | None) -> Case:
    return table(f"sex {word}", f"{HEADER}\nPATH,7,61.5,{word}\n", **({} if sex is None else {"sex": sex}))


CASES = [
    table("plain", f"{HEADER}\nPATH,7,61.5,F\n", **USUAL, patient_id="s/7"),
    table("semicolons", "path;patient_id;age;sex\nPATH;7;61.5;F\n", **USUAL, patient_id="s/7"),
    table("semicolons with commas in a cell", "path;patient_id;age;sex;note\nPATH;7;61.5;F;a, b\n", **USUAL),
    table("semicolons in quotes", 'path;patient_id;age;sex;note\nPATH;7;61.5;F;"a; b"\n', **USUAL),
    table("tabs", "path\tpatient_id\tage\tsex\nPATH\t7\t61.5\tF\n", **USUAL, patient_id="s/7"),
    table("bars", "path|patient_id|age|sex\nPATH|7|61.5|F\n", **USUAL, patient_id="s/7"),
    table("one column", "path\nPATH\n"),
    table("a mark", b"\xef\xbb\xbf" + f"{HEADER}\nPATH,7,61.5,F\n".encode(), **USUAL),
    table("a mark and semicolons", b"\xef\xbb\xbfpath;patient_id;age;sex\nPATH;7;61.5;F\n", **USUAL),
    table("lines of Windows", f"{HEADER}\r\nPATH,7,61.5,F\r\n", **USUAL),
    table("no last line", f"{HEADER}\nPATH,7,61.5,F", **USUAL),
    table("blank lines", f"{HEADER}\n\nPATH,7,61.5,F\n\n\n", **USUAL),
    table("empty rows of Excel", f"{HEADER}\nPATH,7,61.5,F\n,,,\n,,,\n", **USUAL),
    table("empty rows of Excel with semicolons", "path;patient_id;age;sex\n;;;\nPATH;7;61.5;F\n;;;\n", **USUAL),
    table("UTF-8", "path,patient_id,age,sex\nPATH,Zoë,61.5,F\n", **USUAL, patient_id="s/Zoë"),
    table("Latin-1", "path,patient_id,age,sex\nPATH,Zoë,61.5,F\n".encode("latin-1"), Fails("it is not in UTF-8; save it as `CSV UTF-8`")),
    table("UTF-16", f"{HEADER}\nPATH,7,61.5,F\n".encode("utf-16"), Fails("it is not in UTF-8")),
    table("decimal comma", 'path;patient_id;age;sex\nPATH;7;61,5;F\n', Fails("with a decimal point, found '61,5'")),
    table("decimal comma in quotes", f'{HEADER}\nPATH,7,"61,5",F\n', Fails("row 2: age must be an age in years, with a decimal point")),
    table("fold with a decimal comma", "path;fold\nPATH;1,0\n", Fails("row 2: fold: write a decimal point, found '1,0'")),
    *(sexed(word, "female") for word in ("w", "W", "weiblich", "Frau", "female", "FEMALE", " f ", "femme")),
    *(sexed(word, "male") for word in ("m", "M", "männlich", "Mann", "male", "homme")),
    *(sexed(word, None) for word in ("divers", "d", "X", "other", "", "n/a", "unknown", "?")),
    *(
        table(f"sex {word}", f"{HEADER}\nPATH,7,61.5,{word}\n", Fails(f"(0 and 1 mean either: write which), or empty where it is not stated, found '{word}'"))
        for word in ("0", "1", "2", "yes", "k")
    ),
    *(table(f"age {age}", f"{HEADER}\nPATH,7,{age},F\n", age=years)
      for age, years in (("61", 61.0), ("61.5", 61.5), (">89", 90.0), ("300", 90.0), ("0", 0.0))),
    *(table(f"age {age}", f"{HEADER}\nPATH,7,{age},F\n", Fails(f"found '{age}'"))
      for age in ("-3", "126", "61y", "sixty", "1e2", "0x3d")),
    table("a cell too many", f"{HEADER}\nPATH,7,61.5,F,\n", Fails("row 2 has 5 cells, the header has 4")),
    table("a cell too few", f"{HEADER}\n\nPATH,7,61.5\n", Fails("row 3 has 3 cells, the header has 4")),
    table("a column twice", "path,age,age\nPATH,1,2\n", Fails("column 'age' stands twice")),
    table("nearly our name", "path,Patient ID\nPATH,7\n", Fails("is column 'Patient ID' our patient_id?")),
    table("no path", "file,age\nPATH,7\n", Fails("no column 'path' that says where each recording lies")),
    table("an empty path", f"{HEADER}\nPATH,7,1,F\n,8,2,M\n", Fails("row 3: path is empty")),
    table("an empty path below a blank row", f"{HEADER}\n,,,\nPATH,7,1,F\n,8,2,M\n", Fails("row 4: path is empty")),
    table("only a header", f"{HEADER}\n", Fails("holds no recording")),
    table("only empty rows", f"{HEADER}\n,,,\n", Fails("holds no recording")),
    table("nothing", "", Fails("not a readable CSV")),
    table("a recording twice", f"{HEADER}\nPATH,7,1,F\nPATH,7,1,F\n", Fails("row 3: this recording stands in an earlier row already")),
    table("packed", b"\x1f\x8b\x08\x00" + bytes(range(256)), Fails("not a readable CSV")),
]  # fmt: skip
