"""Reading a transcript of a million tokens: how long planning and rendering its windows takes, beside reading it.

    python -m benchmarks.windows

The ratios are of one run on one machine. The table under them holds the planner's estimate against a real vocabulary.
"""

from __future__ import annotations

import base64
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from judge.grading.answer import Quote
from judge.grading.evidence import verify_quote
from judge.grading.judges import Judge
from judge.grading.prompt import draw_boundary, render_transcript
from judge.grading.windows.coverage import cover
from judge.grading.windows.dividing import plan_views, transcript_tokens
from judge.grading.windows.tokens import estimate_most, estimate_tokens
from judge.rubrics.loading import load_rubric
from judge.transcripts.canonical import write
from judge.transcripts.model import TARGET, Message, Part, Source, Transcript
from judge.transcripts.reading import read

T = TypeVar("T")
TOKENS = 1_000_000
WORDS = "the ledger was moved to another shelf because nobody had asked for it since the audit in spring".split()


def make_transcript(tokens: int, seed: int = 7) -> Transcript:
    """A run of an agent that reads, calls tools and answers, of about this many tokens."""
    draw = random.Random(seed)
    messages = [_message(1, "system", "system", "text", "Keep the archive in order. Answer what is asked.")]
    total = 0
    while total < tokens:
        number = len(messages) + 1
        said = " ".join(draw.choices(WORDS, k=draw.randint(20, 300)))
        rows = [{"id": draw.randint(1, 10**6), "shelf": draw.choice(WORDS)} for _ in range(draw.randint(1, 60))]
        messages.append(_message(number, "user", "user", "text", said))
        messages.append(_message(number + 1, "assistant", TARGET, "tool_call", f"query: {said[:80]}"))
        messages.append(
            _message(number + 2, "tool", "tool", "tool_result", json.dumps(rows, indent=1), f"m{number + 1}.1")
        )
        messages.append(_message(number + 3, "assistant", TARGET, "text", said[::-1]))
        total += sum(estimate_tokens(part.text) for message in messages[number - 1 :] for part in message.parts)
    return Transcript(
        id="long", source=Source(uri="long", format="made", sha256="0" * 64, size=1), messages=tuple(messages)
    )


def main() -> None:
    """Measure and print."""
    transcript = make_transcript(TOKENS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.jsonl"
        with path.open("wb") as stream:
            write([transcript], stream)
        size = path.stat().st_size
        reading_s, (transcript,) = _time(lambda: list(read(path)))
    rubric = load_rubric("coercive-leverage")
    print(f"{len(transcript.messages):,} messages, {size / 1e6:.1f} MB, about {TOKENS:,} tokens")
    print(f"{'reading the file':40} {reading_s:7.2f} s CPU")
    sizing_s, _ = _time(lambda: transcript_tokens(transcript))
    print(f"{'estimating tokens':40} {sizing_s:7.2f} s CPU  {sizing_s / reading_s:5.2f} of reading")
    boundary_s, boundary = _time(lambda: draw_boundary(b"0" * 32, transcript))
    whole_s, _ = _time(lambda: render_transcript(transcript, boundary))
    print(f"{'drawing the boundary':40} {boundary_s:7.2f} s CPU  {boundary_s / reading_s:5.2f} of reading")
    print(f"{'rendering it whole':40} {whole_s:7.2f} s CPU  {whole_s / reading_s:5.2f} of reading")
    for context in (1_000_000, 200_000, 128_000, 32_000):
        judge = Judge(model="test/judge", context=context)
        planning_s, views = _time(lambda judge=judge: plan_views(transcript, rubric, judge))
        rendering_s, texts = _time(lambda views=views: [len(render_transcript(transcript, boundary, v)) for v in views])
        covering_s, coverage = _time(lambda views=views: cover(transcript, views))
        assert coverage.complete
        taken = planning_s + rendering_s + covering_s
        print(
            f"context {context:9,}: {len(views):4} windows, {sum(texts) / 1e6:5.1f} MB shown  "
            f"plan {planning_s:5.2f}  render {rendering_s:5.2f} cover {covering_s:4.2f} s  {taken / reading_s:5.2f} of reading"
        )
    criterion = rubric.criteria[0]
    for name, subject in (("", transcript), (", typographic text", _make_typographic(transcript))):
        seeking_s, evidence = _time(
            lambda subject=subject: verify_quote(
                subject, criterion, Quote(message="m9", quote="nobody ever wrote these words")
            )
        )
        assert evidence.match == "absent"
        print(
            f"{'looking for a quote that is nowhere' + name:52} {seeking_s:7.2f} s CPU  {seeking_s / reading_s:5.2f} of reading"
        )
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    _compare_with_a_vocabulary()


def _make_typographic(transcript: Transcript) -> Transcript:
    """The same run with a typographic apostrophe in every part, so that no part is plain ASCII."""
    messages = [
        message.model_copy(
            update={"parts": tuple(part.model_copy(update={"text": part.text + "\u2019s"}) for part in message.parts)}
        )
        for message in transcript.messages
    ]
    return transcript.model_copy(update={"messages": tuple(messages)})


def _time(work: Callable[[], T]) -> tuple[float, T]:
    started = time.process_time()
    done = work()
    return time.process_time() - started, done


def _compare_with_a_vocabulary() -> None:
    import os
    from importlib.util import find_spec

    spec = find_spec("litellm")
    if spec is None or spec.origin is None or find_spec("tiktoken") is None:
        print("no vocabulary installed to compare the estimate with", file=sys.stderr)
        return
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(spec.origin).parent / "litellm_core_utils" / "tokenizers")
    import tiktoken

    vocabulary = tiktoken.get_encoding("cl100k_base")
    print("\nestimate_most / tokens in cl100k_base")
    for name, text in _samples().items():
        real = len(vocabulary.encode(text, disallowed_special=()))
        print(f"  {name:16} {estimate_most(text) / real:5.2f}   ({len(text.encode()) / real:4.2f} bytes per token)")


