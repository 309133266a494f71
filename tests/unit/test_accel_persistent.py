"""`xenabs accel off --persistent` and `on --persistent` in trees with and without our package."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from xenabs.cli import cli
from xenabs.cli.accel import persistent, switch
from xenabs.errors import XenabsError
from xenabs.install.stamp import ACCEL, stamped
from xenabs.install.tree import Tree
from xenabs.x11.devices import RELATIVE, InputDevice

CHECKOUT = Path(__file__).parents[2]
OURS = "etc/X11/xorg.conf.d"
PACKAGES = "usr/share/X11/xorg.conf.d"
OFF, ALL, ON = "90-xenabs.conf", "91-xenabs-all.conf", "93-xenabs-on.conf"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(persistent, "_tree", lambda: Tree(tmp_path))
    return tmp_path


@pytest.fixture
def packaged(tree: Path) -> Path:
    """With our Debian package."""
    file = tree / PACKAGES / OFF
    file.parent.mkdir(parents=True)
    file.write_text(shipped(OFF))
    return tree


def shipped(name: str) -> str:
    return next(CHECKOUT.glob(f"xorg.conf.d*/{name}")).read_text()


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, ["accel", *words, "--persistent"])


def done(*words: str) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def present(tree: Path) -> set[str]:
    return {file.name for file in tree.glob(f"{OURS}/*")}


def test_the_file_is_shown_and_removed_again(tree: Path) -> None:
    told = done("off")
    file = tree / OURS / OFF
    assert str(file) in told
    assert shipped(OFF) in told
    assert shipped(OFF) in file.read_text()
    assert "there already" in done("off")
    assert present(tree) == {OFF}
    assert f"removed {file}" in done("on")
    assert present(tree) == set()
    assert "no file" in done("on")


def test_for_all_pointers(tree: Path) -> None:
    assert shipped(ALL) in done("off", "--all")
    assert present(tree) == {ALL}
    done("on", "--all")
    assert present(tree) == set()


def test_what_a_package_has_is_overruled_and_restored(packaged: Path) -> None:
    assert f"there already: {packaged / PACKAGES / OFF}" in done("off")
    assert present(packaged) == set()
    assert shipped(ON) in done("on")
    assert present(packaged) == {ON}
    assert shipped(OFF) in done("off")
    assert present(packaged) == set()
    done("on")
    done("off", "--all")
    assert present(packaged) == {ALL}
    assert (packaged / PACKAGES / OFF).read_text() == shipped(OFF)


def test_on_takes_back_and_guesses_only_where_nothing_is_to_be_taken_back(packaged: Path) -> None:
    done("off", "--all")
    told = done("on")
    assert (
        f"{packaged / PACKAGES / OFF} still turns acceleration of Xen's pointers off: repeat"
        in told
    )
    assert present(packaged) == set()
    assert "still" not in done("on")
    assert present(packaged) == {ON}


def test_what_xenabs_install_wrote_is_its_own(tree: Path) -> None:
    """Else it would be there again after the next one."""
    file = tree / OURS / OFF
    file.parent.mkdir(parents=True)
    file.write_text(stamped(shipped(OFF)))
    assert "there already" in done("off")
    done("on")
    assert present(tree) == {OFF, ON}
    done("off")
    assert present(tree) == {OFF}
    assert file.read_text() == stamped(shipped(OFF))


def test_what_no_command_of_ours_can_remove_is_told(packaged: Path) -> None:
    file = packaged / PACKAGES / ALL
    file.write_text(shipped(ALL))
    done("on")
    assert f"{file} still turns acceleration of all mice off: remove it" in done("on")


def test_why_acceleration_is_off(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which file turns the very pointers off that are, less those that are overruled."""
    monkeypatch.setattr(switch, "Tree", lambda path: Tree(packaged))
    (xens, other) = (
        InputDevice(9, name, RELATIVE, "libinput") for name in ("QEMU QEMU USB Mouse", "My Mouse")
    )
    for_xens = f"{packaged / PACKAGES / OFF} turns acceleration of Xen's pointers off"
    for_all = f"{packaged / PACKAGES / ALL} turns acceleration of all mice off"
    nothing = "in X's configuration"
    assert f"where {for_xens} (" in switch._why_off([xens])
    assert switch._why_off([other]).endswith(nothing)
    done("on")
    assert switch._why_off([xens]).endswith(nothing)
    (packaged / PACKAGES / ALL).write_text(shipped(ALL))
    assert switch._why_off([xens]).endswith(nothing)
    assert f"where {for_all} (" in switch._why_off([xens, other])
    (packaged / OURS / ON).unlink()
    assert f"where {for_xens} and {for_all} (" in switch._why_off([xens, other])
    assert f"where {for_all} (" in switch._why_off([other])


def test_a_copy_by_hand_is_ours(tree: Path) -> None:
    """As the documentation has it."""
    file = tree / OURS / ALL
    file.parent.mkdir(parents=True)
    file.write_text(shipped(ALL))
    assert "there already" in done("off", "--all")
    assert f"removed {file}" in done("on")
    assert present(tree) == set()


def test_nothing_is_done_before_it_is_known_that_all_of_it_can_be(packaged: Path) -> None:
    done("on")
    file = packaged / OURS / ALL
    file.write_text("# mine\n")
    assert str(file) in str(call("off", "--all").exception)
    assert present(packaged) == {ALL, ON}
    (packaged / OURS / OFF).write_text("# mine\n")
    file.write_text(stamped(shipped(ALL), ACCEL))
    assert OFF in str(call("on").exception)
    assert present(packaged) == {OFF, ALL, ON}


@pytest.mark.parametrize("words", [("off",), ("on",)])
def test_a_file_that_somebody_changed_is_left(tree: Path, words: tuple[str, ...]) -> None:
    done("off")
    file = tree / OURS / OFF
    file.write_text(file.read_text() + "# mine\n")
    result = call(*words)
    assert isinstance(result.exception, XenabsError)
    assert str(file) in str(result.exception)
    assert file.read_text().endswith("# mine\n")


def test_who_may_not_write_is_told_to_be_root(tree: Path) -> None:
    (tree / "etc").touch()  # not even root can write below it
    result = call("off")
    assert isinstance(result.exception, XenabsError)
    assert "as root" in str(result.exception)


def test_what_makes_no_sense_is_refused(tree: Path) -> None:
    assert call("off", "--device", "a mouse").exit_code == 2
    assert call("off", "--watch").exit_code == 2
    assert present(tree) == set()
