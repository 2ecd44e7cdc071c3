"""TLS for sessions in which something secret is said: the certificate is verified before anybody says it.

Elsewhere handshakes verify nothing, so that a bad certificate can be measured. Here one that is not trusted, or is for
another name, ends the session, and so do versions before TLS 1.2 (RFC 8996).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probes.authentication import ChannelBinding
from probes.model import Cause, Unmeasured

if TYPE_CHECKING:
    from OpenSSL import SSL

    from probes.connection import Connection, TLSSession
    from probes.network import Network, Options, Surroundings


def surroundings_for_secrets(options: Options) -> Surroundings:
    """Surroundings whose every handshake is made with today's settings of the TLS library, unlike those of probes,
    which take whatever a server can do."""
    from probes.network import Surroundings

    made = Surroundings(options)
    made.cached("tls_context", _strict_context)
    return made


def _strict_context() -> SSL.Context:
    from OpenSSL import SSL

    from probes.connection import tls_context

    context = tls_context()
    context.set_cipher_list(b"DEFAULT:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=2")
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    return context


async def start_verified_tls(connection: Connection, host: str, network: Network) -> TLSSession:
    """TLS on this connection with a certificate that is trusted (certifi's anchors and ``Options.ca_file``) and for
    ``host``. Raises ``tls_handshake_error`` when it is not, and whatever ``Connection.start_tls`` raises; the caller
    then has to hang up without another word."""
    from probes.certificate import load, name_matches, trust_error

    await asyncio.sleep(0)  # lets bytes in that lie ready in the socket: start_tls refuses to go on over them
    session = await connection.start_tls(host)
    error = trust_error(session.chain, network.options.ca_file, network.now)
    if error != "none":
        raise Unmeasured(
            Cause.TLS_HANDSHAKE_ERROR,
            f"the server's certificate is not trusted ({error}): no password is sent to whoever this is",
        )
    if not name_matches(load(session.chain[0]), host):
        raise Unmeasured(
            Cause.TLS_HANDSHAKE_ERROR,
            f"the server's certificate is not for {host}: no password is sent to whoever this is",
        )
    network.note("the certificate is trusted and for this host", connection.number)
    return session


def channel_binding(connection: Connection) -> ChannelBinding | None:
    """What ties a login to this connection: ``tls-exporter`` (RFC 9266) under TLS 1.3, else ``tls-server-end-point``
    (RFC 5929 §4.1); None when it cannot be had."""
    session = connection.tls
    if session is None:
        return None
    if session.version == "TLSv1.3":
        return ChannelBinding("tls-exporter", connection.exported(b"EXPORTER-Channel-Binding", 32))
    return end_point_binding(session.chain[0]) if session.chain else None


def end_point_binding(leaf: bytes) -> ChannelBinding | None:
    """``tls-server-end-point`` of a certificate in DER: its hash by the algorithm of its own signature, SHA-256 in the
    place of MD5 and SHA-1; None for signatures without one, such as Ed25519."""
    from cryptography.hazmat.primitives import hashes

    from probes.der import load, malformed

    certificate = load(leaf)
    try:
        algorithm = certificate.signature_hash_algorithm
    except malformed():
        return None
    if algorithm is None:
        return None
    if algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    return ChannelBinding("tls-server-end-point", certificate.fingerprint(algorithm))
