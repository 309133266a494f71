"""Whatever a backend writes, in whatever batches: the pump does what the model does."""

from collections.abc import Iterable

from evdev import ecodes
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ring_model import (
    BUTTONS,
    INT_MAX,
    INT_MIN,
    KEY,
    KEY_A,
    KEYS,
    LAST_CODE,
    MOTION,
    POS,
    SLOTS,
    SYN,
    U32,
    Event,
    Frame,
    Model,
    Rig,
    frames_of,
    key,
    motion,
    pos,
)

MODELLED = (
    "entries",
    "positions",
    "motions",
    "keys",
    "ignored",
    "refused",
    "clamped",
    "overruns",
    "frames",
    "events",
)

coordinates = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-1, 799, 800, 16383, 32764, 32767, 32768, INT_MAX, INT_MIN]),
    st.integers(INT_MIN, INT_MAX),
)
steps = st.one_of(st.just(0), st.sampled_from([1, -1, 127, -128, INT_MAX, INT_MIN]))
codes = st.one_of(
    st.sampled_from(sorted(BUTTONS)),
    st.sampled_from(sorted(KEYS)),
    st.sampled_from([0, LAST_CODE + 1, 0x10000 + KEY_A, U32]),
    st.integers(0, U32),
)
entries = st.one_of(
    st.builds(pos, coordinates, coordinates, steps),
    st.builds(motion, coordinates, coordinates, steps),
    st.builds(key, codes, st.sampled_from([0, 1, 2, 255])),
    st.binary(min_size=40, max_size=40),
    st.tuples(st.sampled_from([MOTION, KEY, POS]), st.binary(min_size=39, max_size=39)).map(
        lambda parts: bytes([parts[0]]) + parts[1]
    ),
)
batches = st.one_of(
    st.lists(entries, max_size=SLOTS), st.lists(entries, min_size=SLOTS, max_size=SLOTS)
)
starts = st.one_of(st.just(0), st.integers(2**32 - 3 * SLOTS, U32), st.integers(0, U32))
screens = st.one_of(
    st.sampled_from([(0, 0), (800, 600), (1, 1), (16383, 7)]),
    st.tuples(st.integers(0, 16383), st.integers(0, 16383)),
)
unhurried = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},
    report_multiple_bugs=False,
)


def as_written(rig: Rig, runs: Iterable[tuple[str, list[Frame]]], together: bool) -> None:
    """Both devices' reader, or each one's, has just these runs of frames, in as few writes."""
    if not together:
        for device, reader in (("tablet", rig.tablet), ("keyboard", rig.keyboard)):
            expected = [frame for name, frames in runs if name == device for frame in frames]
            assert reader.frames() == expected
        return
    messages = rig.tablet.messages()
    for _, frames in runs:
        got: list[Frame] = []
        writes = 0
        while messages and len(got) < len(frames):
            got += frames_of(messages.pop(0))
            writes += 1
        assert got == frames
        # A frame has at most 12 events, so only a write of 115 and more may leave one out.
        assert writes <= 1 + sum(len(frame) + 1 for frame in frames) // 115
    assert not messages


def in_any_order(runs: Iterable[tuple[str, list[Frame]]]) -> list[tuple[str, Frame]]:
    return sorted((device, frame) for device, frames in runs for frame in frames)


@unhurried
@given(
    start=starts,
    together=st.booleans(),
    actions=st.lists(
        st.one_of(
            st.tuples(st.just("batch"), batches),
            st.tuples(st.just("batch"), batches),
            st.tuples(st.just("ahead"), st.integers(SLOTS + 1, U32)),
            st.tuples(st.just("release"), st.none()),
            st.tuples(st.just("screen"), screens),
            st.tuples(st.just("raw"), st.booleans()),
        ),
        max_size=8,
    ),
    told_cons=st.one_of(st.none(), st.integers(0, U32)),
)
def test_the_pump_does_what_the_model_does(start, together, actions, told_cons) -> None:
    model = Model()
    with Rig(start=start, together=together) as rig:
        for action, argument in actions:
            if action == "batch":
                cons = rig.backend.prod
                placed = rig.backend.put(*argument)
                waiting = rig.backend.waiting(cons)
                if waiting and told_cons is not None:
                    rig.backend.cons = told_cons
                assert rig.ring.drain() == len(waiting) == placed
                as_written(rig, model.batch(waiting), together)
                # Entries of buttons that wait for a position are not given back yet.
                if waiting:
                    assert (rig.backend.cons == rig.backend.prod) == (not model.pending)
            elif action == "screen":
                rig.ring.set_screen(*argument)
                model.screen = argument
            elif action == "raw":
                (rig.ring.speak_raw if argument else rig.ring.speak_pixels)()
                model.raw = argument
            else:
                if action == "ahead":
                    rig.backend.prod += argument
                    assert rig.ring.drain() == 0
                    expected = model.overrun()
                else:
                    rig.ring.release()
                    expected = model.release()
                got = [("tablet", rig.tablet.frames()), ("keyboard", rig.keyboard.frames())]
                if together:
                    expected = [("tablet", frames) for _, frames in expected]
                assert in_any_order(got) == in_any_order(expected)
        counters = rig.ring.counters()
        assert {name: counters[name] for name in MODELLED} == {
            name: model.counters[name] for name in MODELLED
        }


