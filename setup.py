"""Only what pyproject.toml cannot say: which cffi modules belong to the package."""

from setuptools import setup

setup(
    cffi_modules=[
        "xenabs/kbdif/_pump_build.py:ffibuilder",
        "xenabs/xen/_xenstore_build.py:ffibuilder",
    ]
)
