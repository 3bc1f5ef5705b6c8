"""Workers as processes of this machine, which speak over pipes; and, run as a program, such a worker.

A worker ends when its pipe from the driver closes, so none outlives its driver. Each has a session of its own: Ctrl-C goes
to the driver, which stops them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Final

from judge.errors import InputError
from judge.grading.cycles import look_less_often
from judge.grading.workers.messages import Message, Row, decode, encode
from judge.grading.workers.spool import abandoned, clear, collect, hold, remove_folder, spool_folder
from judge.grading.workers.worker import Worker
from judge.text import one_line

_LENGTH: Final = struct.Struct(">I")
_DYING_S = 10.0  # how long the workers of a driver that was killed may take to notice
_END_S = 5.0


class LocalLauncher:
    """Starts worker processes here; see `launching.Launcher`."""

    eager = False

    def __init__(self) -> None:
        self.room = os.cpu_count() or 1
        self._ledger = self._driver = ""
        self._folder = Path()
        self._lock: IO[bytes] | None = None
        self._recovered: list[Path] = []
        self._channels: set[_Pipe] = set()
        self._started = 0

    async def open(self, ledger: str, driver: str) -> None:
        """See `Launcher.open`."""
        self._ledger, self._driver = ledger, driver
        self._folder = spool_folder(ledger, driver)
        self._lock = hold(self._folder)

    async def recover(self) -> list[Row]:
        """See `Launcher.recover`."""
        rows: list[Row] = []
        for folder in abandoned(self._ledger):
            found, paths = collect(folder, wait_s=_DYING_S)
            rows += found
            self._recovered += paths
        return rows

    async def forget(self) -> None:
        """See `Launcher.forget`."""
        clear(self._recovered)
        for folder in abandoned(self._ledger):
            remove_folder(folder)

    async def start(self, slot: int) -> _Pipe:
        """See `Launcher.start`."""
        self._started += 1
        complaints = self._folder / f"{slot}-{self._started}.err"
        command = [
            sys.executable,
            "-P",
            "-m",
            "judge.grading.workers.local",
            str(self._folder),
            str(slot),
            str(self._started),
        ]
        with complaints.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                limit=2**20,
            )
        channel = _Pipe(process, complaints)
        self._channels.add(channel)
        return channel

    async def close(self) -> None:
        """See `Launcher.close`."""
        await asyncio.gather(*(channel.close() for channel in self._channels))
        if self._lock is not None:
            self._lock.close()
            remove_folder(self._folder)
            with contextlib.suppress(OSError):  # others may be using it
                spool_folder(self._ledger).rmdir()


class _Pipe:
    """The line to one worker process."""

    def __init__(self, process: asyncio.subprocess.Process, complaints: Path) -> None:
        self._process = process
        self._complaints = complaints
        self._outgoing: list[Message] = []
        self.last_words = "no trace"

    def send(self, message: Message) -> None:
        """See `Channel.send`."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(message)

    def _flush(self) -> None:
        data, self._outgoing = encode(self._outgoing), []
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(_LENGTH.pack(len(data)) + data)

    async def receive(self) -> AsyncIterator[Message]:
        """See `Channel.receive`."""
        assert self._process.stdout is not None
        async for message in _read(self._process.stdout):
            yield message

    async def close(self) -> None:
        """See `Channel.close`."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            code = await self._process.wait()
        with contextlib.suppress(FileNotFoundError):
            said = self._complaints.read_text(errors="replace").strip().rpartition("\n")[2]
            self.last_words = f"exit code {code}" + (f", {one_line(said, 200)}" if said else "")
            self._complaints.unlink()


async def _read(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            for message in decode(await reader.readexactly(length)):
                yield message


async def _serve(folder: Path, slot: int, life: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    # Nothing that a library prints may get between the messages.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, outgoing)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)

    def send(message: Message) -> None:
        data = encode([message])
        writer.write(_LENGTH.pack(len(data)) + data)

    left, paths = collect(folder, f"{slot}-*.spool")
    worker = Worker(folder, f"{slot}-{life}-{os.getpid()}", send)
    if left:
        worker.spool.pass_on(left, found=True)
    clear(paths)
    send(["hello"])

    async def listen() -> None:
        async for message in _read(reader):
            worker.take(message)
        worker.stop()  # the driver is gone

    listening = asyncio.create_task(listen())
    await worker.work()
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    await listening  # rows that the driver acknowledges are removed
    worker.spool.close()


def main() -> None:
    """Be a worker."""
    if sys.stdin.isatty():
        raise InputError("this is the inside of: judge grade --processes N")
    look_less_often()
    folder, slot, life = sys.argv[1:]
    asyncio.run(_serve(Path(folder), int(slot), int(life)))


if __name__ == "__main__":
    main()
