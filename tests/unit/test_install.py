"""xenabs install and uninstall on the tree of an image."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from testbed import wheel
from xenabs.cli import cli
from xenabs.devices import tablet as tablet_device
from xenabs.errors import XenabsError
from xenabs.install import files, snippets
from xenabs.install.program import find
from xenabs.install.stamp import ACCEL, stamped
from xenabs.install.tree import Tree

CHECKOUT = Path(__file__).parents[2]
LINKS = CHECKOUT / "xenabs/install/files"
UNITS = "etc/systemd/system"
RULE = "etc/udev/rules.d/60-xenabs.rules"
SNIPPETS = "etc/X11/xorg.conf.d"
XENABS = "/opt/xenabs/bin/xenabs"
PACKAGES = "lib/python3.12/site-packages"


def make_program(tree: Path, executable: str, interpreter: str) -> None:
    """What pip makes of an entry point, beside the Python of a distribution."""
    path = tree / executable.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text(f"#!{interpreter}\nprint('xenabs')\n")
    package = path.parents[1] / PACKAGES / "xenabs"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tree / "usr/bin").mkdir(parents=True, exist_ok=True)
    (tree / "usr/bin/python3").touch()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The tree of an image with a virtual environment, whose Python is a link out of it."""
    tree = tmp_path / "tree"
    make_program(tree, XENABS, "/opt/xenabs/bin/python3")
    (tree / "opt/xenabs/bin/python3").symlink_to("/usr/bin/python3")
    return tree


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def install(tree: Path, *words: str) -> Result:
    return call("install", "--root", tree, "--executable", XENABS, *words)


def present(tree: Path) -> dict[str, str]:
    """The files in a tree, by path."""
    found = (path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(tree)): path.read_text() for path in found}


def sentence(result: Result) -> str:
    """The one sentence that `main` prints of the failure."""
    assert isinstance(result.exception, XenabsError)
    text = str(result.exception)
    assert "\n" not in text
    return text


def test_what_is_installed_is_what_lies_at_the_top_of_the_sources(tree: Path) -> None:
    before = present(tree)
    result = install(tree)
    assert result.exit_code == 0
    written = {path: text for path, text in present(tree).items() if path not in before}
    sources = [
        f"{target.lstrip('/')}/{files.RENAMED.get(file.name, file.name)}"
        for source, target in files.DIRECTORIES.items()
        for file in files.directory(source).iterdir()
        if file.is_file()
    ]
    assert sorted(written) == sorted(sources)
    assert "usr/share/libinput/61-xenabs-local.quirks" in written
    assert all(f"wrote {tree / path}" in result.output for path in written)
    assert "next boot" in result.output


def test_uninstall_leaves_the_quirks_of_a_distributions_package(tree: Path) -> None:
    packaged = tree / "usr/share/libinput/60-xenabs.quirks"
    packaged.parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / "share/libinput/60-xenabs.quirks", packaged)
    install(tree)
    call("uninstall", "--root", tree)
    assert [path.name for path in packaged.parent.iterdir()] == [packaged.name]


def test_what_lies_below_share_is_in_the_package_that_is_built(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    wheel._copy_sources(sources)
    words = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", tmp_path / "built"]
    subprocess.run(words, cwd=sources, check=True, capture_output=True)
    share = CHECKOUT / "share"
    built = tmp_path / "built/xenabs/install/files/share"
    assert present(built) == present(share)
    assert present(share)


def test_the_quirks_are_for_the_device_that_the_daemon_makes() -> None:
    """libinput compares MatchName with fnmatch(3)."""
    lines = (CHECKOUT / "share/libinput/60-xenabs.quirks").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        f"[{tablet_device.NAME}]",
        f"MatchName={tablet_device.NAME}",
        "ModelBouncingKeys=1",
    ]


def test_the_wheel_is_built_of_all_that_is_installed() -> None:
    links = [path for path in LINKS.rglob("*") if path.is_symlink()]
    assert {str(link.resolve().relative_to(CHECKOUT)) for link in links} <= set(wheel.SOURCES)


def test_the_unit_calls_the_program_of_the_tree(tree: Path) -> None:
    install(tree)
    unit = (tree / UNITS / "xenabs@.service").read_text()
    assert f"ExecStart={XENABS} run %i" in unit
    assert "/usr/bin" not in unit


def test_the_autostart_entry_calls_the_program_of_the_tree(tree: Path) -> None:
    install(tree)
    entry = (tree / "usr/local/share/xenabs/autostart/xenabs-accel.desktop").read_text()
    assert f"\nTryExec={XENABS}\nExec={XENABS} accel off --watch\n" in entry


def test_zsh_finds_its_tag_and_a_changed_completion_is_somebodys(tree: Path) -> None:
    install(tree)
    file = tree / "usr/local/share/zsh/site-functions/_xenabs"
    text = file.read_text()
    assert text.startswith("#compdef xenabs\n# Written by xenabs install")
    assert install(tree).exit_code == 0
    file.write_text(text.replace("\ncompdef", "\n# mine\ncompdef"))
    assert str(file) in sentence(install(tree))


