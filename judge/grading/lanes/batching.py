"""The transport of judges that are asked in batches: OpenAI's batch form, through litellm.

It stands where the others send one request: what it is given is gathered (`batches.Batcher`) and comes back when its batch
is done. For providers that take the body of a chat request as it is; litellm translates no batches for the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from judge.errors import InputError, ProviderError
from judge.grading.exchange import call_key
from judge.grading.judges import Judge
from judge.grading.lanes.batches import Batcher, Shelf, State, UnansweredError, UnreachableError
from judge.grading.lanes.client import current_exchange, load_litellm, local_key
from judge.grading.lanes.direct import find_route, read_completion
from judge.grading.lanes.pace import Outcome
from judge.grading.lanes.wire import Failure, Received

PROVIDERS: Final = ("openai", "azure", "hosted_vllm", "mistral", "xai")
_FINAL: Final = (400, 401, 402, 403, 404, 422)
_PAGE: Final = 100
_PATIENCE_S: Final = 600.0  # for one file to go up or come down


class BatchTransport:
    """Sends the requests of one judge in batches."""

    def __init__(
        self,
        judge: Judge,
        shelf: Shelf | None,
        *,
        on_state: Callable[[str, State], None] = lambda _batch, _state: None,
        **options: Any,
    ) -> None:
        """Open the way to a judge's provider; `options` are those of `Batcher`.

        Raises:
            InputError: for a provider that has no such interface.
        """
        provider, _, self._model = judge.model.partition("/")
        if provider not in PROVIDERS:
            raise InputError(
                f"--batch: {judge.model!r} cannot be asked in batches; providers are {', '.join(PROVIDERS)}"
            )
        route = find_route(judge)
        self._max_tokens = route.max_tokens if route else "max_tokens"
        self._batcher = Batcher(_Provider(judge), judge.sha256, shelf, on_state=on_state, **options)

    async def send(self, request: Mapping[str, Any], timeout_s: float) -> Received | Failure:
        """See `client.Transport.send`; a batch takes up to a day, whatever the deadline of a single request."""
        del timeout_s
        exchange = current_exchange()
        body = {**request, "model": self._model}
        body[self._max_tokens] = body.pop("max_tokens")
        try:
            answer = await self._batcher.ask(call_key(exchange.verdict_id, exchange.turn - 1), body)
        except UnansweredError as error:
            return Failure("http", error.code or 503, str(error))
        completion = read_completion(answer)
        return Failure("garbled") if completion is None else Received(completion, {})

    async def close(self) -> None:
        """Stop waiting; what is not answered yet is found by the next run."""
        await self._batcher.close()


class Unhurried:
    """A pace that sets none: a batch is one request, and the provider's limits per minute don't count for it."""

    async def enter(self, tokens: int) -> int:  # noqa: ARG002 - as the protocol has it
        """See `Pace.enter`."""
        return 0

    def sent(self, ticket: int) -> None:
        """See `Pace.sent`."""

    async def leave(self, ticket: int, outcome: Outcome) -> None:
        """See `Pace.leave`."""


class _Provider:
    """A provider's batch interface, through litellm."""

    def __init__(self, judge: Judge) -> None:
        self._litellm = load_litellm()
        self._options: dict[str, Any] = {
            "custom_llm_provider": judge.model.partition("/")[0],
            "timeout": _PATIENCE_S,
            "max_retries": 0,
        }
        if judge.api_base:
            self._options |= {"api_base": judge.api_base, "api_key": local_key(judge)}

    async def upload(self, lines: bytes) -> str:
        file = await self._call("create_file", file=("questions.jsonl", lines), purpose="batch")
        return str(file.id)

    async def submit(self, file: str) -> str:
        batch = await self._call(
            "create_batch", completion_window="24h", endpoint="/v1/chat/completions", input_file_id=file
        )
        return str(batch.id)

    async def find(self, file: str) -> str | None:
        after: dict[str, str] = {}
        while True:
            page = await self._call("list_batches", limit=_PAGE, **after)
            for batch in page.data:
                if batch.input_file_id == file:
                    return str(batch.id)
            if not page.data or not getattr(page, "has_more", False):
                return None
            after = {"after": page.data[-1].id}

    async def look(self, batch: str) -> State:
        found = await self._call("retrieve_batch", batch_id=batch)
        counts = found.request_counts
        errors = getattr(found.errors, "data", None) or ()
        return State(
            status=found.status,
            files=tuple(file for file in (found.output_file_id, found.error_file_id) if file),
            answered=counts.completed if counts else 0,
            failed=counts.failed if counts else 0,
            detail="; ".join(str(error.code) for error in errors[:3]),
        )

    async def fetch(self, file: str) -> bytes:
        content = await self._call("file_content", file_id=file)
        return bytes(content.content)

    async def _call(self, name: str, **arguments: Any) -> Any:
        try:
            # In a thread, since litellm leaves the connections of its asynchronous calls open.
            return await asyncio.to_thread(getattr(self._litellm, name), **arguments, **self._options)
        except Exception as error:  # noqa: BLE001 - litellm raises bare exceptions here too; named by its code, never hidden
            code = getattr(error, "status_code", None)
        if code in _FINAL:
            raise ProviderError(f"the batch interface answers HTTP {code}; see: judge doctor")
        raise UnreachableError(f"HTTP {code}" if code else "no connection")
