"""The packages of Linux distributions, by nfpm: .deb, .rpm, .apk, and Arch's."""

import json
import subprocess
import tempfile
import textwrap
import time
from email.utils import formatdate
from pathlib import Path

from . import files, project, sbom
from .files import DATA, Files
from .project import Target

# What the files are called that nfpm makes: it is told, so that nothing depends on its choice.
FILES = {
    "deb": "{name}_{version}_{arch}.deb",
    "rpm": "{name}-{version}-1.{arch}.rpm",
    "apk": "{name}-{version}-r0.{arch}.apk",
    "archlinux": "{name}-{version}-1-{arch}.pkg.tar.zst",
}


def changes() -> list[str]:
    """What CHANGELOG.md says of this version, or of the one to come: one string for each item."""
    _, *sections = project.text("CHANGELOG.md").split("\n## [")
    named = [section for section in sections if section.startswith((f"{project.version()}]", "Unreleased]"))]
    items: list[str] = []
    for line in named[0].splitlines():
        if line.startswith("- "):
            items.append(line[2:])
        elif line.startswith("  ") and items:
            items[-1] += " " + line.strip()
    return items


def debian_changelog() -> bytes:
    lines = [f"{project.name()} ({project.version()}) stable; urgency=medium", ""]
    for item in changes():
        words, line = item.split(), "  *"
        for word in words:
            if len(line) + 1 + len(word) > 78:
                lines.append(line)
                line = "   "
            line += " " + word
        lines.append(line)
    lines += ["", f" -- {project.maintainer()}  {formatdate(project.epoch())}", ""]
    return "\n".join(lines).encode()


def debian_copyright(target: Target) -> bytes:
    """In the machine-readable format."""
    licence = project.text("LICENSE").strip()
    kind, holder, *body = licence.split("\n\n")
    terms = "\n .\n ".join(part.replace("\n", "\n ") for part in body)
    source = f"Source: {project.repository()}\n" if project.repository() else ""
    third = f"/usr/share/doc/{project.name()}/THIRD-PARTY-LICENSES.gz"
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        f"Upstream-Name: {project.name()}\n{source}"
        f"Comment: The programs contain other projects' code, whose licences are in\n {third}.\n"
        f"\nFiles: *\n{holder.replace('(c) ', '')}\nLicense: Expat\n\nLicense: Expat\n {terms}\n"
    ).encode()


def overrides() -> bytes:
    """What lintian finds and is meant so."""
    return (
        "# One program for all distributions, musl and glibc: that is what the package is for.\n"
        f"{project.name()}: statically-linked-binary [usr/bin/*]\n"
        "# One of several browsers that are tried; without any, the address is shown.\n"
        f"{project.name()}: missing-depends-on-sensible-utils sensible-browser [usr/bin/*]\n"
    ).encode()


def installed(target: Target, kind: str) -> Files:
    """What is in a package, by absolute path."""
    doc = f"/usr/share/doc/{project.name()}"
    below = files.programs(target) | files.manuals() | files.completions()
    found = {f"/usr/{path}": content for path, content in below.items()}
    found[f"{doc}/{project.name()}.cdx.json"] = (DATA, sbom.bill(target))
    third, changelog = sbom.licenses(target), project.text("CHANGELOG.md").encode()
    if kind == "deb":
        found = {path.replace("/zsh/site-functions/", "/zsh/vendor-completions/"): found[path] for path in found}
        found[f"{doc}/copyright"] = (DATA, debian_copyright(target))
        found[f"{doc}/changelog.gz"] = (DATA, files.packed(debian_changelog()))
        found[f"{doc}/NEWS.gz"] = (DATA, files.packed(changelog))
        found[f"{doc}/THIRD-PARTY-LICENSES.gz"] = (DATA, files.packed(third))
        found[f"/usr/share/lintian/overrides/{project.name()}"] = (DATA, overrides())
        return found
    found[f"{doc}/CHANGELOG.md"] = (DATA, changelog)
    found[f"/usr/share/licenses/{project.name()}/LICENSE"] = (DATA, project.text("LICENSE").encode())
    found[f"/usr/share/licenses/{project.name()}/THIRD-PARTY-LICENSES"] = (DATA, third)
    return found


def description() -> str:
    """One line, and the lines below it."""
    more = (
        "git, docker, podman and scripts get a token from one login to Sentry, which is refreshed when it expires. "
        "A login of Sentry's official CLI counts too."
    )
    return "\n".join([project.package()["description"], *textwrap.wrap(more, 76)])


def config(target: Target, kind: str, content: Files, folder: Path) -> dict:
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(project.epoch()))
    owner = {"mtime": date, "owner": "root", "group": "root"}
    contents: list[dict] = []
    for number, (path, (mode, text)) in enumerate(sorted(content.items())):
        source = folder / str(number)
        source.write_bytes(text)
        contents.append({"src": str(source), "dst": path, "file_info": owner | {"mode": mode}})
    if kind == "rpm":
        # rpm removes only directories that a package names; all others are those of the distribution.
        for place in ("doc", "licenses"):
            path = f"/usr/share/{place}/{project.name()}"
            contents.append({"dst": path, "type": "dir", "file_info": owner | {"mode": 0o755}})
    result = {
        "name": project.name(),
        "arch": target.linux,
        "platform": "linux",
        "version": project.version(),
        "version_schema": "semver",
        "release": "" if kind == "deb" else "0" if kind == "apk" else "1",
        "section": "vcs",
        "priority": "optional",
        "maintainer": project.maintainer(),
        # Arch's has one line.
        "description": project.package()["description"] if kind == "archlinux" else description(),
        "license": project.package()["license"],
        "mtime": date,
        "contents": contents,
        "deb": {"compression": "xz"},
        "archlinux": {"packager": project.maintainer()},
        "rpm": {"compression": "xz", "buildhost": "localhost", "summary": project.package()["description"]},
    }
    if project.repository():
        result["homepage"] = project.repository()
    return result


def package(kind: str, nfpm: Path, target: Target) -> dict[str, bytes]:
    arch = target.linux if kind == "deb" else target.triple.split("-")[0]
    name = FILES[kind].format(name=project.name(), version=project.version(), arch=arch)
    with tempfile.TemporaryDirectory() as folder:
        path, package = Path(folder, "nfpm.json"), Path(folder, name)
        path.write_text(json.dumps(config(target, kind, installed(target, kind), Path(folder))))
        command = [nfpm, "package", "--config", path, "--packager", kind, "--target", package]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise SystemExit(f"packaging/package: {kind}: {done.stdout}")
        return {name: package.read_bytes()}
