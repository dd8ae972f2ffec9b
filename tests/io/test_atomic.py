import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from wirelax.io import (
    FileError,
    InputError,
    MissingExtraError,
    OutputError,
    atomic_path,
    check_new_folder,
    check_writable,
    read_arrays,
    write_arrays,
    write_atomic,
)


def refusal(call, *parts):
    with pytest.raises(OutputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert all(str(part) in message for part in parts), message


def test_text_and_bytes_make_their_folder(tmp_path):
    path = write_atomic(tmp_path / "a" / "b" / "x.txt", "é\n")
    assert path.read_bytes() == "é\n".encode()
    assert write_atomic(str(path), b"\x00").read_bytes() == b"\x00"
    assert os.listdir(path.parent) == ["x.txt"]


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = write_atomic(tmp_path / "x.npz", "old")
    for error in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(error):
            _fail(path, error)
    refusal(lambda: _fail(path, OSError(28, "No space left on device")), path, "No space left on device")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.npz"]


def _fail(path, error):
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".npz"
        temporary.write_text("half")
        raise error


def test_an_existing_file_is_kept_even_if_it_appears_meanwhile(tmp_path, monkeypatch):
    path = tmp_path / "x"

    def write_while_another_does():
        with atomic_path(path, overwrite=False) as temporary:
            temporary.write_text("mine")
            path.write_text("theirs")

    refusal(write_while_another_does, path, "exists already", "--overwrite")
    refusal(lambda: write_atomic(path, "mine", overwrite=False), "exists already")
    path.unlink()
    monkeypatch.setattr(os, "link", lambda *_: _raise(OSError(95, "Operation not supported")))
    refusal(write_while_another_does, path, "exists already")
    assert path.read_text() == "theirs"
    path.unlink()
    assert write_atomic(path, "mine", overwrite=False).read_text() == "mine"
    assert os.listdir(tmp_path) == ["x"]


def _raise(error):
    raise error


def test_links_are_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "x").symlink_to(tmp_path / "disk" / "y")
    write_atomic(tmp_path / "x", "1")
    write_atomic(tmp_path / "x", "2")
    assert (tmp_path / "x").is_symlink()
    assert (tmp_path / "disk" / "y").read_text() == "2"


def test_the_longest_names_can_be_written(tmp_path):
    assert write_atomic(tmp_path / ("a" * 251 + ".npz"), "x").exists()


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.mat"])
def test_writers_of_one_file_at_once_do_not_meet(tmp_path, name):
    path, errors, start = tmp_path / name, [], threading.Barrier(8)

    def write(value):
        start.wait()
        try:
            for _ in range(5):
                write_arrays(path, {"gain": np.full((50, 50), value)}, overwrite=True)
                gain = read_arrays(path, ["gain"])["gain"]
                assert (gain == gain[0, 0]).all()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(float(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert os.listdir(tmp_path) == [name]


def test_only_one_of_many_gets_a_free_place(tmp_path):
    path, won, start = tmp_path / "x", [], threading.Barrier(8)

    def write(value):
        start.wait()
        try:
            write_atomic(path, value, overwrite=False)
            won.append(value)
        except OutputError:
            pass

    threads = [threading.Thread(target=write, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [path.read_text()]


def test_what_cannot_be_written_is_found_out_before(tmp_path, monkeypatch):
    (tmp_path / "a.npz").write_text("")
    (tmp_path / "b.npz").mkdir()
    refusal(lambda: check_writable(tmp_path / "a.npz"), "exists already", "--overwrite")
    refusal(lambda: check_writable(tmp_path / "b.npz", overwrite=True), "is a directory")
    refusal(lambda: check_writable(tmp_path / "a.txt"), "'.txt'", ".npz, .h5, .hdf5, .mat")
    refusal(lambda: check_writable(tmp_path / "no" / "a.npz"), f"no directory {tmp_path / 'no'}", "create it")
    for good in (check_writable(tmp_path / "a.npz", True), check_writable(tmp_path / "A.MAT")):
        assert good.parent == tmp_path
    assert check_writable(tmp_path / "b.json", suffixes=(".json",)).name == "b.json"
    check_writable(tmp_path / "c.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"c\.h5 .*pip install 'wirelax\[io\]'"):
        check_writable(tmp_path / "c.h5")
    assert issubclass(MissingExtraError, ImportError)


def test_a_folder_that_is_not_writable(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    refusal(lambda: check_writable(tmp_path / "a.npz"), "not writable")
    refusal(lambda: check_new_folder(tmp_path / "a" / "b", False, "table.json"), f"{tmp_path} is not writable")


def test_a_folder_of_results_is_not_replaced_unasked(tmp_path):
    folder = check_new_folder(tmp_path / "a" / "b", False, "table.json")
    assert folder.is_dir()
    assert check_new_folder(folder, False, "table.json") == folder
    (folder / "table.json").write_text("")
    refusal(lambda: check_new_folder(folder, False, "table.json"), "table.json exists already")
    check_new_folder(folder, True, "table.json")
    refusal(lambda: check_new_folder(folder / "table.json", True, "x"), "is a file")


def test_every_fault_of_a_file_is_one_of_input():
    import wirelax.io

    errors = [getattr(wirelax.io, name) for name in wirelax.io.__all__ if name.endswith("Error")]
    assert all(issubclass(error, InputError) and issubclass(error, ValueError) for error in errors)
    assert all(issubclass(error, FileError) for error in errors if error is not InputError)
    assert len(errors) == 9


def test_the_room_opens_without_the_heavy_libraries():
    import subprocess

    code = (
        "import sys, wirelax.io; "
        "print([m for m in ('jax', 'flax', 'orbax', 'h5py', 'scipy', 'wirelax.policies') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
