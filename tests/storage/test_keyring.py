from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.errors import BadKeyring, MissingKey
from storage.keyring import Keyring

DATA_KEY = bytes(range(32))


def keys(count: int) -> list[str]:
    return [Fernet.generate_key().decode() for _ in range(count)]


def write_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_first_run_makes_the_file(tmp_path: Path) -> None:
    """Without a file there is a new one, its owner's alone; with one, its keys are used."""
    path = tmp_path / "secrets" / "master.keys"
    made = Keyring.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keyring.create(path).ids == made.ids == {made.primary_id}
    assert Keyring.from_file(path).unwrap(made.wrap(DATA_KEY)) == DATA_KEY


def test_the_first_key_wraps_and_the_others_unwrap() -> None:
    """What any of the keys wrapped opens; what is new is under the first."""
    new, old = keys(2)
    before = Keyring.from_setting(old)
    after = Keyring.from_setting(f"{new}, {old}")
    assert after.unwrap(before.wrap(DATA_KEY)) == DATA_KEY
    assert after.wrap(DATA_KEY).key_id == after.primary_id == hashlib.sha256(new.encode()).hexdigest()[:16]
    again = after.rewrap(before.wrap(DATA_KEY))
    assert again.key_id == after.primary_id
    assert Keyring.from_setting(new).unwrap(again) == DATA_KEY


def test_a_missing_key_is_named() -> None:
    """What is under a key that the ring does not hold says which one that is."""
    one, two = (Keyring.from_setting(key) for key in keys(2))
    with pytest.raises(MissingKey, match=one.primary_id) as caught:
        two.unwrap(one.wrap(DATA_KEY))
    assert caught.value.key_id == one.primary_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file that a group or everybody may read or write is refused, with what to do."""
    path = write_file(tmp_path / "keys", keys(1)[0], mode)
    with pytest.raises(BadKeyring, match=f"chmod 600 {path}"):
        Keyring.from_file(path)


@pytest.mark.parametrize("text", ["hunter2hunter2", "hunter2" * 6 + "==", "hünter2", "{good}\nhunter2\n"])
def test_a_malformed_key_is_not_repeated(tmp_path: Path, text: str) -> None:
    """A sentence about a malformed key says where it stands, and nothing of what stands there."""
    text = text.format(good=keys(1)[0])
    path = write_file(tmp_path / "keys", text)
    makers: list[Callable[[], Keyring]] = [
        lambda: Keyring.from_file(path),
        lambda: Keyring.from_setting(text.replace("\n", ",")),
    ]
    for make in makers:
        with pytest.raises(BadKeyring) as caught:
            make()
        told = str(caught.value)
        assert "nter2" not in told
        assert caught.value.__cause__ is None
        assert not any(key in told for key in text.split())


def test_a_ring_without_keys_is_refused(tmp_path: Path) -> None:
    """Nothing to wrap with is an error at once, not at the first message."""
    with pytest.raises(BadKeyring, match="holds no key"):
        Keyring.from_file(write_file(tmp_path / "keys", "\n \n"))
    with pytest.raises(BadKeyring, match="holds no key"):
        Keyring.from_setting(" , ")


def test_an_absent_file_is_said_so(tmp_path: Path) -> None:
    """Only the first local run makes a file; where one is named, it has to be there."""
    with pytest.raises(BadKeyring, match="there is no key file"):
        Keyring.from_file(tmp_path / "absent")


def test_a_running_server_takes_up_a_new_key(tmp_path: Path) -> None:
    """A key that another process added wraps what comes next, and opens what that one wrapped."""
    running = Keyring.create(tmp_path / "keys")
    first = running.primary_id
    rotating = Keyring.from_file(tmp_path / "keys")
    added = rotating.add_key()
    assert rotating.primary_id == added != first
    assert running.unwrap(rotating.wrap(DATA_KEY)) == DATA_KEY
    assert running.primary_id == added
    rotating.add_key()
    assert running.wrap(DATA_KEY).key_id == rotating.primary_id
    assert len(running.ids) == 3
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["keys"]


@pytest.mark.logs("keeping the keys already read: .* is malformed", "keeping .* No such file")
def test_a_file_that_went_bad_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While it runs, a server keeps the keys that it has read, whatever becomes of the file."""
    path = tmp_path / "keys"
    running = Keyring.create(path)
    wrapped = running.wrap(DATA_KEY)
    write_file(path, "hunter2")
    assert running.unwrap(running.wrap(DATA_KEY)) == DATA_KEY
    assert "malformed" in caplog.text and "hunter2" not in caplog.text
    path.unlink()
    assert running.unwrap(running.wrap(DATA_KEY)) == running.unwrap(wrapped) == DATA_KEY


def test_a_failed_addition_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new file cannot be put in place, the old one stays whole and nothing is left beside it."""
    path = tmp_path / "keys"
    ring = Keyring.create(path)
    before = path.read_bytes()

    def fail(source: str, target: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        ring.add_key()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["keys"]


def test_a_setting_cannot_be_added_to() -> None:
    """Keys that come from a setting are changed where the setting is."""
    with pytest.raises(BadKeyring, match="by hand"):
        Keyring.from_setting(keys(1)[0]).add_key()


@pytest.mark.parametrize(
    "key",
    ["cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "A" * 43 + "=", "MDEyMzQ1Njc4OWFi" * 2 + "MDEyMzQ1Njc="],
)
def test_an_example_is_no_key(key: str) -> None:
    """One that is printed in a specification, or of a few bytes again and again; beside a good one too. It is not repeated."""
    good = Fernet.generate_key().decode()
    for text, place in ((key, 1), (f"{good},{key}", 2)):
        with pytest.raises(BadKeyring, match=f"key {place} of .* is an example") as refused:
            Keyring.from_setting(text)
        assert key not in str(refused.value)
