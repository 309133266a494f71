"""The watches that tell a frontend of its own end and of its backend's."""

from typing import Protocol

from xenabs.xen.xenbus import Frontend


class Watching(Protocol):
    """What watches ask of XenStore (see `xenabs.xen.store.Store`)."""

    def watch(self, path: str) -> None: ...
    def unwatch(self, path: str) -> None: ...


class Watches:
    """Watches on both ends; the backend's directory can be another one after a while."""

    def __init__(self, store: Watching, frontend: Frontend) -> None:
        self._store, self._frontend = store, frontend
        self._backend: str | None = None
        self._watched: set[str] = set()
        store.watch(frontend.path)

    def follow(self) -> None:
        """Watch the backend's directory of now."""
        self._backend = self._frontend.backend_path()
        if self._backend and self._backend not in self._watched:
            self._store.watch(self._backend)
            self._watched.add(self._backend)

    def forget(self) -> None:
        """Watch the directories of former backends no longer.

        Not at once: the kernel has whoever ends a watch wait for all that its drivers do after a
        restore.
        """
        for path in self._watched - {self._backend}:
            self._store.unwatch(path)
            self._watched.remove(path)
