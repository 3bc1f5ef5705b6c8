"""What a person who waits for a run is told."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path

import pytest

from judge.cli.progress import Follow, Reading, describe
from judge.grading.tally import Tally
from judge.transcripts.canonical import write
from judge.transcripts.reading import read


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """One JSONL file of four chats, all of the same length."""
    lines = [f'{{"messages": [{{"role": "user", "content": "move meeting {n}"}}]}}\n' for n in range(4)]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(lines))
    return path


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_left_is_what_is_unread_at_the_pace_so_far(four: Path) -> None:
    """A quarter is read and judged in 10 seconds: 30 are left; with half of it judged, 70."""
    clock, reading = Clock(), Reading([four])
    follow = Follow(quiet=True, reading=reading, clock=clock)
    next(reading.follow(read(four)))
    clock.now = 10.0
    tally = Tally(done=6, drawn=6)
    follow(tally)
    assert pytest.approx(30, rel=0.05) == follow.seconds_left(tally)
    slow = Follow(quiet=True, reading=reading, clock=clock)
    clock.now = 20.0
    tally = Tally(done=3, drawn=6)
    slow(tally)
    assert pytest.approx(70, rel=0.05) == slow.seconds_left(tally)


def test_what_the_ledger_held_takes_no_time(four: Path) -> None:
    """Verdicts that were found are not waited for: 2 of 4 were made in 10 s, one is left."""
    clock, reading = Clock(), Reading([four])
    follow = Follow(quiet=True, reading=reading, clock=clock)
    list(reading.follow(read(four)))
    clock.now = 10.0
    tally = Tally(done=2, found=1, drawn=4)
    follow(tally)
    assert 5.0 == follow.seconds_left(tally)


def test_nothing_is_promised_before_anything_is_known(four: Path) -> None:
    """Without a verdict there is no pace, and so no time left."""
    reading = Reading([four])
    follow = Follow(quiet=True, reading=reading)
    next(reading.follow(read(four)))
    tally = Tally(drawn=6)
    follow(tally)
    assert follow.seconds_left(tally) is None


def test_a_limit_counts_transcripts(four: Path) -> None:
    """With --limit 2, half is read after the first of four."""
    reading = Reading([four], limit=2)
    next(reading.follow(read(four)))
    assert 0.5 == reading.share


def test_a_folder_counts_every_file_but_hidden_ones(four: Path) -> None:
    """Two files of one size: after the first transcript of the second, five eighths are read."""
    (four.parent / "more.jsonl").write_bytes(four.read_bytes())
    (four.parent / ".hidden.jsonl").write_bytes(four.read_bytes() * 100)
    reading = Reading([four.parent])
    stream = reading.follow(read(four.parent))
    for _ in range(5):
        next(stream)
    assert pytest.approx(5 / 8, rel=0.02) == reading.share


def test_our_own_form_counts_by_its_own_bytes(four: Path) -> None:
    """A transcript says which file it is from; that file may be large or gone, and is not what is read."""
    kept = four.parent / "kept.jsonl"
    with kept.open("wb") as stream:
        write(read(four), stream)
    four.unlink()
    reading = Reading([kept])
    stream = reading.follow(read(kept))
    shares = []
    for _ in range(4):
        next(stream)
        shares.append(reading.share)
    assert pytest.approx([1 / 4, 2 / 4, 3 / 4, 1], rel=0.02) == shares


def test_the_share_of_a_long_file_in_our_own_form_is_near_what_has_been_read(tmp_path: Path) -> None:
    """Chats of one to eight messages with 1 to 300 words: what is reckoned is within two hundredths of what is there."""
    chats = [
        [{"role": "user", "content": "a word " * (1 + 37 * n * m % 300)} for m in range(1, 2 + n % 8)]
        for n in range(120)
    ]
    given = tmp_path / "chats.jsonl"
    given.write_text("".join(f"{json.dumps({'messages': chat})}\n" for chat in chats))
    kept = tmp_path / "kept.jsonl"
    with kept.open("wb") as stream:
        write(read(given), stream)
    ends = list(accumulate(len(line) for line in kept.read_bytes().splitlines(keepends=True)))
    reading = Reading([kept])
    for end, _ in zip(ends, reading.follow(read(kept)), strict=True):
        assert reading.share == pytest.approx(end / ends[-1], abs=0.02)


def test_batches_that_have_ended_are_counted_and_those_that_are_out_are_named() -> None:
    """A run of days has hundreds: the line stays one that can be read."""
    tally = Tally(batches={f"b{n}": ("completed", 1_000) for n in range(300)} | {"x": ("in_progress", 12)})
    assert describe(tally).endswith("/s, 300 batches ended, batch x: in_progress, 12 answered")
    tally.batches |= {f"y{n}": ("validating", 0) for n in range(9)}
    assert describe(tally).endswith("batch y1: validating, 0 answered, 7 more out")


def test_a_batch_interface_that_answers_again_is_no_longer_called_unreachable() -> None:
    """Trouble that is over is not reported for days."""
    tally = Tally()
    tally.note_batch("", "unreachable", 0)
    assert describe(tally).endswith("/s, the batch interface is unreachable")
    tally.note_batch("x", "in_progress", 3)
    assert describe(tally).endswith("/s, batch x: in_progress, 3 answered")


def test_a_run_that_waits_for_a_provider_says_so(four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While a provider is down no verdict comes, and the time left is anybody's guess: the line says what it waits for."""
    clock, reading, down = Clock(), Reading([four]), ["openai"]
    follow = Follow(quiet=False, reading=reading, clock=clock, list_down=lambda: down)
    next(reading.follow(read(four)))
    clock.now = 10.0
    follow(Tally(done=3, drawn=6))
    assert capsys.readouterr().err.endswith("; waiting, as every answer of openai is a failure\n")
    down.clear()
    clock.now = 20.0
    follow(Tally(done=6, drawn=6))
    assert capsys.readouterr().err.endswith(" left\n")


def test_a_limit_per_minute_does_not_make_the_time_left_swing(four: Path) -> None:
    """40 verdicts in the first second of each 62 s, 400 in all: ever less is left, and never said to be twice or half of it."""
    clock, reading = Clock(), Reading([four])
    follow = Follow(quiet=True, reading=reading, clock=clock)
    list(reading.follow(read(four)))
    for second in range(30, 500):
        clock.now = float(second)
        tally = Tally(done=40 * (1 + second // 62), drawn=400)
        follow(tally)
        said, true = follow.seconds_left(tally), 62 * 10 - second
        assert said is not None
        assert true / 2.5 < said < true * 1.5
