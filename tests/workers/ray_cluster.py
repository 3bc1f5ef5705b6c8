"""A Ray cluster of several nodes on this machine, each with its own addresses, for as long as stdin is open.

Run as a program it prints the cluster's address. It is a process of its own so that Ray's threads and warnings stay out of
the tests, and its nodes end with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

NODES = 2
START_S = 180.0


@contextmanager
def start_cluster(**environment: str) -> Iterator[str]:
    """Start it with additions to the environment, which its workers have too; its address."""
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **environment},
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            address = child.stdout.readline().strip()
            if not address:
                said.seek(0)
                raise RuntimeError(f"the cluster did not start: {said.read()[-2000:]}")
            yield address
        finally:
            child.stdin.close()


def main() -> None:
    """Run the cluster."""
    from ray._private import services
    from ray.cluster_utils import Cluster

    services.get_node = _patient(services.get_node)
    cluster = Cluster(initialize_head=True, head_node_args={**_node(), "include_dashboard": False})
    for _ in range(NODES - 1):
        cluster.add_node(**_node())
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()


def _node() -> dict[str, Any]:
    """Describe a node whose agents' ports are known, so that it does not give up on slow ones."""
    agents = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in agents]
        for each in sockets:
            each.bind(("", 0))
        ports = [each.getsockname()[1] for each in sockets]
    return {"num_cpus": 1, "include_log_monitor": False, **dict(zip(agents, ports, strict=True))}


def _patient(look: Callable[..., Any]) -> Callable[..., Any]:
    """Look for a new node as long as it may take on a busy machine; Ray gives it 30 s."""

    def look_again(*arguments: Any) -> Any:
        deadline = time.monotonic() + START_S
        while True:
            try:
                return look(*arguments)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    return look_again


if __name__ == "__main__":
    main()
