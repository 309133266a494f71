"""The files beside the Python package: where they go, and what is in them."""

import re
from collections.abc import Iterator
from importlib import resources

from xenabs.install.program import Program

DIRECTORIES = {
    "autostart": "/usr/local/share/xenabs/autostart",
    "completions/bash": "/usr/local/share/bash-completion/completions",
    "completions/fish": "/etc/fish/completions",
    "completions/zsh": "/usr/local/share/zsh/site-functions",
    "man1": "/usr/local/share/man/man1",
    "modules-load.d": "/etc/modules-load.d",
    "systemd": "/etc/systemd/system",
    "systemd/sysinit.target.d": "/etc/systemd/system/sysinit.target.d",
    "systemd/user": "/etc/systemd/user",
    "udev": "/etc/udev/rules.d",
    "xorg.conf.d": "/etc/X11/xorg.conf.d",
    "xorg.conf.d.available": "/usr/local/share/xenabs/xorg.conf.d",
}
"""Directory of the sources -> the administrator's own in a tree: below /etc where that is read."""

PACKAGED = re.compile(r"/usr/bin/(xenabs|python3)\b")
"""What the files as they are, a distribution's, say of where the programs are."""

RENAMED_PYTHON = "ExecStart=@/usr/bin/python3 "
"""It runs under another name, by which it does not find where it is itself, nor its packages."""


def templates() -> Iterator[tuple[str, str]]:
    """Each file's path in a tree, and its text in a distribution's package."""
    for source, target in DIRECTORIES.items():
        directory = resources.files(__package__) / "files" / source
        files = (each for each in directory.iterdir() if each.is_file())
        for file in sorted(files, key=lambda each: each.name):
            yield f"{target}/{file.name}", file.read_text()


def adapted(text: str, program: Program) -> str:
    """A file's text for another place of xenabs and its Python."""
    setting = f"Environment=PYTHONPATH={program.packages}\n"
    text = text.replace(RENAMED_PYTHON, setting + RENAMED_PYTHON)
    paths = {"xenabs": program.executable, "python3": program.interpreter}
    return PACKAGED.sub(lambda found: paths[found[1]].replace("%", "%%"), text)


def modules() -> list[str]:
    """The kernel modules that xenabs needs."""
    texts = (text for path, text in templates() if path.startswith("/etc/modules-load.d/"))
    lines = "".join(texts).splitlines()
    return [line for line in lines if line and not line.startswith("#")]
