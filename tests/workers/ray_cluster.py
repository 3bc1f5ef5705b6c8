"""A Ray cluster of several nodes on this machine, each with its own addresses, for as long as stdin is open.

Run as a program it prints the cluster's address, and does what lines on stdin say: `add` a node, `lose` the one that was
added last, as if its machine were switched off. It is a process of its own so that Ray's threads and warnings stay out of
the tests, and its nodes end with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

NODES = 2
TRIES = 3


class Nodes(NamedTuple):
    """A cluster that is up."""

    address: str
    child: subprocess.Popen[str]

    def do(self, what: str) -> None:
        """Have a line done, and wait until it is."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(f"{what}\n")
        self.child.stdin.flush()
        assert self.child.stdout.readline().strip() == what


@contextmanager
def start_cluster(**environment: str) -> Iterator[Nodes]:
    """Start it with additions to the environment, which its workers have too.

    A part of Ray that takes longer than 15 s to start ends its node, which happens on a busy machine: it is tried again.
    """
    complaints = []
    for _ in range(TRIES):
        with _run(**environment) as (nodes, said):
            if nodes.address:
                yield nodes
                return
            complaints.append(said[-2000:])
    raise RuntimeError(f"the cluster did not start: {complaints}")


@contextmanager
def _run(**environment: str) -> Iterator[tuple[Nodes, str]]:
    """Run this program; it, without an address if it failed, and what it said on stderr until then."""
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
            yield Nodes(address, child), said.read()
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
    added = []
    for line in sys.stdin:
        if line.strip() == "add":
            added.append(cluster.add_node(**plain))
        else:
            cluster.remove_node(added.pop(), allow_graceful=False)
        print(line.strip(), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
