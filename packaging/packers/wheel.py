"""Wheels: the programs as scripts, which pip, pipx and uv put on PATH as they are.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib

from . import files, project
from .files import DATA, PROGRAM
from .project import Target


def metadata() -> bytes:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project.name()}",
        f"Version: {project.version()}",
        f"Summary: {project.package()['description']}",
        f"License-Expression: {project.package()['license']}",
        "License-File: LICENSE",
        "License-File: THIRD-PARTY-LICENSES",
        f"Keywords: {','.join(project.package()['keywords'])}",
        "Requires-Python: >=3.7",
        "Description-Content-Type: text/markdown",
    ]
    if project.repository():
        lines.append(f"Project-URL: Repository, {project.repository()}")
    return ("\n".join(lines) + "\n\n" + project.text("README.md")).encode()


def sum_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def wheels(target: Target) -> dict[str, bytes]:
    release = f"{project.name().replace('-', '_')}-{project.version()}"
    info = f"{release}.dist-info"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in target.wheel.split("."))
    content = [
        (f"{release}.data/scripts/{name}{target.exe}", PROGRAM, target.program(name)) for name in project.PROGRAMS
    ]
    if target.npm_os != "win32":
        shared = files.manuals() | files.completions()
        content += [(f"{release}.data/data/{path}", *shared[path]) for path in sorted(shared)]
    wheel = f"Wheel-Version: 1.0\nGenerator: packaging/package\nRoot-Is-Purelib: false\n{tags}"
    content += [(f"{info}/METADATA", DATA, metadata()), (f"{info}/WHEEL", DATA, wheel.encode())]
    for name, text in files.legal(target).items():
        folder = "sboms" if name.endswith(".json") else "licenses"
        content.append((f"{info}/{folder}/{name}", DATA, text))
    record = [f"{path},sha256={sum_of(text)},{len(text)}\n" for path, _, text in content]
    record.append(f"{info}/RECORD,,\n")
    content.append((f"{info}/RECORD", DATA, "".join(record).encode()))
    return {f"{release}-py3-none-{target.wheel}.whl": files.zipped(content)}
