"""The batch interface of the local server: files of questions go in, files of answers come out.

Each question is answered by the server's own chat route, faults and billing included; a question that fails there is a
line of the error file. A batch is done `batch_s` after it was begun, and `expire` ends it with only half of its answers.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import orjson
from aiohttp import web


class Batches:
    """Files and batches, kept until the server ends."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, dict[str, Any]] = {}

    def add_routes(self, app: web.Application) -> None:
        """Put the interface beside the chat route."""
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{name}/content", self.content)
        app.router.add_post("/v1/batches", self.begin)
        app.router.add_get("/v1/batches", self.every)
        app.router.add_get("/v1/batches/{name}", self.look)

    async def upload(self, request: web.Request) -> web.Response:
        """POST /v1/files."""
        form = await request.post()
        given = form["file"]
        data = given.file.read() if isinstance(given, web.FileField) else str(given).encode()
        name = f"file-{len(self._files)}"
        self._files[name] = data
        shown = {"id": name, "object": "file", "bytes": len(data), "created_at": 0, "filename": "x", "purpose": "batch"}
        return web.json_response({**shown, "status": "processed"})

    async def content(self, request: web.Request) -> web.Response:
        """GET /v1/files/NAME/content."""
        return web.Response(body=self._files[request.match_info["name"]])

    async def begin(self, request: web.Request) -> web.Response:
        """POST /v1/batches."""
        body = await request.json()
        lines = self._files[body["input_file_id"]].splitlines()
        batch = {
            "id": f"batch-{len(self._batches)}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"],
            "status": "in_progress",
            "created_at": 0,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        self._batches[batch["id"]] = {"shown": batch, "due": time.monotonic() + self._settings().batch_s}
        return web.json_response(batch)

    async def every(self, _: web.Request) -> web.Response:
        """GET /v1/batches, newest first."""
        data = [one["shown"] for one in reversed(self._batches.values())]
        return web.json_response({"object": "list", "data": data, "has_more": False})

    async def look(self, request: web.Request) -> web.Response:
        """GET /v1/batches/NAME; the first look after it is due has it answered."""
        batch = self._batches[request.match_info["name"]]
        if batch["shown"]["status"] == "in_progress" and time.monotonic() >= batch["due"]:
            batch["shown"]["status"] = "finalizing"
            await self._finish(batch["shown"], request)
        return web.json_response(batch["shown"])

    async def _finish(self, batch: dict[str, Any], request: web.Request) -> None:
        lines = [orjson.loads(line) for line in self._files[batch["input_file_id"]].splitlines()]
        expired = self._settings().batch_expires
        asked = lines[: (len(lines) + 1) // 2] if expired else lines
        headers = {"Authorization": request.headers.get("Authorization", "")}
        async with aiohttp.ClientSession(str(request.url.origin()), headers=headers) as session:
            rows = await asyncio.gather(*(_ask(session, line) for line in asked))
        good = [row for row in rows if row["response"] and row["response"]["status_code"] == 200]
        late = [{"custom_id": line["custom_id"], "error": {"code": "batch_expired"}} for line in lines[len(asked) :]]
        for kind, kept in (("output", good), ("error", [row for row in rows if row not in good] + late)):
            if kept:
                name = f"file-{len(self._files)}"
                self._files[name] = b"\n".join(map(orjson.dumps, kept))
                batch[f"{kind}_file_id"] = name
        batch["request_counts"] |= {"completed": len(good), "failed": len(rows) - len(good)}
        batch["status"] = "expired" if expired else "completed"


async def _ask(session: aiohttp.ClientSession, line: dict[str, Any]) -> dict[str, Any]:
    row = {"id": "r", "custom_id": line["custom_id"], "response": None, "error": None}
    try:
        async with session.post(line["url"], data=orjson.dumps(line["body"])) as response:
            body = orjson.loads(await response.read())
            return {**row, "response": {"status_code": response.status, "request_id": "r", "body": body}}
    except (aiohttp.ClientError, orjson.JSONDecodeError):
        return {**row, "error": {"code": "server_error", "message": "the request failed"}}