def test_the_manual_page_is_one_and_a_changed_one_is_somebodys(tree: Path) -> None:
    install(tree)
    file = tree / "usr/local/share/man/man1/xenabs.1"
    text = file.read_text()
    assert text.startswith('.\\" Written by xenabs install')
    assert install(tree).exit_code == 0
    file.write_text(text + '.\\" mine\n')
    assert str(file) in sentence(install(tree))


def test_a_renamed_python_finds_its_packages(tree: Path) -> None:
    program = find(Tree(tree), XENABS)
    text = files.adapted("[Service]\nExecStart=@/usr/bin/python3 @name -m xenabs.guardian", program)
    assert text.splitlines() == [
        "[Service]",
        f"Environment=PYTHONPATH=/opt/xenabs/{PACKAGES}",
        "ExecStart=@/opt/xenabs/bin/python3 @name -m xenabs.guardian",
    ]


def test_an_editable_installation_is_refused(tree: Path) -> None:
    shutil.rmtree(tree / f"opt/xenabs/{PACKAGES}/xenabs")
    assert "editable" in sentence(install(tree))


def test_uninstall_leaves_the_tree_as_it_was(tree: Path) -> None:
    before = present(tree)
    install(tree)
    result = call("uninstall", "--root", tree)
    assert result.exit_code == 0
    assert f"removed {tree / RULE}" in result.output
    assert present(tree) == before
    assert "nothing" in call("uninstall", "--root", tree).output


def test_install_again_moves_to_another_program(tree: Path) -> None:
    install(tree)
    make_program(tree, "/srv/xenabs/bin/xenabs", "/usr/bin/python3")
    result = call("install", "--root", tree, "--executable", "/srv/xenabs/bin/xenabs")
    assert result.exit_code == 0
    assert "ExecStart=/srv/xenabs/bin/xenabs" in (tree / UNITS / "xenabs@.service").read_text()


def test_a_file_that_somebody_changed_is_replaced_by_force_only(tree: Path) -> None:
    install(tree)
    rule = tree / RULE
    installed = rule.read_text()
    rule.write_text(installed + "# mine\n")
    before = present(tree)
    assert str(rule) in sentence(install(tree))
    assert present(tree) == before
    assert install(tree, "--force").exit_code == 0
    assert rule.read_text() == installed


def test_a_file_that_somebody_changed_is_removed_by_force_only(tree: Path) -> None:
    install(tree)
    rule = tree / RULE
    rule.write_text(rule.read_text() + "# mine\n")
    assert str(rule) in sentence(call("uninstall", "--root", tree))
    assert rule.exists()
    assert not (tree / UNITS / "xenabs@.service").exists()
    assert call("uninstall", "--root", tree, "--force").exit_code == 0
    assert not rule.exists()


def test_what_accel_wrote_is_no_hindrance_and_goes_too(tree: Path) -> None:
    before = present(tree)
    snippets.switch_off(Tree(tree), everything=False)
    snippets.switch_off(Tree(tree), everything=True)
    assert install(tree).exit_code == 0
    snippets.switch_on(Tree(tree))
    snippets.switch_on(Tree(tree))
    result = call("uninstall", "--root", tree)
    assert result.exit_code == 0
    assert f"removed {tree / SNIPPETS / snippets.ON}" in result.output
    assert present(tree) == before


def test_what_is_shipped_may_be_there_as_it_is(tree: Path) -> None:
    (tree / RULE).parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / "udev" / Path(RULE).name, tree / RULE)
    assert install(tree).exit_code == 0


def test_purging_the_debian_package_removes_what_accel_wrote(tree: Path) -> None:
    """And nothing else; removing it leaves its configuration, as Debian has it."""
    snippets.switch_off(Tree(tree), everything=True)
    (tree / SNIPPETS / snippets.ON).write_text(stamped("# mine\n", ACCEL) + "# changed\n")
    (tree / SNIPPETS / "90-xenabs-mine.conf").write_text("# mine\n")
    before = present(tree)
    assert postrm(tree, "upgrade") == before
    assert postrm(tree, "purge") == {
        path: text for path, text in before.items() if snippets.OFF_FOR_ALL not in path
    }


def postrm(tree: Path, action: str) -> dict[str, str]:
    """What is there after the package's script."""
    environment = {**os.environ, "DPKG_ROOT": str(tree)}
    script = CHECKOUT / "debian/xenabs.postrm"
    subprocess.run(["/bin/sh", script, action], env=environment, check=True)
    return present(tree)


def test_a_masked_unit_is_somebodys(tree: Path) -> None:
    (tree / UNITS).mkdir(parents=True)
    mask = tree / UNITS / "xenabs@.service"
    mask.symlink_to("/dev/null")
    assert str(mask) in sentence(install(tree))
    assert install(tree, "--force").exit_code == 0
    assert not mask.is_symlink()


@pytest.mark.parametrize("target", ["/usr/etc", "usr/etc", "../../../usr/etc"])
def test_links_in_the_tree_do_not_lead_out_of_it(tree: Path, target: str) -> None:
    (tree / "etc").symlink_to(target)
    assert install(tree).exit_code == 0
    assert (tree / "usr" / RULE).is_file()


