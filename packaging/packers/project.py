"""What is packaged: the facts of Cargo.toml, of the commit and of each target. Nothing of these is written twice."""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "packages"

PROGRAMS = ("sentry-credential", "git-credential-sentry", "docker-credential-sentry")
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class Target:
    """A target of the compiler, and what each kind of package calls it."""

    triple: str
    # None: there is no package of this kind.
    linux: str | None
    wheel: str
    npm_os: str
    npm_cpu: str

    @property
    def exe(self) -> str:
        return ".exe" if self.npm_os == "win32" else ""

    @property
    def dir(self) -> Path:
        return OUT / self.triple

    def program(self, name: str) -> bytes:
        return (self.dir / (name + self.exe)).read_bytes()


# A static program runs with any libc: tags for the oldest glibc and musl that pip knows.
TARGETS = {
    target.triple: target
    for target in (
        Target("x86_64-unknown-linux-musl", "amd64", "manylinux2014_x86_64.musllinux_1_1_x86_64", "linux", "x64"),
        Target("aarch64-unknown-linux-musl", "arm64", "manylinux2014_aarch64.musllinux_1_1_aarch64", "linux", "arm64"),
        Target("x86_64-apple-darwin", None, "macosx_11_0_x86_64", "darwin", "x64"),
        Target("aarch64-apple-darwin", None, "macosx_11_0_arm64", "darwin", "arm64"),
        Target("x86_64-pc-windows-msvc", None, "win_amd64", "win32", "x64"),
        # What Linux can link, in place of the former.
        Target("x86_64-pc-windows-gnu", None, "win_amd64", "win32", "x64"),
    )
}


def cargo_metadata(*args: str) -> dict:
    command = ["cargo", "metadata", "--format-version", "1", "--locked", *args]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


@cache
def package() -> dict:
    """The package in Cargo.toml, as cargo reads it."""
    return cargo_metadata("--no-deps")["packages"][0]


def name() -> str:
    return package()["name"]


def version() -> str:
    return package()["version"]


def repository() -> str | None:
    """The project's address, if it has one yet."""
    return package()["repository"] or None


def maintainer() -> str:
    """As Debian wants it; without an address until Cargo.toml has an author."""
    authors = package()["authors"]
    return authors[0] if authors else f"The {name()} contributors"


def npm_scope() -> str:
    return package()["metadata"]["npm"]["scope"]


@cache
def epoch() -> int:
    """Seconds since 1970: the time of the commit, and of every file."""
    set_by_caller = os.environ.get("SOURCE_DATE_EPOCH")
    if set_by_caller:
        return int(set_by_caller)
    command = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
