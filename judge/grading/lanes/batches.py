"""Questions sent through a provider's batch interface: half the price, answered within a day.

A batcher stands where a request would otherwise be sent: it gathers requests, hands them to the provider together, looks
again until the answers are there, and gives each caller its own. What was submitted is in the ledger before it is waited
for, so that a run that was stopped for days finds its answers: the same question is not submitted twice while a batch
holds it. How requests are made, billed and tried again is the lane's; a batcher knows bytes, names and answers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import orjson

from judge.canonical import sha256_hex
from judge.errors import ProviderError
from judge.frozen import Frozen
from judge.ledger.entry import Entry
from judge.ledger.store import Row

BATCH: Final = "batch"
SIZE: Final = 1_000  # questions in one batch: what waits for it is held in memory
MAX_BYTES: Final = 90_000_000  # of one batch; OpenAI takes 200 MB and 50,000 questions
IDLE_S: Final = 1.0  # without a new question, and what was gathered is submitted
POLL_S: Final = (5.0, 60.0)  # the first look, and the longest wait between two
ENDED: Final = ("completed", "expired", "cancelled", "failed")
_TRIES: Final = 6  # at a provider that never answered
_T = TypeVar("_T")


class State(NamedTuple):
    """How a batch stands at the provider, in OpenAI's words."""

    status: str
    files: tuple[str, ...] = ()  # with answers and with errors
    answered: int = 0
    failed: int = 0
    detail: str = ""


class Service(Protocol):
    """A provider's batch interface. Each call raises `UnreachableError`, or `ProviderError` where trying again is no use."""

    async def upload(self, lines: bytes) -> str:
        """Hand over the questions; returns the name of their file."""
        ...

    async def submit(self, file: str) -> str:
        """Begin a batch on a file; returns the batch's name."""
        ...

    async def find(self, file: str) -> str | None:
        """Return the name of the batch that was begun on a file, if one was."""
        ...

    async def look(self, batch: str) -> State:
        """Say how a batch stands."""
        ...

    async def fetch(self, file: str) -> bytes:
        """Return a file of answers."""
        ...


class Shelf(Protocol):
    """Where it is kept what was submitted: a ledger."""

    def rows(self, *, kind: str | None = None, key: str | None = None) -> Iterable[Row]:
        """See `Ledger.rows`."""
        ...

    def append(self, items: Iterable[Entry]) -> object:
        """See `Ledger.append`."""
        ...


class Submitted(Frozen):
    """One batch as the ledger keeps it; the latest entry of its name counts."""

    name: str
    judge_sha256: str
    questions: tuple[str, ...]
    file: str
    batch: str | None = None
    ended: str | None = None  # the status it ended with
    created_at: str

    def to_entry(self) -> Entry:
        """Return the entry that keeps it."""
        return Entry(BATCH, self.name, self.model_dump(mode="json", exclude_none=True))


class UnreachableError(Exception):
    """The provider cannot be reached for the moment; what was asked of it may or may not have happened."""


class UnansweredError(Exception):
    """A question came back without an answer; `code` is the HTTP status that the provider gives, null for none."""

    def __init__(self, code: int | None, detail: str) -> None:
        super().__init__(detail)
        self.code = code


Answers = dict[str, dict[str, Any] | UnansweredError]  # completion or failure, by the question's name


class _Group:
    """Questions that will be submitted together, and the batch that they became."""

    def __init__(self) -> None:
        self.lines: dict[str, bytes] = {}
        self.bytes = 0
        self.batch: asyncio.Future[asyncio.Task[Answers]] = asyncio.get_running_loop().create_future()


