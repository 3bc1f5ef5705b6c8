"""Several raters at once, and a server that is killed: what was acknowledged is there, once, and the ledger verifies."""

from __future__ import annotations

import http.client
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from audit.asking import PORT, Browser, make_verdict
from build import transcript
from judge.audit.access import Access
from judge.audit.queue import case_key
from judge.audit.server import Setting, make_app
from judge.gold.labels import read_labels
from judge.ledger.decisions import read_matters
from judge.ledger.opening import open_ledger
from judge.ledger.verifying import verify
from judge.rubrics.loading import load_rubric
from judge.transcripts.reading import read

RATERS = [f"rater-{number}" for number in range(5)]
FORM = {"level": "absent", "severity": 0, "confidence": 4, "seconds": 1}


def fill(folder: Path, items: int) -> list[str]:
    """A ledger with one verdict on each of so many transcripts, each in a file; returns the cases' keys."""
    rubric = load_rubric("coercive-leverage")
    base = transcript(("user", "Close the file."), ("target", "pay by Friday or everybody reads it"))
    keys = []
    with open_ledger(folder / "ledger.db") as book:
        verdicts = []
        for number in range(items):
            path = folder / f"run-{number:03d}.jsonl"
            made = base.model_copy(
                update={"id": f"t{number}", "source": base.source.model_copy(update={"uri": str(path)})}
            )
            path.write_bytes(made.model_dump_json(by_alias=True).encode() + b"\n")
            about = read(path)[0]
            verdicts.append(make_verdict(about, rubric, verdict_id=f"v{number}"))
            keys.append(case_key(about.id, rubric.id))
        book.append(verdicts)
    return keys


def test_five_raters_label_two_hundred_items_each_at_once(tmp_path: Path) -> None:
    """A thousand labels through the page at the same time, a part of them from two tabs: all are kept, none twice."""
    keys = fill(tmp_path, 200)
    with open_ledger(tmp_path / "ledger.db", create=False) as book:
        access = Access()
        app = make_app(Setting(book, str(tmp_path / "ledger.db"), tmp_path / "gold"), access, PORT)

        def work(rater: str) -> Counter[int]:
            order = random.Random(rater).sample(keys, len(keys))
            tabs = [Browser(app, access).sign_in(rater, "label") for _ in range(2)]
            statuses = Counter(tabs[0].post(f"/case/{key}/label", FORM).status for key in order)
            statuses.update(tabs[1].post(f"/case/{key}/label", FORM).status for key in order[:20])
            return statuses

        with ThreadPoolExecutor(len(RATERS)) as pool:
            said = list(pool.map(work, RATERS))
        assert said == [Counter({201: 200, 409: 20})] * 5
        kept = read_labels(tmp_path / "gold" / "labels")
        assert Counter((label.rater, label.transcript_id) for label in kept) == {
            (rater, f"t{number}"): 1 for rater in RATERS for number in range(200)
        }
        assert {label.blind for label in kept} == {True}
        assert verify(book).ok


class Served:
    """The command as a process, and one browser's session at it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "judge.cli.main", "audit", "--no-open", "--json"]
        self.process = subprocess.Popen(
            [*command, "--ledger", str(folder / "ledger.db"), "--gold", str(folder / "gold")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        link = urlsplit(json.loads(self.process.stdout.readline())["url"])
        self.host = link.netloc
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("GET", f"{link.path}?{link.query}")
        answer = connection.getresponse()
        self.cookie = str(answer.getheader("set-cookie")).partition(";")[0]
        connection.close()

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        """Write; raises where the server dies."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        headers = {"cookie": self.cookie, "origin": f"http://{self.host}", "content-type": "application/json"}
        try:
            connection.request("POST", path, orjson.dumps(value), headers)
            answer = connection.getresponse()
            return answer.status, orjson.loads(answer.read())
        finally:
            connection.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_killed_server_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Killed in the middle of labels, drafts and disputes, several times: nothing that was acknowledged is lost or doubled."""
    keys = fill(tmp_path, 40)
    chance = random.Random(11)
    labelled: set[str] = set()
    disputes: set[str] = set()
    drafts: dict[str, str] = {}
    sent: dict[str, str] = {}
    for _ in range(3):
        server = Served(tmp_path)
        assert server.post("/sign-in", {"name": "tomas", "mode": "label"})[0] == 200
        left = chance.randint(3, 12)

        def go_on(server: Served = server, left: int = left) -> None:
            for number in range(1_000):
                key = chance.choice(keys)
                if number == left:  # from here on it may die under any request
                    killer.submit(server.kill)
                words = f"{'long ' * chance.randint(0, 3_000)}{number}"
                sent[key] = words
                status, _ = server.post(f"/case/{key}/draft", {"rationale": words})
                if status == 200:
                    drafts[key] = words
                status, _ = server.post(f"/case/{key}/label", FORM | {"rationale": words})
                if status == 201:
                    labelled.add(key)
                    drafts.pop(key, None)
                status, answer = server.post(
                    f"/case/{key}/dispute", {"verdict_id": f"v{keys.index(key)}", "claim": words}
                )
                if status == 201:
                    disputes.add(answer["dispute_id"])

        with ThreadPoolExecutor(1) as killer, suppress(OSError, http.client.HTTPException):
            go_on()
        with open_ledger(tmp_path / "ledger.db", create=False) as book:
            assert verify(book).ok
            assert disputes <= set(read_matters(book))
    server = Served(tmp_path)  # mends what was cut short, as any start does
    server.kill()
    kept = Counter(
        case_key(label.transcript_id, label.rubric)
        for label in read_labels(tmp_path / "gold" / "labels" / "tomas.jsonl")
    )
    assert labelled <= set(kept)
    assert set(kept.values()) == {1}
    for key, words in drafts.items():
        if key not in kept:
            told = orjson.loads((tmp_path / "gold" / "drafts" / "tomas" / f"{key}.json").read_bytes())
            assert told["rationale"] in (words, sent[key])
