"""A transcript of 20,000 messages on the audit page, in a real browser: time until it can be read, how it scrolls, jumps, finds.

The page is served by `judge audit` as a user starts it, and the case is the first that this server opens, so reading and
checking the transcript's file is in the figure. Needs chromium and chromedriver.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judge.ledger.opening import open_ledger
from judge.ledger.verdict import Coverage, Evidence, Finding, Verdict
from judge.rubrics.loading import load_rubric
from judge.transcripts.model import Message, Part, Source, Transcript

MESSAGES = 20_000
FEW = 200  # to compare with: what browser and server cost whatever is read
_WORDS = (
    "the contract file ledger message agent notes deploy server budget report mail result list queue retry path".split()
)
_QUOTES = 40

# Scrolls a little in every frame for four seconds and gives back how long the frames took, in milliseconds.
_SCROLL = """
const done = arguments[0];
const frames = [];
const began = performance.now();
let last = began;
function next(now) {
  frames.push(now - last);
  last = now;
  scrollBy(0, 120);
  if (now - began < 4000) requestAnimationFrame(next); else done(frames.slice(1).sort((a, b) => a - b));
}
requestAnimationFrame(next);
"""


def write_material(folder: Path, count: int) -> None:
    """A transcript, and two verdicts on it: one with quotes all over, one that saw half of it."""
    rng = random.Random(7)
    who = (("user", "user", "human"), ("assistant", "target", "sampled"), ("tool", "tool", "tool"))
    messages = []
    for number in range(1, count + 1):
        role, author, origin = who[number % 3]
        text = " ".join(rng.choice(_WORDS) for _ in range(rng.choice((15, 40, 200))))
        kind = "tool_result" if role == "tool" else "text"
        part = Part(id=f"m{number}.1", kind=kind, text=f"{text} {number}")
        messages.append(Message(id=f"m{number}", role=role, author=author, origin=origin, parts=(part,)))
    path = folder / "run.jsonl"
    source = Source(uri=str(path), format="made", sha256="0" * 64, size=0)
    about = Transcript(id="long", source=source, messages=tuple(messages))
    path.write_bytes(about.model_dump_json(by_alias=True).encode() + b"\n")
    rubric = load_rubric("coercive-leverage")
    quotes = tuple(
        Evidence(
            message_id=f"m{number}", quote=messages[number - 1].parts[0].text[:30], match="exact", start=0, end=30,
            part=f"m{number}.1", admissible=True,
        )
        for number in range(10, count, max(1, count // _QUOTES))
    )  # fmt: skip
    common: dict[str, Any] = {"transcript_id": "long", "source": str(path), "rubric": rubric.id}
    finding = Finding(criterion=rubric.criteria[0].id, met="met", reason="here", evidence=quotes)
    with open_ledger(folder / "ledger.db") as book:
        book.append(
            [
                Verdict(verdict_id="a", judge="one", level="enacted", positive=True, findings=(finding,),
                        coverage=Coverage(seen=count, total=count), **common),
                Verdict(verdict_id="b", judge="two", level="absent", positive=False,
                        coverage=Coverage(seen=count // 2, total=count), **common),
            ]
        )  # fmt: skip


def start_browser() -> Any:
    """A headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,900"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))


def spent(pid: int) -> float:
    """Processor seconds of a process and of everything that it started and that still runs (Linux)."""
    fields = {
        path.parent.name: path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")
    }
    family, seconds = {str(pid)}, 0.0
    for name in sorted(fields, key=int):
        if name in family or fields[name][1] in family:
            family.add(name)
            seconds += (int(fields[name][11]) + int(fields[name][12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def timed(action: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(folder: Path, mode: str, count: int) -> None:
    """Start the page, sign in, and print what opening, scrolling, jumping and finding take."""
    from selenium.webdriver.support.ui import WebDriverWait

    command = [sys.executable, "-m", "judge", "audit", "--no-open", "--json", "--ledger", str(folder / "ledger.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        browser = start_browser()
        try:
            assert server.stdout is not None
            waiting = WebDriverWait(browser, 120, poll_frequency=0.005)

            def wait(condition: str) -> None:
                waiting.until(lambda driver: driver.execute_script(f"return {condition}"))

            browser.get(json.loads(server.stdout.readline())["url"])
            browser.execute_script(
                "document.querySelector('#name').value = 'mira';"
                "document.querySelector(`[name=mode][value=${arguments[0]}]`).click();"
                "document.querySelector('#sign-in').requestSubmit()",
                mode,
            )
            wait("document.querySelector('.cases .row a') !== null")
            address = browser.execute_script("return document.querySelector('.cases .row a').href")
            before = spent(server.pid), spent(browser.service.process.pid)
            load = timed(
                lambda: (browser.get(address), wait("document.querySelector('#t50 pre')?.textContent.length > 0"))
            )
            cpu = [
                now - then
                for now, then in zip((spent(server.pid), spent(browser.service.process.pid)), before, strict=True)
            ]
            again = timed(
                lambda: (browser.refresh(), wait("document.querySelector('#t50 pre')?.textContent.length > 0"))
            )
            size = browser.execute_script("return performance.getEntriesByType('navigation')[0].decodedBodySize")
            frames = browser.execute_async_script(_SCROLL)
            jump = timed(lambda: (browser.execute_script(f"location.hash = '#t{count - 7}'"),
                                  wait(f"document.activeElement.id === 't{count - 7}'")))  # fmt: skip
            needle = f" {count // 2}"
            browser.execute_script(
                "const w = document.querySelector('#words'); w.value = arguments[0];"
                "document.querySelector('#find').requestSubmit()",
                needle,
            )
            find = timed(lambda: wait("document.querySelector('#found').textContent.startsWith('1 of')"))
            print(
                f"   {count:6,} messages, {mode:5}  opens in {load:.2f} s (processor: server {cpu[0]:.2f} s, "
                f"browser {cpu[1]:.2f} s), again in {again:.2f} s, {size / 1e6:.2f} MB; "
                f"frames: median {frames[len(frames) // 2]:.0f} ms, 95 % {frames[int(len(frames) * 0.95)]:.0f} ms, "
                f"longest {frames[-1]:.0f} ms; jump to the end {jump:.2f} s; find {find:.2f} s"
            )
        finally:
            browser.quit()
            server.terminate()


def main() -> None:
    """Print a line for a short transcript, and for a long one as a reader of verdicts and a blind rater have it."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        print("   needs chromium and chromedriver (make browser)")
        return
    for count, mode in ((FEW, "read"), (MESSAGES, "read"), (MESSAGES, "label")):
        with tempfile.TemporaryDirectory() as name:
            write_material(Path(name), count)
            measure(Path(name), mode, count)
