"""What the programs are made of: a bill of materials (CycloneDX 1.5) and the licences of the crates in them.

Both come from the dependency graph of one target without the crates that only tests or the build use: those leave nothing
in the programs but what they generate.
"""

import hashlib
import json
import re
import time
import tomllib
import uuid
from functools import cache
from pathlib import Path

from . import project
from .project import Target

LICENCE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


@cache
def graph(triple: str) -> tuple[dict[str, dict], dict[str, list[str]], str]:
    """The packages by their id, what each depends on, and the id of ours."""
    metadata = project.cargo_metadata("--filter-platform", triple)
    root = metadata["resolve"]["root"]
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    needed: dict[str, list[str]] = {}
    pending = [root]
    while pending:
        node = pending.pop()
        if node in needed:
            continue
        deps = nodes[node]["deps"]
        linked = {dep["pkg"] for dep in deps if any(kind["kind"] is None for kind in dep["dep_kinds"])}
        # What a procedural macro uses runs in the compiler.
        linked = {dep for dep in linked if not is_macro(packages[dep])}
        needed[node] = sorted(linked)
        pending += linked
    return {node: packages[node] for node in needed}, needed, root


def is_macro(package: dict) -> bool:
    return any("proc-macro" in target["kind"] for target in package["targets"])


def purl(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


@cache
def checksums() -> dict[tuple[str, str], str]:
    """Of each crate's archive, as Cargo.lock has it."""
    lock = tomllib.loads(project.text("Cargo.lock"))
    crates = (crate for crate in lock["package"] if "checksum" in crate)
    return {(crate["name"], crate["version"]): crate["checksum"] for crate in crates}


def component(package: dict, kind: str) -> dict:
    found = {
        "type": kind,
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
    }
    if package["description"]:
        found["description"] = " ".join(package["description"].split())
    checksum = checksums().get((package["name"], package["version"]))
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        # Before there were expressions, cargo had a slash between alternatives.
        found["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


@cache
def bill(target: Target) -> bytes:
    packages, needed, root = graph(target.triple)
    ours = component(packages[root], "application")
    ours["components"] = [
        {
            "type": "file",
            "bom-ref": f"{name}{target.exe}",
            "name": f"{name}{target.exe}",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(target.program(name)).hexdigest()}],
        }
        for name in project.PROGRAMS
    ]
    crates = sorted((package for node, package in packages.items() if node != root), key=purl)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(project.epoch())),
            "component": ours,
            "properties": [{"name": "cargo:target", "value": target.triple}],
        },
        "components": [component(package, "library") for package in crates],
        "dependencies": sorted(
            (
                {"ref": purl(packages[node]), "dependsOn": sorted(purl(packages[dep]) for dep in deps)}
                for node, deps in needed.items()
            ),
            key=lambda entry: entry["ref"],
        ),
    }
    content = json.dumps(document, sort_keys=True)
    # The same bill has the same number.
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, content).urn
    return (json.dumps(document, indent=1) + "\n").encode()


@cache
def licenses(target: Target) -> bytes:
    """The texts that the licences of the crates want to be passed on, each once, below the crates that have it."""
    packages, _, root = graph(target.triple)
    texts: dict[str, list[str]] = {}
    for package in sorted((package for node, package in packages.items() if node != root), key=purl):
        crate = f"{package['name']} {package['version']} ({package['license'] or 'see below'})"
        files = (path for path in Path(package["manifest_path"]).parent.iterdir() if path.is_file())
        found = [path for path in sorted(files) if LICENCE.match(path.name) and path.suffix != ".rs"]
        for path in found:
            text = "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").strip().splitlines())
            texts.setdefault(text, []).append(f"{crate}: {path.name}")
        if not found:
            texts.setdefault("(The crate has no file of its licence.)", []).append(crate)
    line = "=" * 80
    parts = [f"{line}\n" + "\n".join(crates) + f"\n{line}\n\n{text}\n" for text, crates in texts.items()]
    head = f"The programs of {project.name()} contain the following crates. Cargo.lock has their sums.\n"
    return "\n".join([head, *parts]).encode()
