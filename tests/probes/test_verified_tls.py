"""TLS for sessions with secrets: what is refused before a word is said, and what ties a login to its connection."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import socket
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Limits, Network, Options
from probes.verified_tls import channel_binding, end_point_binding, start_verified_tls, surroundings_for_secrets
from tests.hostile.server import authority, authority_file
from tests.probes import certificates as zoo

LABEL = b"EXPORTER-Channel-Binding"


class Server:
    """One connection after the other; what the TLS library of the server exports for each."""

    def __init__(self, minimum: int, maximum: int, ciphers: bytes) -> None:
        issued = authority().issue_cert("127.0.0.1")
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.set_min_proto_version(minimum)
        self._context.set_max_proto_version(maximum)
        self._context.set_cipher_list(ciphers)
        key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        chain = [x509.load_pem_x509_certificate(blob.bytes()) for blob in issued.cert_chain_pems]
        self._context.use_certificate(chain[0])
        self._context.use_privatekey(key)
        self.leaf = chain[0].public_bytes(serialization.Encoding.DER)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.exported: list[bytes] = []
        self.heard = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.settimeout(20)
            connection.setblocking(True)
            tls = SSL.Connection(self._context, connection)
            tls.set_accept_state()
            with contextlib.suppress(SSL.Error):
                tls.do_handshake()
                self.exported.append(tls.export_keying_material(LABEL, 32))
                self.heard = tls.recv(100)
            connection.close()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(20)


@pytest.fixture
def trusting(tmp_path: Path) -> Options:
    return Options(limits=Limits(deadline=20), allow_private=True, ca_file=str(authority_file(tmp_path)))


MODERN = b"DEFAULT"


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_channel_binding(version: int, trusting: Options) -> None:
    server = Server(version, version, MODERN)
    surroundings = surroundings_for_secrets(trusting)
    endpoint = Endpoint("submission", host="127.0.0.1", port=server.port)
    async with Network(endpoint, trusting, surroundings) as network:
        connection = await network.dial("127.0.0.1", server.port)
        assert channel_binding(connection) is None
        await start_verified_tls(connection, "127.0.0.1", network)
        binding = channel_binding(connection)
        await connection.send(b"done", shown="done")
        await connection.close()
    await surroundings.close()
    server.close()
    assert binding is not None
    assert repr(binding.data) not in repr(binding)
    if version == SSL.TLS1_3_VERSION:
        assert (binding.kind, [binding.data]) == ("tls-exporter", server.exported)
    else:
        assert (binding.kind, binding.data) == ("tls-server-end-point", hashlib.sha256(server.leaf).digest())


async def test_old_versions_are_refused(trusting: Options) -> None:
    server = Server(SSL.TLS1_VERSION, SSL.TLS1_1_VERSION, b"ALL:@SECLEVEL=0")
    surroundings = surroundings_for_secrets(trusting)
    endpoint = Endpoint("submission", host="127.0.0.1", port=server.port)
    async with Network(endpoint, trusting, surroundings) as network:
        connection = await network.dial("127.0.0.1", server.port)
        with pytest.raises(Unmeasured) as raised:
            await start_verified_tls(connection, "127.0.0.1", network)
    await surroundings.close()
    server.close()
    assert raised.value.cause in (Cause.TLS_ALERT, Cause.TLS_CLIENT_UNSUPPORTED, Cause.TLS_HANDSHAKE_ERROR)
    assert server.heard == b""


def test_end_point_binding_takes_the_hash_of_the_signature() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])

    def leaf(signer: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, algorithm: hashes.SHA384 | None) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(zoo.NOW)
            .not_valid_after(zoo.NOW + datetime.timedelta(days=365))
        )
        return builder.sign(signer, algorithm).public_bytes(serialization.Encoding.DER)

    longer = leaf(key, hashes.SHA384())
    binding = end_point_binding(longer)
    assert binding is not None
    assert binding.data == hashlib.sha384(longer).digest()
    assert end_point_binding(leaf(edwards, None)) is None


def test_the_context_is_strict() -> None:
    surroundings = surroundings_for_secrets(Options())
    context = surroundings.tls_context()
    names = SSL.Connection(context).get_cipher_list()
    assert not any(part in name for name in names for part in ("NULL", "RC4", "MD5", "DES", "EXP", "anon", "ADH"))
    assert names
