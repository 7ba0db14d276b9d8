"""The page over HTTP: numbers of the model, nothing kept, and whom it does not answer."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import urllib.request
from html import unescape
from http.client import HTTPConnection
from pathlib import Path

import pytest

import ecglfm
from ecglfm.app.page.form import MAX_BODY
from ecglfm.app.page.server import PageServer
from ecglfm.cli import main
from ecglfm.config import UserError
from tests.integration import warm
from tests.unit.app.page.conftest import Page, body_of, recording
from tests.unit.app.prediction.test_predict import make_model


def sentence(text: str) -> str:
    (found,) = re.findall(r'<p class="error" role="alert">([^<]*)</p>', text)
    return unescape(found)


def cells(text: str) -> list[list[str]]:
    (body,) = re.findall(r'<table class="answers">.*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in body.split("</tr>")[:-1]]


def test_an_answer_has_the_models_numbers_and_nothing_is_left(page: Page, temporary: Path):
    status, headers, body = page.ask("POST", "/", body_of(*recording("now", page.ecgs[0]), ("label", None, b"LBBB")))
    text = body.decode()
    assert status == 200
    (row,) = page.predictor.answer([page.predictor.prepare(ecglfm.read_record(page.ecgs[0]))])
    said = {cell[0]: cell[1:] for cell in cells(text)}
    for label in ("AF", "LBBB"):
        assert said[label][:2] == [f"{row[f'probability.{label}']:.3f}", f"{row[f'threshold.{label}']:.3f}"]
    assert text.count('<img src="data:image/svg+xml;base64,') == 2
    assert "<h2>Why LBBB</h2>" in text
    assert "Research use, not a medical device." in text
    assert not re.search(r"<script|https?://", re.sub(r'"data:[^"]*"|value="[^"]*"', "", text))
    assert not list(temporary.iterdir())
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy

    again = [("now", None, value.encode()) for value in re.findall(r'name="now" value="([^"]*)"', text)]
    assert len(again) == 2
    status, text_again = page.post(*again, ("label", None, b"-"))
    assert status == 200
    assert cells(text_again) == cells(text)
    assert text_again.count("<img") == 1
    status, headers, body = page.ask("POST", "/pdf", body_of(*again, *recording("before", page.ecgs[1])))
    assert (status, headers["Content-Type"]) == (200, "application/pdf")
    assert headers["Content-Disposition"] == 'attachment; filename="r0.pdf"'
    assert body.startswith(b"%PDF")
    assert not list(temporary.iterdir())


def test_a_file_that_nobody_should_send_is_a_sentence_and_goes_nowhere(page: Page, temporary: Path):
    for name, content in (("../evil.hea", b"x"), ("evil.exe", b"x"), ("evil.xml", b"<script>alert(1)</script>")):
        status, text = page.post(("now", name, content))
        assert status == 400
        assert "evil" in sentence(text)
        assert "<script" not in text
    assert "required" in text  # the form is there to try again
    assert not [path for path in temporary.parent.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "message"),
    [
        ("GET", "/", {"Host": "evil.example"}, 403, "This page is at http://127.0.0.1:"),
        ("GET", "/", {"Host": "evil.example:{port}"}, 403, "under no other name"),
        ("GET", "/", {"Host": ""}, 403, "under no other name"),
        ("POST", "/", {"Origin": "http://evil.example"}, 403, "did not come from this page"),
        ("POST", "/", {"Origin": "null"}, 403, "did not come from this page"),
        ("POST", "/", {"Origin": ""}, 403, "did not come from this page"),
        ("GET", "/../../etc/passwd", {}, 404, "no such page"),
        ("POST", "/x", {}, 404, "no such page"),
        ("POST", "/", {"Content-Length": ""}, 411, "how long"),
        ("POST", "/", {"Content_Type": "text/plain"}, 400, "no form with files"),
    ],
)
def test_whom_it_does_not_answer(
    page: Page, method: str, path: str, headers: dict[str, str], status: int, message: str
):
    sent = {name: value.format(port=page.server.port) for name, value in headers.items()}
    body = body_of(*recording("now", page.ecgs[0])) if "Content-Length" not in headers and status == 403 else b""
    found, _, text = page.ask(method, path, body if method == "POST" else b"", **sent)
    assert found == status
    assert message in sentence(text.decode())


def test_a_large_form_that_is_refused_is_told_why(page: Page):
    body = body_of(("now", "a.dat", bytes(12 * 2**20)))
    status, _, text = page.ask("POST", "/", body, Origin="null")
    assert (status, sentence(text.decode())) == (403, "The form did not come from this page.")


def test_its_other_name_is_answered(page: Page):
    status, headers, text = page.ask("GET", "/", Host=f"localhost:{page.server.port}")
    assert status == 200
    assert b'<option value="LBBB">LBBB</option>' in text
    assert headers["Server"].strip() == "ecglfm"


def test_what_is_too_large_is_told_after_it_was_sent(page: Page):
    connection = HTTPConnection("127.0.0.1", page.server.port, timeout=60)
    connection.putrequest("POST", "/")
    connection.putheader("Origin", page.server.url.rstrip("/"))
    connection.putheader("Content-Length", str(MAX_BODY + 1))
    connection.endheaders()
    connection.send(bytes(MAX_BODY + 1))
    answer = connection.getresponse()
    assert answer.status == 413
    assert sentence(answer.read().decode()).startswith("The files are larger than 16 MB; `ecglfm predict` takes them")


def test_our_own_fault_is_told_and_the_page_goes_on(page: Page, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(page.predictor, "answer", lambda prepared: 1 / 0)
        status, text = page.post(*recording("now", page.ecgs[0]))
    assert status == 500
    assert sentence(text) == "This went wrong here; the console says where."
    assert page.ask("GET", "/")[0] == 200


def test_a_port_that_is_taken(page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(UserError, match=rf"^--port {page.server.port}: Address already in use; take another"):
        PageServer(page.predictor, "m", page.server.port)
    assert main(["app", "--model", str(tmp_path)]) == 1
    assert "model.json: no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["app", "--model", str(tmp_path), "--port", "65536"])
    assert "65536 is no port" in capsys.readouterr().err


def test_the_command_of_the_documentation(repository: Path, tmp_path: Path):
    """Started as `docs/trying.md` says, it says where it is, answers, and ends without a traceback."""
    (command,) = re.findall(r"^(ecglfm app .*)$", (repository / "docs/trying.md").read_text(), re.MULTILINE)
    model = make_model(tmp_path / "tiny" / "diagnosis" / "full-s0")
    words = [str(model) if word.startswith("results/") else word for word in command.split()[1:]]
    words[words.index("--port") + 1] = "0"
    process = subprocess.Popen(
        [str(warm.shims() / "ecglfm"), *words], cwd=repository, stderr=subprocess.PIPE, text=True
    )
    said = ""
    try:
        assert process.stderr is not None
        for line in process.stderr:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                break
        else:
            pytest.fail(said)
        with urllib.request.urlopen(found[0], timeout=60) as answer:
            assert b"Model tiny/diagnosis/full-s0, on this machine." in answer.read()
        port = int(found[0].rpartition(":")[2].strip("/"))
        with socket.create_connection(("127.0.0.1", port)):  # as browsers do that may want one
            process.send_signal(signal.SIGTERM)
            said += process.communicate(timeout=45)[1]
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in said, said
