"""A Ray cluster of several nodes on this machine, each with its own addresses, for as long as stdin is open.

Run as a program it prints the cluster's address. It is a process of its own so that Ray's threads and warnings stay out of
the tests, and its nodes end with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NODES = 2
START_S = 180.0


@contextmanager
def start_cluster(**environment: str) -> Iterator[str]:
    """Start it with additions to the environment, which its workers have too; its address."""
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **environment},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            address = child.stdout.readline().strip()
            if not address:
                raise RuntimeError("the cluster did not start")
            yield address
        finally:
            child.stdin.close()


def main() -> None:
    """Run the cluster."""
    from ray._private import services
    from ray.cluster_utils import Cluster

    services.get_node = _patient(services.get_node)
    plain = {"num_cpus": 1, "include_log_monitor": False}
    cluster = Cluster(initialize_head=True, head_node_args={**plain, "include_dashboard": False})
    for _ in range(NODES - 1):
        cluster.add_node(**plain)
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()


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
