"""A Ray cluster of several nodes on this machine, each with its own addresses, for as long as stdin is open.

Run as a program it prints the cluster's address. It is a process of its own so that Ray's threads and warnings stay out of
the tests, and its nodes end with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NODES = 2
TRIES = 3


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
    from ray.cluster_utils import Cluster

    plain = {"num_cpus": 1, "include_log_monitor": False}
    for _ in range(TRIES):  # Ray gives a node 30 s, which a busy machine may not have
        cluster = Cluster()
        try:
            cluster.add_node(**plain, include_dashboard=False)
            for _ in range(NODES - 1):
                cluster.add_node(**plain)
        except Exception:  # noqa: BLE001 - Ray raises bare ones
            cluster.shutdown()
        else:
            print(cluster.address, flush=True)
            sys.stdin.read()
            cluster.shutdown()
            return


if __name__ == "__main__":
    main()
