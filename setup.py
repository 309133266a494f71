"""Only what pyproject.toml cannot say: the cffi modules, and files from outside of the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHARE = Path("share")
IN_PACKAGE = Path("xenabs/install/files")
"""Where the package has a copy of SHARE once it is built; see `xenabs.install.files`."""


class BuildPy(build_py):
    """Copies the files of SHARE, real files at the top of the sources, into the package."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self._shared():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target), preserve_mode=False)

    def get_source_files(self):
        return super().get_source_files() + [str(source) for source, _ in self._shared()]

    def get_outputs(self, include_bytecode=1):
        copied = [] if self.editable_mode else [str(target) for _, target in self._shared()]
        return super().get_outputs(include_bytecode) + copied

    def _shared(self):
        files = sorted(path for path in SHARE.rglob("*") if path.is_file())
        return [(path, Path(self.build_lib) / IN_PACKAGE / path) for path in files]


setup(
    cffi_modules=[
        "xenabs/kbdif/_pump_build.py:ffibuilder",
        "xenabs/xen/_xenstore_build.py:ffibuilder",
    ],
    cmdclass={"build_py": BuildPy},
)
