"""The files of an installation, by their paths below a prefix, and archives of them.

Separate from the packages, which put the same files into places of their own.
"""

import gzip
import io
import lzma
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable
from functools import cache

from . import project, sbom
from .project import PROGRAMS, SHELLS, Target

PROGRAM = 0o755
DATA = 0o644

# By path: the mode and the content.
Files = dict[str, tuple[int, bytes]]

COMPLETIONS = {
    "bash": "share/bash-completion/completions/{}",
    "zsh": "share/zsh/site-functions/_{}",
    "fish": "share/fish/vendor_completions.d/{}.fish",
}


def packed(content: bytes) -> bytes:
    """As `gzip -9n` does it."""
    return gzip.compress(content, 9, mtime=0)


def programs(target: Target) -> Files:
    return {f"bin/{name}{target.exe}": (PROGRAM, target.program(name)) for name in PROGRAMS}


def manuals() -> Files:
    pages = sorted((project.ROOT / "man").glob("*.1"))
    return {f"share/man/man1/{page.name}.gz": (DATA, packed(page.read_bytes())) for page in pages}


@cache
def completion(shell: str, name: str) -> bytes:
    """What the program prints: by that of whichever target runs on this machine."""
    for target in project.TARGETS.values():
        program = target.dir / (PROGRAMS[0] + target.exe)
        try:
            command = [program, "completions", shell, "--name", name]
            return subprocess.run(command, env={}, check=True, stdout=subprocess.PIPE).stdout
        except OSError:
            pass
    raise SystemExit("packaging/package: no program here runs on this machine: run `packaging/build` first")


def completions() -> Files:
    return {
        COMPLETIONS[shell].format(name): (DATA, completion(shell, name)) for shell in SHELLS for name in PROGRAMS
    }


def legal(target: Target) -> dict[str, bytes]:
    """What has to go with the programs, by file name."""
    return {
        "LICENSE": project.text("LICENSE").encode(),
        "THIRD-PARTY-LICENSES": sbom.licenses(target),
        f"{project.name()}.cdx.json": sbom.bill(target),
    }


def archived(target: Target) -> Files:
    """What is in the archives."""
    files = programs(target)
    for name, content in legal(target).items():
        files[name] = (DATA, content)
    for name in ("README.md", "CHANGELOG.md"):
        files[name] = (DATA, project.text(name).encode())
    if target.npm_os != "win32":
        files |= manuals() | completions()
        files["install.sh"] = (PROGRAM, project.text("packaging/files/install.sh").encode())
    return files


def tar(top: str, files: Files) -> bytes:
    """Sorted, of root, and of the time of the commit."""
    archive = io.BytesIO()
    paths = {f"{top}/{path}": content for path, content in files.items()}
    dirs = {path[:at] for path in paths for at, char in enumerate(path) if char == "/"}
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for path in sorted(dirs | paths.keys()):
            entry = tarfile.TarInfo(path)
            entry.mtime = project.epoch()
            if path in dirs:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                out.addfile(entry)
                continue
            entry.mode, content = paths[path]
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def zipped(files: list[tuple[str, int, bytes]]) -> bytes:
    """In the order that is given, and of the time of the commit."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path, mode, content in files:
            entry = zipfile.ZipInfo(path, time.gmtime(project.epoch())[:6])
            entry.create_system = 3  # Unix: only then is the mode read.
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, content)
    return archive.getvalue()


def top(target: Target) -> str:
    return f"{project.name()}-{project.version()}-{target.triple}"


def zip_archive(target: Target) -> dict[str, bytes]:
    name, files = top(target), archived(target)
    return {f"{name}.zip": zipped([(f"{name}/{path}", *files[path]) for path in sorted(files)])}


def gzip_archive(target: Target) -> dict[str, bytes]:
    name = top(target)
    return {f"{name}.tar.gz": gzip.compress(tar(name, archived(target)), 9, mtime=0)}


def xz_archive(target: Target) -> dict[str, bytes]:
    name = top(target)
    return {f"{name}.tar.xz": lzma.compress(tar(name, archived(target)), preset=9 | lzma.PRESET_EXTREME)}


def archives(target: Target) -> list[Callable[[Target], dict[str, bytes]]]:
    """What makes them, the slowest first."""
    return [zip_archive] if target.npm_os == "win32" else [xz_archive, gzip_archive]
