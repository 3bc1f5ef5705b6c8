"""A Ray cluster of several nodes on this machine, each with its own addresses, for as long as stdin is open.

Run as a program it prints the cluster's address. It is a process of its own so that Ray's threads and warnings stay out of
the tests, and its nodes end with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

NODES = 2
TRIES = 3


@contextmanager
def start_cluster(**environment: str) -> Iterator[str]:
    """Start it with additions to the environment, which its workers have too; its address.

    A part of Ray that takes longer than 15 s to start ends its node, which happens on a busy machine: it is tried again.
    """
    complaints = []
    for _ in range(TRIES):
        with _run(**environment) as (address, said):
            if address:
                yield address
                return
            complaints.append(said[-2000:])
    raise RuntimeError(f"the cluster did not start: {complaints}")


@contextmanager
def _run(**environment: str) -> Iterator[tuple[str, str]]:
    """Run this program; what it says on stdout first, and on stderr until then."""
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
            said.seek(0)
            yield address, said.read()
        finally:
            child.stdin.close()


def main() -> None:
    """Run the cluster."""
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

    # Seconds of processor time that nothing here needs: what shows, watches and scales a cluster.
    Node.start_api_server = lambda *_, **__: None
    plain = {"num_cpus": 1, "include_log_monitor": False, "no_monitor": True}
    cluster = Cluster(initialize_head=True, head_node_args={**plain, "include_dashboard": False})
    for _ in range(NODES - 1):
        cluster.add_node(**plain)
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
