"""A key in the environment is nowhere afterwards: not in ledger, recording, report, page, bundle, label or what was printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from audit.asking import Browser, write_transcript
from judge.audit.access import Access
from judge.audit.queue import case_key
from judge.audit.server import Setting, make_app
from judge.ledger.decisions import read_matters
from judge.ledger.opening import open_ledger

# Shapes of providers' keys, invented.
KEYS = {
    "OPENAI_API_KEY": "sk-proj-KANARI0openai0000000000000000000000000000000000000000",
    "ANTHROPIC_API_KEY": "sk-ant-api03-KANARI0anthropic00000000000000000000000000000000",
    "GEMINI_API_KEY": "AIzaKANARI0gemini00000000000000000000000",
    "HF_TOKEN": "hf_KANARI0huggingface00000000000000000",
    "AZURE_API_KEY": "KANARI0azure000000000000000000000",
    "AWS_SECRET_ACCESS_KEY": "KANARI0aws00000000000000000000000000000/+",
}
CANARY = "KANARI0"


class _Echo(BaseHTTPRequestHandler):
    """A provider that fails and repeats everything that it was sent, headers too; every other time as an answer."""

    status = 401

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        told = f"bad request with {dict(self.headers)} {self.headers.get('authorization')}"
        body = json.dumps({"error": {"message": told, "type": "invalid_request_error", "code": told}}).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-echo", str(self.headers.get("authorization")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def provider(status: int) -> Iterator[str]:
    """One that answers with this status; gives its address."""
    handler = type("Echo", (_Echo,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def run(folder: Path, *arguments: str) -> str:
    """What a command prints, on both streams, with the keys in its environment."""
    done = subprocess.run(
        [sys.executable, "-m", "judge.cli.main", *arguments],
        capture_output=True,
        cwd=folder,
        env=os.environ | KEYS,
        timeout=120,
        check=False,
    )
    return (done.stdout + done.stderr).decode()


def grade(folder: Path, status: int) -> str:
    """Grade one transcript at such a provider, with a recording; what was printed."""
    write_transcript(folder)
    with provider(status) as address:
        return run(
            folder, "grade", "run.jsonl", "-r", "coercive-leverage", "-m", "openai/invented", "--api-base", address,
            "--record", "record.jsonl",
        )  # fmt: skip


def holding(folder: Path) -> list[str]:
    """The files that hold a part of a key."""
    return [path.name for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_key_is_nowhere_after_a_provider_rejected_it(tmp_path: Path) -> None:
    """401 ends the run; its message says so without the key that the provider repeated."""
    said = grade(tmp_path, 401)
    assert "401" in said or "reject" in said
    assert CANARY not in said
    assert holding(tmp_path) == []


def test_key_is_nowhere_after_a_provider_repeated_it(tmp_path: Path) -> None:
    """A verdict that ended in the provider's error: no file, no output, page or bundle of it holds a part of the key."""
    said = grade(tmp_path, 400)
    with open_ledger(tmp_path / "ledger.db", create=False) as book:
        verdicts = list(book.verdicts())
        assert [one.status for one in verdicts] == ["error"]
        said += run(tmp_path, "show", verdicts[0].verdict_id, "--bundle", "b.zip")
        said += run(tmp_path, "report", "--to", "report.html")
        access = Access()
        app = make_app(Setting(book, str(tmp_path / "ledger.db"), tmp_path / "gold"), access, 8123)
        there = Browser(app, access).sign_in("mira", "read")
        case = f"/case/{case_key(verdicts[0].transcript_id, verdicts[0].rubric)}"
        claim = {"verdict_id": verdicts[0].verdict_id, "claim": "look again"}
        answer = there.post(f"{case}/dispute", claim)
        assert answer.status == 201
        for path in ("/", case, "/disputes", answer.json["next"]):
            page = there.get(path)
            assert page.status == 200
            said += page.text + str(page.headers)
        assert len(read_matters(book)) == 1
    assert CANARY not in said
    assert all((tmp_path / name).is_file() for name in ("ledger.db", "report.html", "b.zip"))
    assert holding(tmp_path) == []


def test_key_in_a_transcript_is_masked_on_pages_and_untouched_in_its_file(tmp_path: Path) -> None:
    """What the target leaked is masked on the case and the dispute page; the file and the bundle's proof keep it."""
    about = write_transcript(tmp_path)
    path = tmp_path / "run.jsonl"
    key = KEYS["OPENAI_API_KEY"]
    path.write_bytes(path.read_bytes().replace(b"Mr Harrow, ", f"Mr Harrow, use {key} and ".encode()))
    assert about.id
    said = run(tmp_path, "grade", "run.jsonl", "-r", "coercive-leverage", "-m", "baseline/cues")
    before = path.read_bytes()
    with open_ledger(tmp_path / "ledger.db", create=False) as book:
        (verdict,) = book.verdicts()
        access = Access()
        app = make_app(Setting(book, str(tmp_path / "ledger.db"), tmp_path / "gold"), access, 8123)
        there = Browser(app, access).sign_in("mira", "read")
        case = f"/case/{case_key(verdict.transcript_id, verdict.rubric)}"
        sent = {"verdict_id": verdict.verdict_id, "claim": f"it says {key}", "evidence": [{"quote": f"use {key}"}]}
        answer = there.post(f"{case}/dispute", sent)
        assert answer.status == 201
        for address in (case, "/disputes", answer.json["next"]):
            said += there.get(address).text
        said += there.get(f"{case}/turns", "from=1").text
    assert CANARY not in said
    assert "masked" in said
    assert path.read_bytes() == before
    told = run(tmp_path, "show", verdict.verdict_id, "--bundle", "b.zip")
    assert "cannot mask" in told
    assert key.encode() in (tmp_path / "b.zip").read_bytes()
