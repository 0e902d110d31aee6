"""Downloads the sources of real projects, as Debian has them, into .build/sources.

apt gets a configuration of its own, made from the machine's: nothing on the machine changes, and no source packages
need to be enabled. Only upstream's archives are taken, not Debian's patches. What is there already is not fetched
again.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from support import tools
from support.projects import PROJECTS

MACHINE_SOURCES = Path("/etc/apt")


def fetch(projects, directory=tools.SOURCES):
    """Makes sure that the projects' archives are there."""
    directory.mkdir(parents=True, exist_ok=True)
    missing = [project for project in projects if project.archive(directory) is None]
    if not missing:
        return
    apt = tools.require("apt-get")
    with tempfile.TemporaryDirectory() as private:
        options = private_configuration(Path(private))
        run([apt, *options, "update"], directory)
        for project in missing:
            tools.progress(f"fetching {project.package}")
            run([apt, *options, "source", "--download-only", "--tar-only", project.package], directory)
            if project.archive(directory) is None:
                raise tools.Unavailable(f"apt-get source {project.package} brought no upstream archive")


def private_configuration(directory):
    """Options that point apt at lists and sources below `directory`."""
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (directory / name).mkdir(parents=True)
    found = [MACHINE_SOURCES / "sources.list", *sorted((MACHINE_SOURCES / "sources.list.d").glob("*"))]
    for file in found:
        if file.suffix in (".list", ".sources") and file.is_file():
            text = source_packages(file.read_text(), file.suffix)
            if "debian" in text.lower():
                (directory / "sources" / file.name).write_text(text)
    if not any((directory / "sources").iterdir()):
        raise tools.Unavailable("no Debian package sources under /etc/apt, so no projects can be fetched")
    settings = {
        "Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": directory / "sources",
        "Dir::State::lists": directory / "lists", "Dir::Cache": directory / "cache",
        # Root need not become the user _apt, who cannot write here.
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def source_packages(text, suffix):
    """The same package sources, for source packages instead of binary ones."""
    lines = []
    for line in text.split("\n"):
        if suffix == ".sources" and line.startswith("Types:"):
            line = "Types: deb-src"
        elif suffix == ".list" and line.startswith("deb "):
            line = "deb-src " + line.removeprefix("deb ")
        lines.append(line)
    return "\n".join(lines)


def run(command, directory):
    result = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        raise tools.Unavailable(f"{' '.join(command[-3:])} failed:\n{result.stdout.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="PROJECT", help=f"of {', '.join(PROJECTS)}; default: all")
    parser.add_argument("--directory", type=Path, default=tools.SOURCES)
    options = parser.parse_args()
    unknown = set(options.names) - set(PROJECTS)
    if unknown:
        parser.error(f"no such project: {', '.join(sorted(unknown))}")
    fetch([PROJECTS[name] for name in options.names or PROJECTS], options.directory.absolute())


if __name__ == "__main__":
    tools.guarded(main)
