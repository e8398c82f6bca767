"""npm: a main package of scripts, and a package of programs for each platform that it depends on optionally.

npm installs the one that fits, without a download of our own. The scripts start the programs; `install.js` replaces them by
the programs, where npm runs it.
"""

import gzip
import json

from . import files, project
from .files import DATA, PROGRAM, Files
from .project import Target


def main_name() -> str:
    return f"{project.npm_scope()}/{project.name()}"


def platform_name(target: Target) -> str:
    return f"{main_name()}-{target.npm_os}-{target.npm_cpu}"


def described(name: str, **more: object) -> tuple[int, bytes]:
    """A package.json."""
    content = {
        "name": name,
        "version": project.version(),
        "description": project.package()["description"],
        "license": project.package()["license"],
        "keywords": project.package()["keywords"],
        "publishConfig": {"access": "public"},
    }
    if project.repository():
        content["repository"] = {"type": "git", "url": f"git+{project.repository()}.git"}
    return DATA, (json.dumps(content | more, indent=2) + "\n").encode()


def tarball(name: str, content: Files) -> dict[str, bytes]:
    # The name that `npm pack` gives it.
    file = f"{name.lstrip('@').replace('/', '-')}-{project.version()}.tgz"
    return {file: gzip.compress(files.tar("package", content), 9, mtime=0)}


def platform_package(target: Target) -> dict[str, bytes]:
    content = files.programs(target) | {name: (DATA, text) for name, text in files.legal(target).items()}
    readme = f"The programs of {main_name()} for {target.npm_os}-{target.npm_cpu}: install that one.\n"
    content["README.md"] = (DATA, readme.encode())
    content["package.json"] = described(
        platform_name(target),
        os=[target.npm_os],
        cpu=[target.npm_cpu],
        # Yarn leaves what it does not unpack in an archive, where nothing can be started.
        preferUnplugged=True,
    )
    return tarball(platform_name(target), content)


def main_package() -> dict[str, bytes]:
    """The same whichever targets were built: it names all platforms that there are packages for."""
    start = project.text("packaging/files/npm/start.js").encode()
    content: Files = {f"bin/{name}": (PROGRAM, start) for name in project.PROGRAMS}
    for name in ("install.js", "native.js"):
        content[name] = (DATA, project.text(f"packaging/files/npm/{name}").encode())
    for page in sorted((project.ROOT / "man").glob("*.1")):
        content[f"man/{page.name}"] = (DATA, page.read_bytes())
    for name in ("LICENSE", "README.md", "CHANGELOG.md"):
        content[name] = (DATA, project.text(name).encode())
    platforms = sorted({platform_name(target) for target in project.TARGETS.values()})
    content["package.json"] = described(
        main_name(),
        bin={name: f"bin/{name}" for name in project.PROGRAMS},
        man=[path for path in content if path.startswith("man/")],
        scripts={"postinstall": "node install.js"},
        engines={"node": ">=18"},
        optionalDependencies={name: project.version() for name in platforms},
    )
    return tarball(main_name(), content)
