"""`benchmark serve` counts what is lost, and knows whose answer is whose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ecglfm.benchmark.app.serve import ask_many, body
from ecglfm.cli import main


class Handler(BaseHTTPRequestHandler):
    """Says the first sample; every fourth request is refused; the earlier ones take longer."""

    seen = 0

    def do_POST(self) -> None:
        Handler.seen += 1
        lost = Handler.seen % 4 == 0
        (recording,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_records"]
        time.sleep(0.02 / Handler.seen)
        self.send_response(500 if lost else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"predictions": [{"first": recording["signal"][0][0]}]}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Handler.seen = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_lost_ones_are_counted(url: str, capsys: pytest.CaptureFixture[str]):
    assert main(["benchmark", "serve", "--url", url, "--requests", "20", "--concurrency", "4"]) == 0
    one, four = capsys.readouterr().out.splitlines()
    # The first request asks whether there is a server, then two, then twenty: 4, 8, 12, 16, 20 are refused.
    assert one.startswith("serve, 2 requests, 1 at once: 0 lost; median ")
    assert four.startswith("serve, 20 requests, 4 at once: 5 lost; median ")


def test_answers_are_in_the_order_of_the_bodies(url: str):
    answers = ask_many(url, [body([[k, 0.0]], ["I"], 500.0) for k in range(8)], concurrency=4)
    said = [answer.rows and answer.rows[0]["first"] for answer in answers]
    assert len([each for each in said if each is None]) == 2
    assert all(each is None or each == k for k, each in enumerate(said))


def test_without_a_server_one_line(capsys: pytest.CaptureFixture[str]):
    assert main(["benchmark", "serve", "--url", "http://127.0.0.1:9"]) == 1
    assert "--url http://127.0.0.1:9: no answer; start one with make serve MODEL=DIR" in capsys.readouterr().err
