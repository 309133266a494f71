"""Debian's archive, by apt with a configuration of the test bed's own for each release.

The mirror, proxies and keys are this machine's; which releases its own apt looks at does not
matter, and nothing of it is changed.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from pathlib import Path

from testbed import cache
from testbed.errors import BedError
from testbed.host import call
from testbed.places import cache_dir
from testbed.suites import Suite

#: Debian 12's name of it, and Debian 13's
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
#: seconds; lists older than that are read again before something is built of them
LISTS_AGE = 12 * 3600
#: what of this machine's apt configuration counts for mmdebstrap's, too
PASSED_ON = re.compile(r"Acquire::(https?|ftp|Retries|Check-Valid-Until|Check-Date)\b.*;")
#: last in its order, and so after the machine's own
CONFIGURATION = """\
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{directory}/state";
Dir::State::status "/dev/null";
Dir::Cache "{directory}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


@functools.cache
def _mirrors() -> tuple[str, str | None]:
    """Return where this machine gets Debian's packages from, and its security updates."""
    listed = call(
        [
            *("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"),
            *("Created-By: Packages", "Origin: Debian"),
        ],
        problem="apt-get cannot list this machine's package sources.",
    ).decode()
    found = [line.split() for line in listed.splitlines()]
    security = [uri for release, uri in found if release.endswith("-security")]
    archive = [uri for release, uri in found if "-" not in release]
    if not archive:
        raise BedError(
            "apt has no package lists of Debian here: run apt-get update first "
            "(the images are made of packages from the mirror that this machine uses)."
        )
    return archive[0], security[0] if security else None


class Apt:
    """apt for one suite; its directory is in the cache. Call it with the cache locked."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._directory = cache_dir() / f"apt-{suite.release}"
        self._configuration = self._directory / "apt.conf"
        self._lists = self._directory / "lists-read"

    def sources(self) -> str:
        """Return the release's sources as one-line entries."""
        keyring = next((path for path in KEYRINGS if path.exists()), None)
        options = [] if keyring is None else [f"signed-by={keyring}"]
        options += ["check-valid-until=no"] if self.suite.rolling else []
        words = f"deb [{' '.join(options)}]" if options else "deb"
        archive, security = _mirrors()
        lines = [f"{words} {archive} {part} main" for part in self.suite.archive]
        if security is not None:
            lines += [f"{words} {security} {part} main" for part in self.suite.security]
        return "\n".join(lines) + "\n"

    def options(self) -> str:
        """Return apt configuration that mmdebstrap is to have: proxies and the like."""
        dumped = call(["apt-config", "dump"], problem="apt-config does not work.").decode()
        lines = [line for line in dumped.splitlines() if PASSED_ON.fullmatch(line)]
        return "\n".join(['Acquire::Languages "none";', *lines]) + "\n"

    def update(self) -> None:
        """Read the package lists from the mirror."""
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "sources.list").write_text(self.sources())
        self._configuration.write_text(CONFIGURATION.format(directory=self._directory))
        call(
            ["apt-get", "-c", self._configuration, "-q", "--error-on=any", "update"],
            problem=f"The package lists of Debian {self.suite.release} could not be read from this "
            "machine's mirror (if a key is missing, install a newer debian-archive-keyring).",
        )
        self._lists.touch()

    def _age(self) -> float:
        """Return how old the lists are in seconds; infinite if there are none for these sources."""
        listing = self._directory / "sources.list"
        if not self._lists.exists() or listing.read_text() != self.sources():
            return float("inf")
        return time.time() - self._lists.stat().st_mtime

    def _words(self, command: str) -> list[str | Path]:
        if self._age() == float("inf"):
            self.update()
        return [command, "-c", self._configuration]

    def candidates(self, packages: tuple[str, ...], part: str | None = None) -> dict[str, str]:
        """Return the version of each package that apt would install.

        ``part`` of the archive, such as "trixie-backports", is preferred; by default the release.
        """
        said = call(
            [
                *self._words("apt-cache"),
                *("-o", f"APT::Default-Release={part or self.suite.release}"),
                *("policy", *packages),
            ],
            problem="apt-cache cannot tell package versions.",
        ).decode()
        versions = dict(re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)", said, re.MULTILINE))
        for package in packages:
            if versions.get(package, "(none)") == "(none)":
                raise BedError(f"Debian {self.suite.release} has no package {package}.")
        return {package: versions[package] for package in packages}

    def dependencies(self, package: str, pattern: str, part: str | None = None) -> tuple[str, ...]:
        """Return those names among a package's direct dependencies that match, in their order."""
        version = self.candidates((package,), part)[package]
        said = call(
            [*self._words("apt-cache"), "show", f"{package}={version}"],
            problem=f"apt-cache does not show the package {package}.",
        ).decode()
        depends = re.search(r"^Depends: (.*)$", said, re.MULTILINE)
        names = re.findall(r"(?:^|[,|] *)([^ ,|(]+)", depends[1] if depends else "")
        return tuple(name for name in names if re.fullmatch(pattern, name))

    def dependency(self, package: str, pattern: str, part: str | None = None) -> str:
        """Return the only dependency that matches; raise BedError if there is none, or several."""
        found = self.dependencies(package, pattern, part)
        if len(found) != 1:
            raise BedError(
                f"The package {package} of Debian {self.suite.release} should depend on one "
                f"package like {pattern}; it depends on {len(found)}."
            )
        return found[0]

    def unpack(self, versions: dict[str, str], scratch: Path) -> Path:
        """Download packages and return a tree, below ``scratch``, with the files of all."""
        downloads = scratch / "downloads"
        downloads.mkdir()
        call(
            [
                *(*self._words("apt-get"), "download", "-q"),
                *(f"{package}={version}" for package, version in versions.items()),
            ],
            cwd=downloads,
            problem=f"Packages of Debian {self.suite.release} could not be downloaded.",
        )
        tree = scratch / "tree"
        for package in sorted(downloads.glob("*.deb")):
            call(["dpkg-deb", "-x", package, tree], problem=f"{package.name} cannot be unpacked.")
        return tree

    def artefact(
        self,
        name: str,
        choose: Callable[[], dict[str, str]],
        key: Callable[[dict[str, str]], str],
        build: Callable[[Path, dict[str, str]], None],
        thorough: bool,
    ) -> Path:
        """Return the directory of an artefact that is made of packages, built if need be.

        ``choose`` names packages and versions, ``key`` makes a hash of them. Package lists are
        read again only if something has to be built, so that what is built stays in use.
        """
        versions = choose()
        if not cache.has(name, key(versions)) and self._age() > LISTS_AGE:
            self.update()
            versions = choose()
        return cache.obtain(
            name, key(versions), lambda path: build(path, versions), thorough=thorough
        )
