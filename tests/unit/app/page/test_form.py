"""Forms byte by byte: what is in them arrives as it was, and what nobody should send is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.app.page.form import MAX_BYTES, PageError, hidden, on_disk, read_form
from tests.unit.app.page.conftest import BOUNDARY, body_of
from tests.unit.sources.vendor_file import dicom, group, wave

KIND = f'multipart/form-data; boundary="{BOUNDARY}"'
#: Line ends, a boundary that is none, and every byte.
AWKWARD = b"\r\n--\r\n\n\r" + bytes(range(256)) + f"--{BOUNDARY}".encode() + b"\r\n"


def test_content_arrives_as_it_was_also_by_way_of_hidden_fields():
    form = read_form(KIND, body_of(("now", "ä 1.hea", b""), ("now", "a.dat", AWKWARD), ("before", "", b""),
                                   ("label", None, "Größe".encode())))  # fmt: skip
    assert form.files == {"now": {"ä 1.hea": b"", "a.dat": AWKWARD}, "before": {}}
    assert form.fields == {"label": "Größe"}
    again = read_form(KIND, body_of(*(("before", None, value.encode()) for value in hidden(form.files["now"]))))
    assert again.files["before"] == form.files["now"]


def test_a_devices_file_may_have_any_ending_or_none():
    content = dicom([group(wave())])
    form = read_form(KIND, body_of(("now", "IM0001", content)))
    assert form.files["now"] == {"IM0001": content}


@pytest.mark.parametrize(
    "name", ["../a.hea", "a/b.hea", "..\\a.hea", "/etc/a.hea", ".hea", "a\0.hea", "a#1.hdf5", "-a.hea"]
)
def test_names_that_are_paths_or_odd_are_refused(name: str):
    with pytest.raises(PageError, match=r"are allowed, no path") as error:
        read_form(KIND, body_of(("now", name, b"x")))
    assert error.value.status == 400
    with pytest.raises(PageError):
        read_form(KIND, body_of(("now", None, f"{name}/AAAA".encode())))


@pytest.mark.parametrize(
    ("kind", "body", "message", "status"),
    [
        ("application/json", b"{}", "This is no form with files", 400),
        (KIND, b"", "did not arrive whole", 400),
        (KIND, body_of(("now", "a.hea", b"x"))[:-8], "did not arrive whole", 400),
        (KIND, body_of(("now", None, b"a.hea/A*")), "choose the files once more", 400),
        (KIND, body_of(("now", "a.npy", b"x")), "a.npy is no recording that can be read here", 400),
        (KIND, body_of(("now", f"{'心' * 100}.hea", b"x")), "longer than a file's name may be; rename it", 400),
        (KIND, body_of(("now", "a.pdf", b"%PDF-1.7")), "a.pdf is a PDF: a picture of a recording is not read", 400),
        (KIND, body_of(*(("now", f"a{k}.dat", b"") for k in range(33))), "More than 32 files", 413),
        (KIND, body_of(("now", "a.dat", bytes(MAX_BYTES)), ("before", "b.dat", b"x")), "larger than 16 MB", 413),
    ],
)
def test_a_bad_form_is_a_sentence(kind: str, body: bytes, message: str, status: int):
    with pytest.raises(PageError, match=message) as error:
        read_form(kind, body)
    assert error.value.status == status


def test_files_on_disk_are_gone_afterwards():
    with on_disk({"a.dat": b"12"}) as folder:
        assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("a.dat", b"12")]
        assert folder.stat().st_mode & 0o077 == 0
    assert not Path(folder).exists()
