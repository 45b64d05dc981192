"""Fetch the source distributions that the benchmarks check, without running any of their code.

    python benchmarks/corpus.py DIR

``uv`` resolves the names of ``corpus.txt`` against whatever index this machine is configured for
and says where each archive lies. The source distribution is taken where there is one, else a
wheel; both are checked against their hash and unpacked into ``DIR/<name>-<version>/``. Nothing is
built. ``DIR/corpus.json`` records what is there, ``DIR/candidates.txt`` which files mention
``requires_grad``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import tomllib

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = Path(__file__).resolve().parent / "corpus.txt"
RECORD = "corpus.json"
CANDIDATES = "candidates.txt"


@dataclass(frozen=True)
class Archive:
    """Where one package's archive lies and what it must hash to."""

    name: str
    version: str
    url: str
    sha256: str

    @property
    def folder(self) -> str:
        """The folder of the corpus that holds the package."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True)
class Package:
    """One package of the corpus: how much Python it holds and where it came from."""

    name: str
    version: str
    folder: str
    archive: str
    sha256: str
    files: int
    bytes: int


def find_uv() -> str:
    """The ``uv`` program: beside this interpreter, else on the path."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise click.ClickException("uv is needed to find the archives: pip install uv")
    return found


def index_environment() -> dict[str, str]:
    """The environment for uv, which follows pip's index where it has none of its own."""
    environment = dict(os.environ)
    if any(environment.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        return environment
    index = environment.get("PIP_INDEX_URL") or configured_index()
    if index:
        environment["UV_DEFAULT_INDEX"] = index
    return environment


def configured_index() -> str:
    """The index in pip's own configuration, or nothing."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def resolve(requirements: list[str]) -> list[Archive]:
    """Where the archives of the requirements lie, in the order of the requirements.

    Asked twice: first for wheels only, so that a version is found from published metadata; then for
    exactly those versions with their source distributions, which therefore never need building.
    """
    with tempfile.TemporaryDirectory() as folder:
        pins = [f"{p['name']}=={p['version']}" for p in lock(requirements, folder, "--no-build")]
        packages = {package["name"]: package for package in lock(pins, folder)}
    names = [normalized(requirement.split("==")[0]) for requirement in requirements]
    return [archive_of(packages[name]) for name in names]


def lock(requirements: list[str], folder: str, *options: str) -> list[dict[str, Any]]:
    """The packages of the ``pylock.toml`` that uv writes for the requirements."""
    wanted, locked = Path(folder, "wanted.in"), Path(folder, "pylock.toml")
    wanted.write_text("\n".join(requirements), encoding="utf-8")
    locked.unlink(missing_ok=True)
    command = [
        find_uv(),
        "pip",
        "compile",
        "--quiet",
        "--no-deps",
        "--format",
        "pylock.toml",
    ]
    command += [*options, "-o", str(locked), str(wanted)]
    command += ["--python-version", "{}.{}".format(*sys.version_info)]
    answer = subprocess.run(
        command, capture_output=True, text=True, env=index_environment(), check=False
    )
    if answer.returncode != 0:
        raise click.ClickException(f"uv cannot resolve the corpus:\n{answer.stderr.strip()}")
    packages: list[dict[str, Any]] = tomllib.loads(locked.read_text(encoding="utf-8"))["packages"]
    return packages


def normalized(name: str) -> str:
    """A package name as uv writes it."""
    return name.strip().lower().replace("_", "-").replace(".", "-")


def archive_of(package: dict[str, Any]) -> Archive:
    """The source distribution of a locked package, else its first wheel."""
    chosen = package.get("sdist") or package["wheels"][0]
    return Archive(package["name"], package["version"], chosen["url"], chosen["hashes"]["sha256"])


def download(archive: Archive, target: Path) -> None:
    """Fetch an archive into ``target`` and hold it to its hash."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(archive.url) as answer, target.open("wb") as sink:
        while block := answer.read(1 << 20):
            digest.update(block)
            sink.write(block)
    if digest.hexdigest() != archive.sha256:
        raise click.ClickException(f"{archive.folder}: the archive does not match its hash")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip archive so that nothing can land outside ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(folder)
    else:
        with tarfile.open(archive) as bundle:
            bundle.extractall(folder, filter="data")
        lift(folder)


def lift(folder: Path) -> None:
    """Drop the single top folder that a source distribution is packed in."""
    entries = list(folder.iterdir())
    if len(entries) != 1 or not entries[0].is_dir():
        return
    top = entries[0].rename(folder.with_name(folder.name + ".top"))
    folder.rmdir()
    top.rename(folder)


def python_files(folder: Path) -> Iterator[Path]:
    """Every Python file under ``folder``, in a fixed order."""
    return (path for path in sorted(folder.rglob("*.py")) if path.is_file())


def fetch(archive: Archive, corpus: Path) -> Package:
    """Fetch and unpack one package, unless it is there already."""
    folder = corpus / archive.folder
    name = archive.url.split("#")[0].rsplit("/", 1)[-1]
    if not folder.exists():
        with tempfile.TemporaryDirectory() as scratch:
            packed = Path(scratch, name)
            download(archive, packed)
            unpack(packed, folder)
    sizes = [path.stat().st_size for path in python_files(folder)]
    return Package(
        name=archive.name,
        version=archive.version,
        folder=archive.folder,
        archive=name,
        sha256=archive.sha256,
        files=len(sizes),
        bytes=sum(sizes),
    )


def record(corpus: Path, packages: list[Package]) -> None:
    """Write ``corpus.json`` for the packages that are there so far."""
    text = json.dumps([asdict(package) for package in packages], indent=2)
    (corpus / RECORD).write_text(text + "\n", encoding="utf-8")


def load(corpus: Path) -> list[Package]:
    """The packages that ``corpus.json`` records."""
    path = corpus / RECORD
    if not path.exists():
        raise click.ClickException(f"no corpus in {corpus}: run benchmarks/corpus.py {corpus}")
    return [Package(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def mentions(corpus: Path, packages: list[Package], word: bytes) -> list[Path]:
    """The Python files of the packages whose bytes hold ``word``."""
    folders = (corpus / package.folder for package in packages)
    return [
        path for folder in folders for path in python_files(folder) if word in path.read_bytes()
    ]


def read_requirements(latest: bool) -> list[str]:
    """The requirements of ``corpus.txt``, with their pins unless the latest are asked for."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    wanted = [line for line in lines if line]
    return [line.split("==")[0] for line in wanted] if latest else wanted


def outside_checkout(_context: click.Context, _option: click.Parameter, value: Path) -> Path:
    """Refuse a corpus inside the checkout, which would then lint and commit it."""
    folder = value.resolve()
    if folder == CHECKOUT or CHECKOUT in folder.parents:
        raise click.BadParameter("the corpus does not belong inside the checkout")
    return folder


@click.command()
@click.argument("corpus", metavar="DIR", type=click.Path(path_type=Path), callback=outside_checkout)
@click.option("--latest", is_flag=True, help="Take the newest versions, not those of corpus.txt.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this package (repeatable).")
def main(corpus: Path, latest: bool, only: tuple[str, ...]) -> None:
    """Fetch the source distributions of corpus.txt into DIR."""
    wanted = read_requirements(latest)
    if only:
        wanted = [line for line in wanted if line.split("==")[0] in only]
    corpus.mkdir(parents=True, exist_ok=True)
    packages: list[Package] = []
    for archive in resolve(wanted):
        packages.append(fetch(archive, corpus))
        record(corpus, packages)
        click.echo(
            f"{archive.folder:45} {packages[-1].files:6} files {packages[-1].bytes:10} bytes"
        )
    candidates = mentions(corpus, packages, b"requires_grad")
    (corpus / CANDIDATES).write_text("".join(f"{path}\n" for path in candidates), encoding="utf-8")
    click.echo(f"{len(candidates)} files mention requires_grad")


if __name__ == "__main__":
    main()
