"""Programs out of Debian's packages, unpacked into a folder of the project: no root, no daemon, nothing installed.

apt's state and cache stay in that folder too, so the machine's own package lists are neither used nor changed.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.process import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Names that one library's package has had; the first that the machine's release knows is taken.
LIBRARIES = {
    "libaio.so.1": ("libaio1", "libaio1t64"),
    "libaio.so.1t64": ("libaio1t64",),
    "liburing.so.2": ("liburing2",),
    "libnuma.so.1": ("libnuma1",),
    "libpcre2-8.so.0": ("libpcre2-8-0",),
    "libcrypt.so.1": ("libcrypt1",),
    "libsystemd.so.0": ("libsystemd0",),
    "libssl.so.3": ("libssl3", "libssl3t64"),
    "libcrypto.so.3": ("libssl3", "libssl3t64"),
    "libstdc++.so.6": ("libstdc++6",),
    "libgcrypt.so.20": ("libgcrypt20",),
    "libgpg-error.so.0": ("libgpg-error0",),
    "libcap.so.2": ("libcap2",),
    "liblzma.so.5": ("liblzma5",),
    "libzstd.so.1": ("libzstd1",),
    "liblz4.so.1": ("liblz4-1",),
    "libfmt.so.9": ("libfmt9",),
    "libfmt.so.10": ("libfmt10",),
}


def install(folder: Path, packages: Sequence[str], program: str, asked: str = "--version") -> Path:
    """The tree under `folder` that `packages` were unpacked into; made if it is not there or cannot run.

    program  path within the tree that must be able to run, as in "usr/sbin/mariadbd"
    asked    the option by which it tells its version

    Safe when two runs race: the second waits for the first, then finds its work. ServerError says what failed.
    """
    tree = folder / "tree"
    if _runs(tree, program, asked):  # whoever made it: this user may not be allowed to write here
        return tree
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not _runs(tree, program, asked):
            shutil.rmtree(tree, ignore_errors=True)
            _make(folder, packages, program, asked).rename(tree)
    return tree


def fetch(folder: Path, packages: Sequence[str]) -> Path:
    """The same for packages that have no program, such as those of Java."""
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not tree.exists():
            new = folder / "tree.new"
            shutil.rmtree(new, ignore_errors=True)
            apt = _Apt(folder / "apt")
            apt.update()
            apt.unpack(packages, new)
            new.rename(tree)
    return tree


def fetch_whole(folder: Path, packages: Sequence[str], program: str) -> Path:
    """The same for a program with more libraries than are worth a list: with all that the machine has not installed."""
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not _runs(tree, program, "--version"):
            shutil.rmtree(tree, ignore_errors=True)
            new = folder / "tree.new"
            shutil.rmtree(new, ignore_errors=True)
            apt = _Apt(folder / "apt")
            apt.update()
            apt.unpack(apt.lacking(packages), new)
            if not _runs(new, program, "--version"):
                raise ServerError(f"{program!r} was unpacked but does not run: {_missing_libraries(new, program)}")
            new.rename(tree)
    return tree


def fetch_release(folder: Path, release: str, packages: Sequence[str]) -> Path:
    """The same for packages of another release of Debian, with all that they need down to the C library.

    The machine's own libraries are older or younger: such a program runs by the loader of its tree.
    """
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not tree.exists():
            new = folder / "tree.new"
            shutil.rmtree(new, ignore_errors=True)
            apt = _Apt(folder / "apt", release)
            apt.update()
            apt.unpack(apt.lacking(packages), new)
            new.rename(tree)
    return tree


def library_path(tree: Path) -> str:
    """What LD_LIBRARY_PATH must be for the programs of `tree`."""
    folders = {path.parent for path in (tree / "usr/lib", tree / "lib") for path in path.rglob("*.so*")}
    return ":".join(sorted(str(folder) for folder in folders))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _runs(tree: Path, program: str, asked: str) -> bool:
    if not (tree / program).exists():
        return False
    command = [str(tree / program), asked]
    environment = {"LD_LIBRARY_PATH": library_path(tree)}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def _make(folder: Path, packages: Sequence[str], program: str, asked: str) -> Path:
    missing = [tool for tool in ("apt-get", "dpkg-deb", "ldd") if shutil.which(tool) is None]
    if missing:
        raise ServerError(f"no {' and no '.join(missing)} on this machine: is it no Debian or Ubuntu?")
    new = folder / "tree.new"
    shutil.rmtree(new, ignore_errors=True)
    apt = _Apt(folder / "apt")
    apt.update()
    apt.unpack(packages, new)
    for _ in range(3):  # a library may need another one
        wanted = _missing_libraries(new, program)
        if not wanted:
            break
        apt.unpack([apt.known(LIBRARIES.get(name, ()), name) for name in wanted], new)
    if not _runs(new, program, asked):
        raise ServerError(f"{program!r} was unpacked but does not run; missing: {_missing_libraries(new, program)}")
    return new


def _missing_libraries(tree: Path, program: str) -> list[str]:
    listing = subprocess.run(
        ["ldd", tree / program],
        env={"LD_LIBRARY_PATH": library_path(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    return re.findall(r"(\S+) => not found", listing.stdout)


KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class _Apt:
    """apt-get with its state and cache in `folder`.

    release  of Debian, where it is not the machine's own; then nothing counts as installed
    """

    def __init__(self, folder: Path, release: str = "") -> None:
        self._archives = folder / "debs"
        for part in (folder / "state/lists/partial", folder / "cache/archives/partial", self._archives):
            part.mkdir(parents=True, exist_ok=True)
        options = (
            f"Dir::State={folder / 'state'}",
            f"Dir::Cache={folder / 'cache'}",
            *(_foreign(folder, release) if release else ["Dir::State::status=/var/lib/dpkg/status"]),
            "Debug::NoLocking=1",
            "APT::Sandbox::User=root",  # the user _apt could not write here
            "Acquire::Retries=3",
        )
        self._options = [part for option in options for part in ("-o", option)]

    def update(self) -> None:
        # Its status is of no use: a foreign source that is out of reach fails it, ours may be there all the same.
        self._run("apt-get", "update")

    def known(self, names: Sequence[str], library: str) -> str:
        """The first of `names` that this release has."""
        for name in names:
            if self._run("apt-cache", "show", name).returncode == 0:
                return name
        raise ServerError(f"library {library!r} is missing and no known package has it (tried {list(names)!r})")

    def lacking(self, packages: Sequence[str]) -> list[str]:
        """These packages, and what they need that is not installed."""
        told = self._run("apt-get", "install", "--simulate", "--yes", "--no-install-recommends", *packages).stdout
        found = re.findall(r"^Inst (\S+)", told, re.MULTILINE)
        return found or [*packages]

    def unpack(self, packages: Sequence[str], tree: Path) -> None:
        """Downloads `packages` and unpacks them into `tree`."""
        for old in self._archives.glob("*.deb"):
            old.unlink()
        done = self._run("apt-get", "download", *packages)
        if done.returncode:
            raise ServerError(f"apt-get cannot download {list(packages)!r}:\n{done.stdout}\n{done.stderr}")
        for archive in self._archives.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [tool, *self._options, *arguments]
        return subprocess.run(
            command, cwd=self._archives, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


def _foreign(folder: Path, release: str) -> list[str]:
    """Options that have apt know that release alone, and nothing as installed."""
    sources, status = folder / "sources.list", folder / "status"
    sources.write_text(f"deb [signed-by={KEYRING}] {_archive()} {release} main\n")
    status.touch()
    return [f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=-", f"Dir::State::status={status}"]


def _archive() -> str:
    """Where this machine has Debian's packages from."""
    command = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"]
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout.split()
    found = [each for each in told if each.rstrip("/").endswith("/debian")]
    if not found:
        raise ServerError(f"no source of apt's is an archive of Debian's releases, expected one; found {told!r}")
    return found[0]
