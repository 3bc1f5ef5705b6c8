"""Workers as actors of a Ray cluster: several machines. Ray is imported here alone, and only when it is asked for.

A worker is a detached actor that counts for a tenth of a processor, so that there is always
room to restart one; it outlives its driver, so that the next driver can take what it has made. Driver and actor exchange
bytes by two methods that may be repeated without harm, since Ray repeats calls to an actor that it has restarted. No part
of a transcript is an argument that Ray shows, and nothing is logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

from judge.errors import InputError
from judge.grading.workers.messages import Message, Row, decode, encode
from judge.grading.workers.spool import abandoned, clear, collect, remove_folder, spool_folder
from judge.grading.workers.worker import Worker
from judge.text import one_line, quoted

_POLL_S: Final = 1.0
_SILENT_S: Final = 4.0  # a driver that has not polled for so long is no more
_LOOKS: Final = 4
_ORPHAN_S: Final = 900.0  # so long a worker waits for another driver
_KNOCK_S: Final = 10.0
_START_S: Final = 120.0
_AGAIN_S: Final = 0.2
_END_S: Final = 30.0  # for a worker to put away what it holds, on a busy machine
_CPUS: Final = 0.1
_NAMESPACE: Final = "judge"


class Actor:
    """The inside of an actor: a worker, and its messages until they are fetched."""

    def __init__(self, ledger: str, driver: str, slot: int) -> None:
        self._life = secrets.token_hex(8)
        self._ledger, self._driver, self._slot = ledger, driver, slot
        self._worker: Worker | None = None
        self._outgoing: deque[tuple[int, Message]] = deque()
        self._early: dict[int, bytes] = {}
        self._sent = self._taken_in = 0
        self._news = asyncio.Event()
        self._polled = time.monotonic()
        self._working: asyncio.Task[None] | None = None

    async def begin(self, *, everything: bool) -> tuple[str, int]:
        """Start working, once; return which life of the actor this is, and its process.

        What lost workers have left on this machine is sent first: those before it in its place, and with `everything` also
        those of other drivers.
        """
        if self._worker is None:
            folder = spool_folder(self._ledger, self._driver)
            self._worker = Worker(folder, f"{self._slot}-{self._life}-{os.getpid()}", self._send)
            left, paths = collect(folder, f"{self._slot}-*.spool")
            others = [other for other in abandoned(self._ledger) if other.name != self._driver] if everything else []
            for other in others:
                rows, more = collect(other)
                left, paths = left + rows, paths + more
            if left:
                self._worker.spool.pass_on(left, found=True)
            clear(paths)
            for other in others:
                remove_folder(other)
            self._send(["hello"])
            self._working = asyncio.create_task(self._work(self._worker))
        return self._life, os.getpid()

    async def put(self, life: str, number: int, data: bytes) -> None:
        """Take in messages of the driver for one life of the actor; their numbers give the order."""
        if life != self._life or self._worker is None or number <= self._taken_in:
            return
        self._early[number] = data
        while (next_data := self._early.pop(self._taken_in + 1, None)) is not None:
            self._taken_in += 1
            for message in decode(next_data):
                self._worker.take(message)

    async def take(self, life: str, number: int) -> bytes | None:
        """Return messages after the one with this number, at once if there are any; None from another life."""
        self._polled = time.monotonic()
        if life != self._life:
            return None
        while self._outgoing and self._outgoing[0][0] <= number:
            self._outgoing.popleft()
        if not self._outgoing:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._news.wait()
            self._polled = time.monotonic()
        last = self._outgoing[-1][0] if self._outgoing else number
        return encode([[last], *(message for _, message in self._outgoing)])

    async def silent_s(self) -> float:
        """For how long no driver has asked."""
        return time.monotonic() - self._polled

    async def surrender(self) -> bytes:
        """Stop, and return all rows that no driver has acknowledged."""
        if self._worker is not None and self._working is not None:
            self._worker.stop()
            await self._working
        return encode([message for _, message in self._outgoing if message[0] == "rows"])

    async def finish(self, *, kept: bool = False) -> None:
        """Clean up before the end; `kept` says that all that was surrendered is in the ledger."""
        if self._worker is not None:
            if kept:
                self._worker.spool.discard()
            self._worker.spool.close()
            remove_folder(spool_folder(self._ledger, self._driver))

    def _send(self, message: Message) -> None:
        self._sent += 1
        self._outgoing.append((self._sent, message))
        self._news.set()

    async def _work(self, worker: Worker) -> None:
        working = asyncio.create_task(worker.work())
        while not working.done():
            await asyncio.wait([working], timeout=_SILENT_S)
            if time.monotonic() - self._polled > _ORPHAN_S:
                worker.stop()


class ClusterLauncher:
    """Starts actors on a Ray cluster; see `launching.Launcher`."""

    eager = True  # a machine may hold rows of an earlier run

    def __init__(self, address: str) -> None:
        self._address = address
        self._ours = False
        self._ray: Any = None
        self._ledger = self._driver = ""
        self._actors: dict[int, Any] = {}
        self._lost: list[Any] = []
        self.room = 1

    async def open(self, ledger: str, driver: str) -> None:
        """See `Launcher.open`."""
        self._ledger, self._driver = ledger, driver
        self._ray = _import_ray()
        if not self._ray.is_initialized():
            _connect(self._ray, self._address)
            self._ours = True
        self.room = max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    async def recover(self) -> list[Row]:
        """See `Launcher.recover`: what actors hold whose driver is no more."""
        names = [
            each["name"]
            for each in self._ray.util.list_named_actors(all_namespaces=True)
            if each["namespace"] == _NAMESPACE and each["name"].startswith(f"{self._ledger}/")
        ]
        left = await asyncio.gather(*map(self._take_over, names))
        return [row for rows in left for row in rows]

    async def _take_over(self, name: str) -> list[Row]:
        """Return what one actor holds, unless another driver is at work with it."""
        rows: list[Row] = []
        with contextlib.suppress(ValueError, self._ray.exceptions.RayActorError):
            actor = self._ray.get_actor(name, namespace=_NAMESPACE)
            if await is_left(actor):
                for message in decode(await actor.surrender.remote()):
                    rows += message[2]
                self._lost.append(actor)
        return rows

    async def forget(self) -> None:
        """See `Launcher.forget`."""
        for actor in self._lost:
            await self._end(actor, kept=True)
        self._lost.clear()

    async def start(self, slot: int) -> _Mailbox:
        """See `Launcher.start`: Ray restarts an actor by itself; this waits for its next life."""
        first = slot not in self._actors
        if first:
            make = self._ray.remote(num_cpus=_CPUS, max_restarts=-1, max_task_retries=-1)(Actor)
            self._actors[slot] = make.options(
                name=f"{self._ledger}/{self._driver}/{slot}",
                namespace=_NAMESPACE,
                lifetime="detached",
                scheduling_strategy="SPREAD",
            ).remote(self._ledger, self._driver, slot)
        try:
            async with asyncio.timeout(_START_S):
                life, pid = await self._begin(self._actors[slot], first)
        except TimeoutError:
            raise InputError(
                f"--cluster {quoted(self._address)}: no worker started within {_START_S:g} s; see: ray status"
            ) from None
        return _Mailbox(self._actors[slot], life, pid)

    async def _begin(self, actor: Any, first: bool) -> tuple[str, int]:
        while True:
            try:
                # Not retried by Ray, which would say so on our standard output when the run ends first.
                begun: tuple[str, int] = await actor.begin.options(max_task_retries=0).remote(everything=first)
            except self._ray.exceptions.RayActorError:
                await asyncio.sleep(_AGAIN_S)
            else:
                return begun

    async def close(self) -> None:
        """See `Launcher.close`."""
        if self._ray is None:
            return
        await asyncio.gather(*(self._end(actor, kept=False) for actor in self._actors.values()))
        if self._ours:
            self._ray.shutdown()

    async def _end(self, actor: Any, *, kept: bool) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, TimeoutError):
            async with asyncio.timeout(_END_S):
                await actor.finish.remote(kept=kept)
        self._ray.kill(actor)


async def is_left(actor: Any) -> bool:
    """Whether no driver polls an actor any more.

    The last poll of a driver that was killed may be answered, or even arrive, after that: a second look may find the actor
    asked just now, a fourth does only if a driver lives.
    """
    for _ in range(_LOOKS):
        silent_s: float = await actor.silent_s.remote()
        if silent_s >= _SILENT_S:
            return True
        await asyncio.sleep(_SILENT_S - silent_s)
    return False


class _Mailbox:
    """The line to one life of an actor."""

    def __init__(self, actor: Any, life: str, pid: int) -> None:
        self._actor = actor
        self._life = life
        self._numbered = 0
        self._outgoing: list[Message] = []
        self.last_words = f"process {pid} of the cluster is gone; see: ray logs"

    def send(self, message: Message) -> None:
        """See `Channel.send`."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(message)

    def _flush(self) -> None:
        data, self._outgoing = encode(self._outgoing), []
        self._numbered += 1
        self._actor.put.remote(self._life, self._numbered, data)

    async def receive(self) -> AsyncIterator[Message]:
        """See `Channel.receive`."""
        last = 0
        while (data := await self._actor.take.remote(self._life, last)) is not None:
            (last,), *messages = decode(data)
            for message in messages:
                yield message
                if message[0] in ("ended", "fatal"):
                    return

    async def close(self) -> None:
        """See `Channel.close`: the launcher ends actors."""


def _import_ray() -> Any:
    # No usage report leaves the machine.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise InputError(
            "--cluster needs the package ray; install it with: pip install 'transcript-judge[cluster]'"
        ) from None
    # Events of the cluster would be printed to our standard output, between the rows.
    ray._private.worker._worker_logs_enabled = False
    return ray


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        _knock(address)
        ray.init(
            address=address,
            namespace=_NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            **options,
        )
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise InputError(
            f"--cluster {quoted(address)}: {one_line(str(error), 300)}; accepted are auto, HOST:PORT, ray://HOST:PORT, local"
        ) from None


def _knock(address: str) -> None:
    """See that somebody listens at HOST:PORT: Ray itself waits for minutes, without a word, and is not to be interrupted.

    Raises:
        OSError: nobody does.
    """
    host, mark, port = address.rpartition(":")
    if mark and "/" not in host and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S):
            pass