def _samples() -> dict[str, str]:
    draw = random.Random(1)

    def pick(letters: str, count: int = 8_000) -> str:
        return "".join(draw.choice(letters) for _ in range(count))

    here = Path(__file__).parents[1]
    rows = [{"id": n, "name": f"Shelf {n}", "price": n * 1.37, "tags": ["a", "b"], "open": True} for n in range(300)]
    log = [
        f"2026-11-2{n % 10}T1{n % 9}:{10 + n % 50}:07.{n:03}Z INFO worker-{n % 7} GET /v1/items/{n * 37}"
        for n in range(300)
    ]
    return {
        "prose": (here / "README.md").read_text(encoding="utf-8"),
        "code": Path(__file__).read_text(encoding="utf-8"),
        "json": json.dumps(rows),
        "log": "\n".join(log),
        "hex": pick("0123456789abcdef"),
        "base64": base64.b64encode(draw.randbytes(6_000)).decode(),
        "digits": pick("0123456789"),
        "chinese": "我们今天下午三点开会讨论项目的进展情况，请大家提前准备好相关的材料和报告。" * 50,
        "russian": "Сегодня в три часа дня мы обсудим ход проекта, пожалуйста, подготовьте материалы. " * 50,
        "greek": "Σήμερα στις τρεις το απόγευμα θα συζητήσουμε την πρόοδο του έργου. " * 50,
        "hindi": "आज दोपहर तीन बजे हम परियोजना की प्रगति पर चर्चा करेंगे, कृपया सामग्री तैयार रखें। " * 50,
        "emoji": "".join(chr(draw.randint(0x1F300, 0x1F64F)) for _ in range(2_000)),
        "random letters": pick("abcdefghijklmnopqrstuvwxyz"),
        "random signs": "".join(chr(draw.randint(33, 126)) for _ in range(6_000)),
    }


def _message(number: int, role: str, author: str, kind: str, text: str, answers: str | None = None) -> Message:
    part = Part.model_validate({"id": f"m{number}.1", "kind": kind, "text": text, "answers": answers})
    return Message.model_validate(
        {"id": f"m{number}", "role": role, "author": author, "origin": "unknown", "parts": (part,)}
    )


if __name__ == "__main__":
    main()
