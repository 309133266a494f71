"""cffi's builder of the compiled module `xenabs.kbdif._pump`.

The declarations are those of pump.h, read from there: they stand once.
"""

from pathlib import Path

from cffi import FFI

HERE = Path("xenabs/kbdif")  # setuptools runs this from the project's top folder


def declarations(header: str) -> str:
    """The header without its preprocessor lines, which cffi does not read."""
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


ffibuilder = FFI()
ffibuilder.cdef(declarations((HERE / "pump.h").read_text()))
ffibuilder.set_source(
    "xenabs.kbdif._pump",
    '#include "pump.h"',
    sources=[str(HERE / "pump.c")],
    include_dirs=[str(HERE)],
    depends=[str(HERE / "pump.h")],
    extra_compile_args=["-std=gnu11", "-O2", "-Wall", "-Wextra"],
)
