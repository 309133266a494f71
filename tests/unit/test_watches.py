"""The watches on both ends of a connection, over backends that come and go."""

from qemu_double import BACKEND, FRONTEND, FakeStore

from xenabs.xen.watches import Watches
from xenabs.xen.xenbus import Frontend

OTHER = "/local/domain/0/backend/vkbd/2/0"


class WatchingStore(FakeStore):
    """XenStore refuses a second watch on the same path, and an end of one that is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.watching: set[str] = set()

    def watch(self, path: str) -> None:
        assert path not in self.watching
        self.watching.add(path)

    def unwatch(self, path: str) -> None:
        self.watching.remove(path)


def moved_to(store: WatchingStore, backend: str | None) -> None:
    store.nodes.pop(f"{FRONTEND}/backend", None)
    if backend:
        store.nodes[f"{FRONTEND}/backend"] = backend


def test_another_backend_is_watched_at_once_and_the_former_no_longer_once_connected() -> None:
    store = WatchingStore()
    watches = Watches(store, Frontend(store, FRONTEND))
    watches.follow()
    assert store.watching == {FRONTEND, BACKEND}
    moved_to(store, OTHER)
    watches.follow()
    assert OTHER in store.watching
    watches.forget()
    assert store.watching == {FRONTEND, OTHER}


def test_a_backend_that_comes_back_is_watched_on() -> None:
    store = WatchingStore()
    watches = Watches(store, Frontend(store, FRONTEND))
    for backend in (BACKEND, None, BACKEND, OTHER, BACKEND):
        moved_to(store, backend)
        watches.follow()
        watches.follow()
    watches.forget()
    assert store.watching == {FRONTEND, BACKEND}
