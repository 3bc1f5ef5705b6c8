"""The lane of judges that live in this process: `baseline/cues`. No key, no network, no cost.

The embedded judge answers the same schema as a model does, as text, through the same parser, so that everything after it
is the same path.
"""

from __future__ import annotations

import time
from functools import cache
from importlib import resources

from judge.canonical import content_sha256, sha256_hex
from judge.errors import InputError
from judge.grading.answer import Answer, parse_answer
from judge.grading.exchange import Exchange, call_key
from judge.grading.judges import BASELINE, Judge
from judge.ledger.entry import Call
from judge.text import quoted
from judge.transcripts.model import Transcript

NAMES = (f"{BASELINE}cues",)


class EmbeddedLane:
    """One embedded judge."""

    keeps_calls = False
    caches_prefixes = False
    waits_for_place = False
    unreachable: str | None = None

    async def ask(self, exchange: Exchange, complaint: str | None = None) -> Answer:
        """See `exchange.Lane.ask`. It is deterministic: a complaint about its quotes cannot change its answer."""
        from judge.grading.cues import answer

        del complaint
        started = time.monotonic()
        text = answer(_conceal(exchange.transcript, exchange.view.hidden), exchange.rubric).model_dump_json()
        turn = exchange.next_turn()
        exchange.add(
            Call(
                key=call_key(exchange.verdict_id, turn),
                verdict_id=exchange.verdict_id,
                turn=turn,
                answer=text,
                cost_usd=0.0,
                latency_s=round(time.monotonic() - started, 4),
            )
        )
        return parse_answer(text)

    async def close(self) -> None:
        """There is nothing to release."""


def check_embedded(judge: Judge) -> None:
    """Refuse the name of an embedded judge that is not there.

    Raises:
        InputError: with the names that are.
    """
    if judge.model not in NAMES:
        raise InputError(f"judge {quoted(judge.model)}: no such embedded judge; there is {', '.join(NAMES)}")


def _conceal(transcript: Transcript, hidden: frozenset[str]) -> Transcript:
    """Return the transcript without its parts of the hidden kinds; ids stay as they are."""
    if not hidden:
        return transcript
    return transcript.model_copy(
        update={
            "messages": tuple(
                message.model_copy(update={"parts": tuple(part for part in message.parts if part.kind not in hidden)})
                for message in transcript.messages
            )
        }
    )


@cache
def rules_sha256() -> str:
    """Hash of the embedded judge's rules: any change to them makes new verdicts, as a new prompt does."""
    files = sorted(resources.files("judge.grading.cues").iterdir(), key=lambda file: file.name)
    return content_sha256({file.name: sha256_hex(file.read_bytes()) for file in files if file.is_file()})
