"""Reading transcripts: MB/s of raw text beside the bare parsers and other people's readers, and memory over a long stream.

Material is written here (sessions in the shape of Claude Code, AgentDojo-like rows, an `.eval` archive), so that the
figures need no data; real samples are timed too where they lie beside the checkout. Everything is timed in processor
seconds, in one run, because the ratios say more than the rates: Inspect's `read_eval_log` and Inspect Scout's source for
Claude Code read the same files in an environment of their own (`peers.py`). `judge` is the time until a file has been read:
parsed, proven, held to the limits, every result linked to its call, every warning known. `walked` is the time until every
message and part has been looked at as an object, as grading does, and every pointer hashed, as an export does. `floor` is
what fidelity costs before there is any transcript: each text expanded, parsed, written again (which shows that no key stood
twice and no number changed) and hashed, and the file hashed. Targets: 100 MB/s on JSONL, 60 MB/s on `.eval` (of expanded
text), ten times either peer, which build their objects as they read.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.peers import INSPECT, SCOUT, peer_python
from judge.transcripts import Limits, Transcript, iter_transcripts
from judge.transcripts.archive import Archive

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
REAL = ("claude_code/spotter/*-*.jsonl", "tau_bench/gpt-4o-airline.json", "inspect/*.eval")
WIDE = Limits(file_bytes=2**32, expanded_bytes=2**32)
PEER_PATIENCE_S = 180
EARLY = 10_000  # transcripts of a stream after which memory is first looked at
_WORDS = "the ledger of the bakery was moved to the second shelf before anybody had counted the sacks "


def main(arguments: list[str] | None = None) -> None:
    """Print one table (source, size, MB/s of each way to read it) and the memory of a long stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", type=int, default=100_000, metavar="N", help="Small transcripts in the stream.")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # set in the measured process
    given = parser.parse_args(arguments or [])
    if given.measure:
        print(orjson.dumps(_stream(given.measure)).decode())
        return
    python = peer_python(INSPECT, SCOUT)
    print("MB/s of expanded text, processor time")
    print(
        f"{'source':<34}{'MB':>7}{'judge':>8}{'walked':>8}{'floor':>8}{'orjson':>8}{'json':>7}{'of floor':>10}   peer"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in (_sessions(folder), _rows(folder, "runs.jsonl", 1), _rows(folder, "long_runs.jsonl", 8)):
            _compare(path, python)
        _compare(_archive(folder), python)
        _many(folder, given.stream)
    for path in sorted(found for pattern in REAL for found in SAMPLES.glob(pattern)):
        if path.stat().st_size > 100_000:
            _compare(path, python)


def _compare(path: Path, python: Path | None) -> None:
    """Print one line: this file read by us, by the bare parsers, and by the peer that knows its format."""
    archive = path.suffix == ".eval"
    size = _expanded(path) if archive else path.stat().st_size
    texts = _members if archive else _lines

    def spend(way: Callable[[bytes], object]) -> None:
        for text in texts(path):
            way(text)

    def floor() -> None:
        hashlib.sha256(path.read_bytes()).digest()
        spend(_prove)

    ways = (lambda: _read(path), lambda: _walk(path), floor, lambda: spend(orjson.loads), lambda: spend(json.loads))
    spent = _race(ways)
    rates = [size / 1e6 / seconds for seconds in spent]
    shares = "".join(f"{rate:>{width}.0f}" for rate, width in zip(rates, (8, 8, 8, 8, 7), strict=True))
    shares += f"{rates[0] / rates[2]:>10.2f}"
    print(f"{path.name[:33]:<34}{size / 1e6:>7.1f}{shares}   {_peer(path, python, size, spent[0])}", flush=True)


def _peer(path: Path, python: Path | None, size: int, ours: float) -> str:
    """What the peer for this kind of file needs, and how many times as fast we are."""
    kind = {".eval": "inspect", ".jsonl": "scout" if "runs" not in path.name else None}.get(path.suffix)
    if kind is None or python is None:
        return ""
    command = [str(python), str(Path(__file__).with_name("_reading_peers.py")), kind, str(path), "2"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PEER_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"{kind}: not done after {PEER_PATIENCE_S} s"
    if done.returncode:
        return f"{kind}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:90]}"
    theirs = orjson.loads(done.stdout.splitlines()[-1])["seconds"]
    return f"{kind} {size / 1e6 / theirs:.1f} MB/s: {theirs / ours:.1f} times as fast"


def _race(ways: Sequence[Callable[[], None]], rounds: int = 7) -> list[float]:
    """Seconds that each way takes at its best; they take turns, so that a slow moment of the machine is everybody's."""
    best = [float("inf")] * len(ways)
    for _ in range(rounds):
        for index, run in enumerate(ways):
            gc.collect()
            began = time.process_time()
            run()
            best[index] = min(best[index], time.process_time() - began)
    return best


def _read(path: Path) -> None:
    for item in iter_transcripts([path], limits=WIDE):
        assert isinstance(item, Transcript), item


def _walk(path: Path) -> None:
    for item in iter_transcripts([path], limits=WIDE):
        assert isinstance(item, Transcript), item
        for message in item.messages:
            assert message.at[0].sha256
            len(message.parts)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from [stream.read()] if path.suffix == ".json" else stream


def _members(path: Path) -> Iterator[bytes]:
    archive = Archive(path.read_bytes(), path.name, WIDE)  # the standard library cannot expand zstd
    return (archive.read(name) for name in archive.names if name.startswith("samples/"))


def _prove(text: bytes) -> None:
    orjson.dumps(orjson.loads(text))
    hashlib.sha256(text).digest()


def _expanded(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist() if member.filename.startswith("samples/"))


def _sessions(folder: Path, turns: int = 300) -> Path:
    """One long session, compact as its harness writes it: much progress, replies split over lines, long results."""
    path = folder / "1d0c6a52-6a3e-4a0b-9f6b-2f1d3c5b7a90.jsonl"  # the peer insists on such a name
    base = {
        "sessionId": "1d0c6a52-6a3e-4a0b-9f6b-2f1d3c5b7a90",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/srv",
        "version": "2.1.0",
    }
    parent = None
    with path.open("w") as stream:
        for turn in range(turns):
            lines: list[dict[str, Any]] = [
                {"type": "progress", "data": {"type": "bash_progress", "output": _WORDS * 8, "elapsedTimeSeconds": n}}
                for n in range(5)
            ]
            call = {"type": "tool_use", "id": f"t{turn}", "name": "Bash", "input": {"command": _WORDS}}
            done = {"type": "tool_result", "tool_use_id": f"t{turn}", "content": _WORDS * 40}
            for block in ({"type": "text", "text": _WORDS * 3}, call):
                message = {"id": f"msg{turn}", "role": "assistant", "model": "m", "content": [block], "usage": {"a": 1}}
                lines.append({"type": "assistant", "message": message})
            lines.append(
                {
                    "type": "user",
                    "message": {"role": "user", "content": [done]},
                    "toolUseResult": {"stdout": _WORDS * 40},
                }
            )
            for number, line in enumerate(lines):
                uuid = f"{turn}-{number}"
                identity = {"uuid": uuid, "parentUuid": parent, "timestamp": "2026-01-01T00:00:00Z"}
                parent = uuid
                stream.write(json.dumps(base | identity | line, separators=(",", ":")) + "\n")
    return path


def _rows(folder: Path, name: str, times: int) -> Path:
    """Runs in the shape of AgentDojo's export: messages of 1.5 kB on average, or `times` as long."""
    path = folder / name
    facts = {"suite_name": "bakery", "user_task_id": "u", "injection_task_id": None, "success": True, "security": False}
    with path.open("w") as stream:
        for run in range(1_500 // times):
            messages: list[dict[str, Any]] = [
                {"role": "system", "content": _WORDS * 12},
                {"role": "user", "content": _WORDS},
            ]
            for step in range(5):
                call = {"function": "read_file", "args": {"path": f"{run}/{step}"}, "id": f"c{step}"}
                messages.append({"role": "assistant", "content": _WORDS * 2, "tool_calls": [call]})
                messages.append(
                    {
                        "role": "tool",
                        "content": _WORDS * 30 * times,
                        "tool_call_id": f"c{step}",
                        "tool_call": call,
                        "error": None,
                    }
                )
            stream.write(json.dumps({"index": run, "messages": messages, "metadata": facts}) + "\n")
    return path


def _archive(folder: Path) -> Path:
    """A deflated log with events that repeat the messages, as real ones do; valid for Inspect's own reader too."""
    path = folder / "log.eval"
    spec = {
        "task": "t",
        "task_id": "i",
        "model": "m",
        "created": "2026-01-01T00:00:00+00:00",
        "dataset": {},
        "config": {},
    }
    header = {"version": 2, "status": "success", "eval": spec}
    output = {"model": "m", "choices": [], "completion": ""}
    call = {"event": "model", "timestamp": spec["created"], "model": "m", "output": output, "tools": [], "config": {}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(header))
        for number in range(200):
            messages = [
                {"id": f"{number}-{n}", "role": ("user", "assistant")[n % 2], "content": f"{n} {_WORDS * 12}"}
                for n in range(30)
            ]
            events = [call | {"tool_choice": "auto", "input": messages[:8]} for _ in range(4)]
            sample = {"id": number, "epoch": 1, "input": "x", "target": "y", "messages": messages, "events": events}
            archive.writestr(f"samples/{number}_epoch_1.json", json.dumps(sample | {"scores": {}}))
    return path


def _many(folder: Path, count: int) -> None:
    """A stream of small transcripts, read in a process of its own: how fast, and how far its memory grows on the way."""
    path = folder / "many.jsonl"

    def line(number: int) -> str:
        said = [{"role": "user", "content": f"Is loaf {number} fresh?"}, {"role": "assistant", "content": "Yes."}]
        return json.dumps({"messages": said}) + "\n"

    with path.open("w") as stream:
        stream.writelines(line(number) for number in range(count))
    command = [sys.executable, "-m", "benchmarks.reading", "--measure", str(path)]
    said = orjson.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    path.unlink()
    print(
        f"{said['read']:,} small transcripts in one stream: {said['seconds']:.0f} s, {said['read'] / said['seconds']:,.0f}/s; "
        f"resident {said['early_mb']:.1f} MB after {EARLY:,}, {said['late_mb']:.1f} MB at the end",
        flush=True,
    )


def _stream(path: Path) -> dict[str, Any]:
    """Read a stream in this process; resident memory after the first `EARLY` transcripts and at the end."""
    began = time.process_time()
    early_mb, late_mb, read = 0.0, 0.0, 0
    for _ in iter_transcripts([path], limits=WIDE):
        read += 1
        if read % EARLY == 0:  # while it reads: afterwards all is given back
            late_mb = _resident_mb()
            early_mb = early_mb or late_mb
    seconds = time.process_time() - began
    return {"read": read, "seconds": seconds, "early_mb": early_mb, "late_mb": late_mb}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main(sys.argv[1:])