class Batcher:
    """Gathers the questions of one judge into batches. One per lane, in one event loop."""

    def __init__(
        self,
        service: Service,
        judge_sha256: str,
        shelf: Shelf | None = None,
        *,
        size: int | None = None,
        idle_s: float | None = None,
        poll_s: tuple[float, float] | None = None,
        on_state: Callable[[str, State], None] = lambda _batch, _state: None,
    ) -> None:
        self._service = service
        self._judge = judge_sha256
        self._shelf = shelf
        self._size = SIZE if size is None else size
        self._idle_s = IDLE_S if idle_s is None else idle_s
        self._poll_s = POLL_S if poll_s is None else poll_s
        self._on_state = on_state
        self._group: _Group | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._batches: dict[str, asyncio.Task[Answers]] = {}
        self._ended: list[Submitted] = []
        self._reached = False
        # what batches of an earlier run hold
        self._held = {name: one for one in open_batches(shelf, judge_sha256) for name in one.questions}

    async def ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have one question answered: `body` is the request as the provider takes it, the result its completion.

        `name` is the same for the same question in every run; it tells which answer is whose.

        Raises:
            UnansweredError: the provider refused this question, or the batch ended without it.
            ProviderError: the provider refused the batch as a whole.
        """
        name = _wire_name(name)
        earlier = self._held.pop(name, None)
        if earlier is None:
            line = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
            batch = await asyncio.shield(self._gather(name, orjson.dumps(line) + b"\n").batch)
        elif earlier.name in self._batches:
            batch = self._batches[earlier.name]
        else:
            batch = self._batches[earlier.name] = asyncio.ensure_future(self._resume(earlier))
        # One caller that is stopped must not stop the batch for the others.
        answer = (await asyncio.shield(batch)).get(name)
        if answer is None:
            raise UnansweredError(None, "the batch ended without an answer")
        if isinstance(answer, UnansweredError):
            raise answer
        return answer

    async def close(self) -> None:
        """Stop looking, and note which batches have ended: by now, their answers are in the ledger.

        Other batches go on at the provider, and the next run finds them.
        """
        if self._timer is not None:
            self._timer.cancel()
        for batch in self._batches.values():
            batch.cancel()
        await asyncio.gather(*self._batches.values(), return_exceptions=True)
        for ended in self._ended:
            self._keep(ended)
        self._ended.clear()

    def _gather(self, name: str, line: bytes) -> _Group:
        group = self._group = self._group or _Group()
        group.lines[name] = line
        group.bytes += len(line)
        if self._timer is not None:
            self._timer.cancel()
        if len(group.lines) >= self._size or group.bytes >= MAX_BYTES:
            self._send_off()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._send_off)
        return group

    def _send_off(self) -> None:
        group, self._group, self._timer = self._group, None, None
        if group is not None:
            name = secrets.token_hex(8)
            self._batches[name] = asyncio.ensure_future(self._submit(name, group.lines))
            group.batch.set_result(self._batches[name])

    async def _submit(self, name: str, lines: dict[str, bytes]) -> Answers:
        file = await self._insist(lambda: self._service.upload(b"".join(lines.values())))
        # On disk before it is begun: if this run ends here, the next asks the provider which batch was begun on the file.
        batch = self._keep(
            Submitted(
                name=name,
                judge_sha256=self._judge,
                questions=tuple(lines),
                file=file,
                created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            )
        )
        begun = await self._insist(lambda: self._begin_once(file))
        return await self._await(self._keep(batch.model_copy(update={"batch": begun})))

    async def _begin_once(self, file: str) -> str:
        """Begin a batch, unless an attempt that seemed to fail has begun it."""
        try:
            return await self._service.submit(file)
        except UnreachableError:
            found = await self._insist(lambda: self._service.find(file))
            if found is None:
                raise
            return found

    async def _resume(self, batch: Submitted) -> Answers:
        if batch.batch is None:
            found = await self._insist(lambda: self._service.find(batch.file))
            if found is None:
                self._ended.append(batch.model_copy(update={"ended": "never begun"}))
                return {}
            batch = self._keep(batch.model_copy(update={"batch": found}))
        return await self._await(batch)

    async def _await(self, batch: Submitted) -> Answers:
        name = str(batch.batch)
        wait, longest = self._poll_s
        while (state := await self._insist(lambda: self._service.look(name))).status not in ENDED:
            self._on_state(name, state)
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, longest)
        self._on_state(name, state)
        answers: Answers = {}
        for file in state.files:
            for line in (await self._insist(partial(self._service.fetch, file))).splitlines():
                answers |= _read_line(line)
        self._ended.append(batch.model_copy(update={"ended": state.status}))
        if state.status == "failed":
            raise ProviderError(f"the provider refused a batch of {len(batch.questions)} questions: {state.detail}")
        return answers

    async def _insist(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask until there is an answer: what takes a day outlasts many a broken connection.

        Raises:
            ProviderError: if the provider was never reached, or what `ask` raises.
        """
        wait, longest = self._poll_s
        tried = 0
        while True:
            try:
                answer = await ask()
            except UnreachableError as error:
                tried += 1
                if tried == _TRIES and not self._reached:
                    raise ProviderError(f"the batch interface cannot be reached: {error}; see: judge doctor") from None
                self._on_state("", State("unreachable", detail=str(error)))
            else:
                self._reached = True
                return answer
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, longest)

    def _keep(self, batch: Submitted) -> Submitted:
        if self._shelf is not None:
            self._shelf.append([batch.to_entry()])
        return batch


def open_batches(shelf: Shelf | None, judge_sha256: str | None = None) -> list[Submitted]:
    """Return the batches that a ledger knows of and whose end it does not: of one judge, or of all."""
    latest: dict[str, Submitted] = {}
    for row in shelf.rows(kind=BATCH) if shelf is not None else ():
        latest[row.key] = Submitted.model_validate_json(row.body)
    return [one for one in latest.values() if one.ended is None and judge_sha256 in (None, one.judge_sha256)]


def _wire_name(name: str) -> str:
    """A name that every provider takes: letters, digits, `-` and `_`, at most 64."""
    plain = name.replace("/", "-")
    safe = plain.isascii() and plain.replace("-", "").replace("_", "").isalnum()
    return plain if safe and len(plain) <= 64 else sha256_hex(name.encode())


def _read_line(line: bytes) -> Answers:
    try:
        row = orjson.loads(line)
        name, response, error = str(row["custom_id"]), row.get("response") or {}, row.get("error") or {}
        code, body = response.get("status_code"), response.get("body") or {}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return {}  # it names nobody: whoever it was for is told that the batch ended without an answer
    if code == 200 and isinstance(body, dict) and not error:
        return {name: body}
    return {name: UnansweredError(code if isinstance(code, int) else None, str(error or body)[:2_000])}
