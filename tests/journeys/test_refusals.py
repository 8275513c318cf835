"""Starts that cannot succeed: one sentence that says why, exit code 1, nothing half done."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from storage.keyring import key_id
from tests.journeys.conftest import NewProcess
from tests.journeys.process import Process, refusal


async def test_two_on_one_data_folder(process: Process, data_dir: Path) -> None:
    """The second one names the first one's process, and the first one does not notice."""
    sentence = await refusal(data_dir)
    assert str(process.process.pid) in sentence
    assert await process.ready() == 200


async def test_a_port_that_is_taken(data_dir: Path) -> None:
    """It is named, and the database that was started for nothing ends too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in await refusal(data_dir, "--port", port)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("mongodb://ann:s3cr3t@127.0.0.1:1/?replicaSet=x", "127.0.0.1:1"),
        ("mongodb://ann:s3cr3t/@127.0.0.1", "MongoDB URI"),
        ("postgres://ann:s3cr3t@127.0.0.1", "MongoDB URI"),
    ],
)
async def test_a_database_that_cannot_be_had(data_dir: Path, uri: str, named: str) -> None:
    """Unreachable or nonsense: what was tried is told, the password is not."""
    sentence = await refusal(data_dir, "--storage-timeout", "1", MONGODB_URI=uri)
    assert named in sentence
    assert "s3cr3t" not in sentence


async def test_a_master_key_that_is_missing(process: Process, data_dir: Path) -> None:
    """Sessions are under a key that is not at hand any more: its id is told."""
    ann = await process.person()
    await ann.ok("POST", f"/chat/land/{await ann.land()}/session")
    await process.stop()
    keys = data_dir / "master.keys"
    lost = key_id(keys.read_bytes().strip())
    keys.write_bytes(Fernet.generate_key())
    assert lost in await refusal(data_dir)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"HEREABOUTS_PROT": "1"}, "HEREABOUTS_PROT"),
        ({"HEREABOUTS_LAND_SIDE": "wide"}, "land_side"),
        ({"HEREABOUTS_TOKEN_SECRET": "short"}, "token_secret"),
        ({"HEREABOUTS_TOKEN_SECRET": "changeme-" * 6}, "token_secret is an example"),
        ({"HEREABOUTS_MASTER_KEYS": "no key"}, "master keys"),
        ({"HEREABOUTS_MASTER_KEYS": "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="}, "is an example"),
        ({"HEREABOUTS_MASTER_KEYS": f"{'A' * 43}="}, "is an example"),
        ({"HEREABOUTS_TLS_CERT": "cert.pem"}, "tls_key"),
    ],
)
async def test_a_setting_that_makes_no_sense(data_dir: Path, variables: dict[str, str], named: str) -> None:
    """It is named; a secret one's value is not repeated."""
    sentence = await refusal(data_dir, **variables)
    assert named in sentence
    assert "short\n" not in sentence


async def test_tls_by_ourselves(new_process: NewProcess, tmp_path: Path) -> None:
    """With a certificate and its key, https and wss work, and plain http does not."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    process = new_process("--tls-cert", str(cert), "--tls-key", str(key))
    await process.start()
    context = ssl.create_default_context(cafile=str(cert))
    origin = f"localhost:{process.port}"
    request = HTTPRequest(f"https://{origin}/readyz", ssl_options=context)
    assert (await process._client.fetch(request)).code == 200
    connection = await websocket_connect(
        HTTPRequest(f"wss://{origin}/api/v1/ws/connect", ssl_options=context)
    )
    assert await connection.read_message() is None
    assert connection.close_code == 4001
    connection.close()
    await process.stop()
