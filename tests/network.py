"""Another host: a network namespace, joined to ours by a pair of network devices, which can be cut.

Only in a network of the run's own (`unshare -n`), so that nothing of the machine's is touched.
"""

from __future__ import annotations

import os
import subprocess
import sys

OWN_NETWORK = "SEGSYNC_TEST_NETWORK"
"""In the environment of what runs in a network of its own."""
HERE, THERE = "10.77.0.1", "10.77.0.2"
DEVICE = "here"


def refused() -> str:
    """Why there can be no network of our own; "" where there can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces here"
    program = "ip link set lo up && ip link add one type veth peer name other"
    try:
        done = subprocess.run(["unshare", "-n", "sh", "-c", program], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return done.stderr.strip() or f"`unshare -n` ends with {done.returncode}" if done.returncode else ""


def run_again(test: str) -> subprocess.CompletedProcess[str]:
    """One test once more, by a pytest in a network of its own, which has nothing to do with this run's."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "fetched", test]
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *pytest]
    return subprocess.run(command, env=environ | {OWN_NETWORK: "1"}, capture_output=True, text=True, check=False)


class OtherHost:
    """A namespace at the other end of a cable; `close` ends it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo made; exec sleep infinity"], stdout=-1)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"made\n"
        _run("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", "there", "netns", str(self._holder.pid))
        _run("ip", "address", "add", f"{HERE}/24", "dev", DEVICE)
        _run("ip", "link", "set", DEVICE, "up")
        for words in (f"address add {THERE}/24 dev there", "link set there up", "link set lo up"):
            _run(*self.on_it("ip", *words.split()))

    def on_it(self, *command: str) -> list[str]:
        """The command, so that it runs there."""
        return ["nsenter", "-t", str(self._holder.pid), "-n", *command]

    def cut(self) -> None:
        """Pulls the cable."""
        _run("ip", "link", "set", DEVICE, "down")

    def join(self) -> None:
        """Plugs it in again."""
        _run("ip", "link", "set", DEVICE, "up")

    def close(self) -> None:
        """Ends it; its end of the cable goes with it."""
        self._holder.kill()
        self._holder.communicate()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
