"""The command serves loopback alone, prints a link that works, and costs other commands nothing."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from audit.asking import make_bench
from judge.cli.audit import _bind

JUDGE = [sys.executable, "-m", "judge.cli.main"]


def test_help_loads_no_web_server() -> None:
    """Neither starlette nor uvicorn nor jinja2 is imported before the page is wanted."""
    code = (
        "import sys, judge.cli.main\n"
        "print([name for name in ('starlette', 'uvicorn', 'jinja2', 'judge.audit.server') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_printed_link_opens_the_page_and_then_no_more(tmp_path: Path) -> None:
    """The address on stdout is on loopback, opens one session, and is refused the second time; nothing else is printed."""
    make_bench(tmp_path)
    command = [*JUDGE, "audit", "--no-open", "--json", "--ledger", str(tmp_path / "ledger.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            row = json.loads(server.stdout.readline())
            link = urlsplit(row["url"])
            assert link.hostname == "127.0.0.1"
            assert row["labels"] == str(tmp_path / "gold" / "labels")
            statuses = []
            for _ in range(2):
                connection = http.client.HTTPConnection(str(link.hostname), link.port or 0, timeout=20)
                connection.request("GET", f"{link.path}?{link.query}")
                answer = connection.getresponse()
                statuses.append(answer.status)
                assert answer.getheader("cache-control") == "no-store"
                assert answer.getheader("server") is None
                connection.close()
            assert statuses == [303, 401]
        finally:
            server.terminate()
        out, err = server.communicate(timeout=20)
    assert out == ""
    assert link.query.removeprefix("token=") not in err


def test_nothing_but_loopback_is_listened_at() -> None:
    """The socket is bound to 127.0.0.1, not to every address that the machine has."""
    with _bind(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """The message names the port and what to do; the exit code is that of bad input."""
    make_bench(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*JUDGE, "audit", "--no-open", "--port", str(port), "--ledger", str(tmp_path / "ledger.db")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert f"--port {port}" in done.stderr


def test_ledger_of_the_demo_is_named_where_there_is_no_other(tmp_path: Path) -> None:
    """Whoever has run the demo and starts the page beside it is told how to open it."""
    (tmp_path / "judge-demo").mkdir()
    make_bench(tmp_path / "judge-demo")
    done = subprocess.run(
        [*JUDGE, "audit", "--no-open"], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=30
    )
    assert done.returncode == 2
    assert f"judge audit --ledger {Path('judge-demo') / 'ledger.db'}" in done.stderr


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--ledger", "nowhere.db"]])
def test_what_cannot_be_served_is_an_error(tmp_path: Path, arguments: list[str]) -> None:
    """A port that is none and a ledger that is not there end with the code of bad input."""
    done = subprocess.run(
        [*JUDGE, "audit", "--no-open", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=30,
    )
    assert done.returncode == 2
