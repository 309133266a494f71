"""What can happen to a guest; each step says itself what must have come of it."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable

from pointing import HARM, until, until_given_back

from campaign.sending import ROOM, Wrong, expect
from campaign.stage import Stage
from testbed import backend
from testbed.bed import FILES_IN_DOM0
from testbed.processes import Processes
from testbed.rfb import LEFT
from testbed.service import UNIT

Step = Callable[[Stage, random.Random], None]

BURST = 0.4
"""Seconds that a burst takes, and within which somebody is killed."""

HANDSHAKE = 2.0
"""Seconds from taking its device until a daemon is connected, about."""

HELD_KEY = ord("h")

OOM_KILLED = "Memory cgroup out of memory: Killed process"
"""What the kernel says of one."""


def points(stage: Stage, chance: random.Random) -> None:
    """Nothing happens, the pointer is exact."""
    stage.points(chance, 20)


def burst(stage: Stage, chance: random.Random) -> None:
    """Nothing happens, all input arrives."""
    sent = stage.sent(chance)
    sent.burst(ROOM, BURST)
    stage.arrived(sent)


def killed(*who: str) -> Step:
    """Killed at some moment of a burst: what is in the ring arrives."""

    def step(stage: Stage, chance: random.Random) -> None:
        sent = stage.sent(chance)
        stage.inside.begin_kill(*who, after=chance.uniform(0, BURST))
        sent.burst(ROOM, BURST)
        stage.inside.settle(stage.kill(*who))
        stage.arrived(sent)

    return step


def killed_at_once(*who: str) -> Step:
    """Killed, and the next two in their handshakes, with input all the time."""

    def step(stage: Stage, chance: random.Random) -> None:
        sent = stage.sent(chance)
        stage.inside.begin_kill(*who, after=chance.uniform(0, BURST))
        sent.burst(ROOM // 3, BURST)
        gone = stage.kill(*who)
        for _ in range(2):
            stage.inside.begin_kill(*who, after=chance.uniform(0, HANDSHAKE), gone=gone)
            sent.burst(ROOM // 3, BURST)
            gone += stage.kill(*who)
        stage.inside.settle(gone)
        stage.arrived(sent)

    return step


def killed_in_a_drag(*who: str) -> Step:
    """Killed while a button is held, or just as it is pressed: one press, one release."""

    def step(stage: Stage, chance: random.Random) -> None:
        sent = stage.sent(chance)
        if chance.random() < 0.5:
            sent.press()
            stage.pointer.fence()
            stage.inside.begin_kill(*who, after=chance.uniform(0, BURST))
        else:
            stage.inside.begin_kill(*who, after=chance.uniform(0, BURST / 4))
            sent.press()
        for _ in range(chance.randrange(ROOM)):
            sent.move(LEFT)
        if chance.random() < 0.5:
            stage.inside.settle(stage.kill(*who))
            sent.release()
        else:
            sent.release()
            stage.inside.settle(stage.kill(*who))
        stage.arrived(sent)

    return step


def out_of_memory(stage: Stage, chance: random.Random) -> None:
    """The OOM killer has the daemon, until there is memory again: one drag."""
    sent = stage.sent(chance)
    sent.press()
    stage.pointer.fence()
    gone = [process["pid"] for process in stage.inside.look()["daemon"]]
    stage.systemctl("set-property", "--runtime", after=["MemoryMax=4M"])
    until(stage.guest, f"dmesg | grep -q '{OOM_KILLED}'")
    for _ in range(chance.randrange(ROOM)):
        sent.move(LEFT)
    sent.release()
    stage.systemctl("set-property", "--runtime", after=["MemoryMax=infinity"])
    stage.inside.settle(gone)
    stage.arrived(sent)
    stage.figures.kills["OOM killer"] += 1
    # It shows where it was called, which is no complaint.
    told = [line for line in stage.inside.look()["kernel"] if HARM.search(line)]
    expect("the kernel's complaints", [line for line in told if "Call Trace:" not in line], [])
    stage.guest.run(["dmesg", "-C"])


def handed_over(stage: Stage, chance: random.Random) -> None:
    """SIGHUP, as an upgrade sends it: nobody notices."""
    sent = stage.sent(chance)
    sent.press()
    stage.inside.begin_kill("daemon", signal="HUP", after=chance.uniform(0, BURST))
    for _ in range(chance.randrange(ROOM)):
        sent.move(LEFT)
    sent.release()
    stage.inside.settle(stage.inside.killed())
    stage.arrived(sent)


def reloaded(stage: Stage, chance: random.Random) -> None:
    """systemctl daemon-reload is not noticed, nor does it lose the descriptor store."""
    sent = stage.sent(chance)
    stage.guest.run(["systemctl", "daemon-reload"])
    sent.burst(ROOM, BURST)
    stage.arrived(sent)


def let_go(end: Callable[[Stage, random.Random], None]) -> Step:
    """What is held is let go of when `end` takes the pointer away, and the viewer's release is
    nothing new."""

    def step(stage: Stage, chance: random.Random) -> None:
        sent = stage.sent(chance)
        press = sent.press()
        stage.vnc.key(HELD_KEY, True)
        stage.pointer.fence()
        end(stage, chance)
        stage.pointer.fence()
        stage.vnc.pointer(*sent.pixel(), 0)
        stage.vnc.key(HELD_KEY, False)
        stage.pointer.fence()
        events = stage.pointer.events()
        told = [(e["button"], e["down"]) for e in events if e["event"] == "button"]
        expect("buttons of the window", told, [(1, True), (1, False)])
        first = next(e for e in events if e["event"] == "button")
        expect("pixel of the press", (first["x"], first["y"]), press)
        keys = [(e["keysym"], e["down"]) for e in events if e["event"] == "key"]
        expect("keys of the window", keys, [(HELD_KEY, True), (HELD_KEY, False)])
        stage.figures.clicks += 2
        stage.figures.keys += 2

    return step


def restarted(stage: Stage, chance: random.Random) -> None:
    with stage.stirring(chance, LEFT):
        stage.systemctl("restart")


def stopped(stage: Stage, chance: random.Random) -> None:
    with stage.stirring(chance, LEFT):
        stage.systemctl("stop")
        until_given_back(stage.guest)
        stage.systemctl("start")


def killed_and_stopped(stage: Stage, chance: random.Random) -> None:
    with stage.stirring(chance, LEFT):
        stage.guest.run(["sh", "-c", f"systemctl kill -s KILL {UNIT} && systemctl stop {UNIT}"])
        until_given_back(stage.guest)
        stage.systemctl("start")


def require_the_kernels_pointer(stage: Stage) -> None:
    """Raise Wrong if the kernel's driver does not move the pointer."""
    stage.pointer.fence()
    width, height = stage.pointer.screen
    there = [stage.pointer.move_and_read(width * i // 4, height * i // 4, LEFT) for i in (1, 3)]
    if there[0] == there[1]:
        raise Wrong(f"the kernel's driver does not move the pointer: it stays at {there[0]}")


def given_back(stage: Stage, chance: random.Random) -> None:
    with stage.stirring(chance, LEFT):
        stage.systemctl("stop")
        stage.guest.run(["xenabs", "release"])
    require_the_kernels_pointer(stage)
    stage.systemctl("start")


def killed_as_it_ends(stage: Stage, chance: random.Random) -> None:
    """Kill the daemon as it gives the device back: the guardian does that."""
    with stage.stirring(chance, LEFT):
        stage.systemctl("stop", "--no-block")
        delay = chance.uniform(0, HANDSHAKE)
        kill = f"sleep {delay}; systemctl kill -s KILL {UNIT} || true"
        stage.guest.run(["sh", "-c", kill])
        until_given_back(stage.guest)
    require_the_kernels_pointer(stage)
    stage.systemctl("start")


def reattached(stage: Stage, chance: random.Random) -> None:
    with stage.stirring(chance, LEFT):
        backend.detach(stage.guest)
        backend.attach(stage.guest)
    stage.inside.settle()
    stage.figures.attachments += 1


def backend_killed(stage: Stage, chance: random.Random) -> None:
    with stage.stirring(chance, LEFT):
        backend.kill(stage.guest)
    backend.start(stage.guest)
    stage.figures.backends += 1
    stage.follow(chance, "a new device model")


def restored(stage: Stage, chance: random.Random) -> None:
    stage.inside.close()
    with stage.stirring(chance, LEFT):
        stage.guest.save_and_restore()
    stage.figures.restores += 1
    stage.follow(chance, "a restore")
    stage.inside = Processes(stage.guest)


def checkpointed(stage: Stage, chance: random.Random) -> None:
    """Nobody notices a checkpoint, with input all the time."""
    file = f"{FILES_IN_DOM0}/checkpoint"
    sent = stage.sent(chance)
    command = ["xl", "save", "-c", stage.guest.wanted.name, file]
    saving = stage.bed.dom0.popen(command, stderr=subprocess.STDOUT)
    sent.burst(ROOM, 10 * BURST)
    output, _ = saving.communicate()
    if saving.returncode:
        raise Wrong(f"xl save -c ended with status {saving.returncode}: {output.decode()}")
    stage.bed.dom0.run(["rm", file])
    stage.arrived(sent)


def paused(stage: Stage, chance: random.Random) -> None:
    """What was sent while the guest is paused arrives when it goes on."""
    sent = stage.sent(chance)
    name = stage.guest.wanted.name
    stage.bed.dom0.run(["xl", "pause", name])
    sent.burst(ROOM)
    stage.vnc.sync()
    stage.bed.dom0.run(["xl", "unpause", name])
    stage.arrived(sent)


BOTH = ("daemon", "guardian")

STEPS: dict[str, Step] = {
    "points": points,
    "burst": burst,
    "daemon killed": killed("daemon"),
    "guardian killed": killed("guardian"),
    "both killed": killed(*BOTH),
    "daemon killed as it starts": killed_at_once("daemon"),
    "both killed as they start": killed_at_once(*BOTH),
    "daemon killed in a drag": killed_in_a_drag("daemon"),
    "guardian killed in a drag": killed_in_a_drag("guardian"),
    "both killed in a drag": killed_in_a_drag(*BOTH),
    "daemon out of memory": out_of_memory,
    "SIGHUP": handed_over,
    "daemon-reload": reloaded,
    "restart": let_go(restarted),
    "stop, start": let_go(stopped),
    "kill, stop, start": let_go(killed_and_stopped),
    "release, start": let_go(given_back),
    "killed as it ends, start": let_go(killed_as_it_ends),
    "detach, attach": let_go(reattached),
    "device model killed": let_go(backend_killed),
    "save, restore": let_go(restored),
    "checkpoint": checkpointed,
    "pause": paused,
}

DECK = dict.fromkeys(STEPS, 1) | {
    "daemon killed": 4,
    "both killed": 2,
    "daemon killed as it starts": 2,
    "daemon killed in a drag": 3,
    "pause": 2,
}
"""How often a step is among as many as come before each has been again."""