@pytest.fixture
def host(tmp_path: Path, tree: Path) -> Iterator[Path]:
    """A file of the host, beside the tree of a guest that means it harm."""
    file = tmp_path / "host" / Path(RULE).name
    file.parent.mkdir()
    file.write_text("the host's\n")
    before = file.stat()
    yield file
    after = file.stat()
    assert (after.st_ctime_ns, after.st_ino) == (before.st_ctime_ns, before.st_ino)
    assert file.read_text() == "the host's\n"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("name", [RULE, f"{RULE}.new"])
def test_a_link_in_a_file_s_place_is_replaced_and_not_followed(
    tree: Path, host: Path, name: str
) -> None:
    (tree / RULE).parent.mkdir(parents=True)
    (tree / name).symlink_to(host)
    assert install(tree, "--force").exit_code == 0
    assert not (tree / RULE).is_symlink()
    assert call("uninstall", "--root", tree).exit_code == 0


def test_a_hard_link_in_a_file_s_place_is_replaced_and_not_written_through(
    tree: Path, host: Path
) -> None:
    (tree / RULE).parent.mkdir(parents=True)
    other = tree / "other"
    other.write_text("the guest's\n")
    (tree / RULE).hardlink_to(other)
    assert install(tree, "--force").exit_code == 0
    assert other.read_text() == "the guest's\n"


@pytest.mark.parametrize("up", ["", "../../../../../../../../../.."], ids=["absolute", "upwards"])
def test_a_directory_that_is_a_link_to_the_host_s_leads_into_the_tree(
    tree: Path, host: Path, up: str
) -> None:
    (tree / RULE).parent.parent.mkdir(parents=True)
    (tree / RULE).parent.symlink_to(f"{up}{host.parent}")
    (tree / str(host.parent).lstrip("/")).mkdir(parents=True)
    assert install(tree).exit_code == 0
    assert (tree / str(host).lstrip("/")).is_file()
    assert call("uninstall", "--root", tree).exit_code == 0
    assert not (tree / str(host).lstrip("/")).exists()


@pytest.mark.parametrize("call", ["write", "remove"])
def test_a_directory_that_becomes_a_link_meanwhile_is_refused(
    tree: Path, host: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tree / RULE).parent.mkdir(parents=True)
    (tree / RULE).touch()
    looked = Tree.entry

    def swap(self: Tree, path: str) -> Path:
        found = looked(self, path)
        shutil.rmtree(found.parent)
        found.parent.symlink_to(host.parent)
        return found

    monkeypatch.setattr(Tree, "entry", swap)
    arguments = [f"/{RULE}", "text"][: 2 if call == "write" else 1]
    with pytest.raises(XenabsError, match="cannot be changed"):
        getattr(Tree(tree), call)(*arguments)


def test_what_is_no_file_is_not_opened(tree: Path) -> None:
    (tree / RULE).parent.mkdir(parents=True)
    os.mkfifo(tree / RULE)
    assert str(tree / RULE) in sentence(install(tree))
    assert install(tree, "--force").exit_code == 0
    assert (tree / RULE).is_file()


def test_nothing_half_written_stays_where_there_is_no_room(tree: Path) -> None:
    before = present(tree)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
    try:
        told = sentence(install(tree))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "cannot be changed" in told
    assert present(tree) == before


def test_a_loop_of_links_is_told(tree: Path) -> None:
    (tree / "etc").symlink_to("etc")
    assert "loop" in sentence(install(tree))


def test_a_tree_without_xenabs_is_refused(tmp_path: Path) -> None:
    assert "pip" in sentence(install(tmp_path))
    make_program(tmp_path, XENABS, "/nowhere/python3")
    assert "/nowhere/python3" in sentence(install(tmp_path))
    assert not (tmp_path / "etc").exists()


def test_no_such_directory(tmp_path: Path) -> None:
    assert "no directory" in sentence(install(tmp_path / "none"))
    assert "no directory" in sentence(call("uninstall", "--root", tmp_path / "none"))


def test_a_tree_that_cannot_be_written_is_told(tree: Path) -> None:
    (tree / "etc").mkdir()
    (tree / "etc/udev").touch()  # where a directory should be: not even root can write below it
    assert "cannot be changed" in sentence(install(tree))


def test_the_program_prints_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("xenabs")
    words = [program, "install", "--root", tmp_path / "none"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("xenabs: there is no directory")
    assert done.stderr.count("\n") == 1


def test_the_tree_may_be_where_the_running_program_is(tree: Path) -> None:
    """As when an image is mounted and its own xenabs is called from outside."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    words = [
        "-c",
        f"import sys; sys.argv[0] = '{tree}{XENABS}'; from xenabs.cli import main; main()",
    ]
    subprocess.run([sys.executable, *words, "install", "--root", tree], env=environment, check=True)
    assert f"ExecStart={XENABS}" in (tree / UNITS / "xenabs@.service").read_text()