class Sceptic:
    """A reader that knows what its device declared and what is down, and believes nothing else."""

    def __init__(self, codes: Iterable[int], is_tablet: bool) -> None:
        self.codes = frozenset(codes)
        self.is_tablet = is_tablet
        self.down: set[int] = set()
        self.axes: dict[int, int] = {}

    def read(self, messages: Iterable[list[Event]]) -> None:
        for message in messages:
            assert 2 <= len(message) <= 126
            assert message[-1] == SYN
            for kind, code, value in message:
                if kind == ecodes.EV_KEY:
                    self.key(code, value)
                elif kind == ecodes.EV_ABS:
                    assert self.is_tablet
                    assert code in (ecodes.ABS_X, ecodes.ABS_Y)
                    assert 0 <= value <= 65533
                    assert self.axes.get(code) != value, "evdev would drop this"
                    self.axes[code] = value
                elif kind == ecodes.EV_REL:
                    assert self.is_tablet
                    assert code == ecodes.REL_WHEEL
                    assert 1 <= abs(value) <= 127
                else:
                    assert (kind, code, value) == SYN

    def key(self, code: int, value: int) -> None:
        assert code in self.codes
        if value == 1:
            assert code not in self.down
            self.down.add(code)
        else:
            assert code in self.down
            assert value == 0 or (value == 2 and not self.is_tablet)
            if value == 0:
                self.down.remove(code)


MANY_BUTTONS = range(0x110, 0x120)


@unhurried
@given(
    start=starts,
    screen=st.tuples(st.integers(0, U32), st.integers(0, U32)),
    scales=st.lists(st.tuples(st.integers(1, U32), st.integers(1, U32)), max_size=20),
    raw=st.booleans(),
    batches=st.lists(
        st.tuples(
            batches,
            st.one_of(st.none(), st.sampled_from([1, SLOTS]), st.integers(0, U32)),
            st.integers(0, U32),
            st.booleans(),
        ),
        max_size=6,
    ),
)
def test_no_backend_makes_the_pump_write_what_a_device_did_not_declare(
    start, screen, scales, raw, batches
) -> None:
    tablet = Sceptic(MANY_BUTTONS, is_tablet=True)
    keyboard = Sceptic(KEYS, is_tablet=False)
    # A code that both declare is the tablet's.
    with Rig(start=start, together=False, buttons=MANY_BUTTONS, keys=[*KEYS, *MANY_BUTTONS]) as rig:
        rig.ring.set_screen(*screen, scales)
        if not raw:
            rig.ring.speak_pixels()
        for batch, more, told_cons, release in batches:
            rig.backend.put(*batch)
            if more is not None:
                rig.backend.prod += more
            if rig.backend.prod != rig.backend.cons:
                rig.backend.cons = told_cons
            drained = rig.ring.drain()
            assert 0 <= drained <= SLOTS
            if drained:  # else it told nothing, and what the backend wrote there still stands
                assert rig.backend.prod - rig.backend.cons & U32 <= SLOTS
            if release:
                rig.ring.release()
            tablet.read(rig.tablet.messages())
            keyboard.read(rig.keyboard.messages())
        rig.ring.release()
        tablet.read(rig.tablet.messages())
        keyboard.read(rig.keyboard.messages())
    assert not tablet.down
    assert not keyboard.down
