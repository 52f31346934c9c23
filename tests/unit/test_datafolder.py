"""The folder of an instance: real files, real locks, real processes that are killed."""

import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dutiful.datafolder import DataFolder, DataFolderError

as_user = pytest.mark.as_user


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_new_folder_is_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        DataFolder(tmp_path / "a" / "b").prepare()
    finally:
        os.umask(before)
    # Root's is passed through by the account that PostgreSQL runs as.
    assert mode(tmp_path / "a" / "b") == (0o711 if os.geteuid() == 0 else 0o700)


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    DataFolder(tmp_path).prepare()
    assert mode(tmp_path) == 0o750
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_its_place_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match=r"is not a folder\. Choose another one with DUTIFUL_DATA_DIR"):
        DataFolder(tmp_path / name).prepare()


@as_user
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderError, match="permission denied"):
        DataFolder(tmp_path).prepare()
    with pytest.raises(DataFolderError, match="permission denied"):
        DataFolder(tmp_path / "data").prepare()


@pytest.mark.linux
def test_a_place_that_cannot_hold_folders_is_told() -> None:
    with pytest.raises(DataFolderError, match=r"^The data folder /proc/dutiful cannot be used: .+\.$"):
        DataFolder(Path("/proc/dutiful")).prepare()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device"), "The disk of /srv/data is full. Make room and start again."),
        (
            OSError(30, "Read-only file system", "/srv/data"),
            "/srv/data is on a read-only file system. Choose another folder with DUTIFUL_DATA_DIR.",
        ),
    ],
)
def test_disks_that_take_no_more_are_told(error: OSError, sentence: str) -> None:
    assert DataFolder(Path("/srv/data"))._explain(error) == sentence


# --- the secrets ------------------------------------------------------------------------------------------------------


def test_the_secret_key_is_made_once(folder: DataFolder) -> None:
    key = folder.secret_key()
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert DataFolder(folder.path).secret_key() == key
    assert mode(folder.path / "secret-key") == 0o600


def test_racing_processes_agree_on_the_secret_key(folder: DataFolder) -> None:
    start = threading.Barrier(8)
    keys: list[str] = []

    def ask() -> None:
        start.wait()
        keys.append(folder.secret_key())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [path.name for path in folder.path.iterdir()] == ["secret-key"]


@pytest.mark.parametrize("content", ["", "changeme", "0" * 63])
def test_a_damaged_secret_key_is_not_replaced(folder: DataFolder, content: str) -> None:
    (folder.path / "secret-key").write_text(content)
    with pytest.raises(DataFolderError, match="is damaged"):
        folder.secret_key()
    assert (folder.path / "secret-key").read_text() == content


def test_the_owner_token_is_kept_and_replaced(folder: DataFolder) -> None:
    assert folder.read_owner_token() is None
    folder.write_owner_token("first")
    folder.write_owner_token("second")
    assert folder.read_owner_token() == "second"
    assert mode(folder.owner_token_path) == 0o600
    assert [path.name for path in folder.path.iterdir()] == ["owner-token"]


# --- the one server ---------------------------------------------------------------------------------------------------


def test_the_holder_is_known_to_others(folder: DataFolder) -> None:
    assert folder.running_server() is None
    with folder.hold("1.2.3"):
        starting = DataFolder(folder.path).running_server()
        folder.announce("http://127.0.0.1:8000")
        running = DataFolder(folder.path).running_server()
    assert starting
    assert (starting.pid, starting.version, starting.url) == (os.getpid(), "1.2.3", None)
    assert running
    assert (running.url, running.started_at) == ("http://127.0.0.1:8000", starting.started_at)
    assert folder.running_server() is None
    assert not (folder.path / "server.json").exists()


def test_a_second_holder_is_told_who_the_first_is(folder: DataFolder) -> None:
    with folder.hold("1"):
        with pytest.raises(DataFolderError, match=rf"in use by process {os.getpid()} \(still starting\)"):
            hold_and_leave(folder)
        folder.announce("http://127.0.0.1:8000")
        with pytest.raises(
            DataFolderError, match=rf"in use by process {os.getpid()} \(http://127.0.0.1:8000\)"
        ):
            hold_and_leave(folder)
        # The refused one took nothing with it.
        assert folder.running_server()
    hold_and_leave(folder)


def test_asking_does_not_get_in_the_way_of_holding(folder: DataFolder) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            folder.running_server()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(50):
            hold_and_leave(folder)
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("child", ["subprocess.Popen(['sleep', '60'])", "os.fork() or time.sleep(60)"])
def test_a_killed_holder_lets_go_though_its_children_live(folder: DataFolder, child: str) -> None:
    code = "\n".join(
        [
            "import os, pathlib, subprocess, sys, time",
            "from dutiful.datafolder import DataFolder",
            f"folder = DataFolder(pathlib.Path({str(folder.path)!r}))",
            "with folder.hold('1'):",
            "    folder.announce('http://127.0.0.1:8000')",
            f"    {child}",
            "    print('held', flush=True)",
            "    time.sleep(60)",
        ]
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        running = folder.running_server()
        assert running
        assert running.pid == holder.pid
        holder.kill()
        holder.wait()
        os.killpg(holder.pid, 0)  # the child lives
        # A fork closes its copy when it first runs, which may be later than its parent's death.
        deadline = time.monotonic() + 5
        while folder.running_server() and time.monotonic() < deadline:
            time.sleep(0.01)
        hold_and_leave(folder)
        os.killpg(holder.pid, 9)


def test_announcing_needs_holding(folder: DataFolder) -> None:
    with pytest.raises(RuntimeError):
        folder.announce("http://127.0.0.1:8000")


# --- helpers ----------------------------------------------------------------------------------------------------------


def hold_and_leave(folder: DataFolder) -> None:
    with DataFolder(folder.path).hold("2"):
        pass


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
