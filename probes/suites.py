"""Names of cipher suites: OpenSSL's own names for TLS 1.2 and older become the IANA names."""

from __future__ import annotations

import re

_AUTHENTICATED_BY_RSA = re.compile(r"(?:AES|ARIA|CAMELLIA|DES|IDEA|NULL|RC4|SEED|CHACHA20)")
_KEY_EXCHANGE = {
    "ADH": "DH_anon",
    "AECDH": "ECDH_anon",
    "EDH-RSA": "DHE_RSA",
    "EDH-DSS": "DHE_DSS",
    "ECDHE": "ECDHE_RSA",
    "DHE": "DHE_RSA",
    "SRP": "SRP_SHA",
    "SRP-RSA": "SRP_SHA_RSA",
    "SRP-DSS": "SRP_SHA_DSS",
}
_BLOCK_CIPHERS = {"DES-CBC3": "3DES_EDE_CBC", "DES-CBC": "DES_CBC", "SEED": "SEED_CBC", "IDEA-CBC": "IDEA_CBC"}


def iana_name(openssl: str) -> str:
    """The IANA name of a cipher suite that OpenSSL names its own way, such as ``ECDHE-RSA-AES256-GCM-SHA384`` →
    ``TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384``. TLS 1.3 names, which are IANA's already, come back unchanged.

    The rule is the one behind ``openssl ciphers -stdname``, whose list the tests compare it with.
    """
    if openssl.startswith("TLS_"):
        return openssl
    exchange, cipher = _split(openssl)
    if exchange == "DHE-PSK" and "CCM" in cipher and cipher.endswith("8"):
        exchange = "PSK-DHE"  # RFC 6655 §6 turned these two names round
    exchange = _KEY_EXCHANGE.get(exchange, exchange.replace("-", "_"))
    return f"TLS_{exchange}_WITH_{_cipher(cipher)}"


def _split(name: str) -> tuple[str, str]:
    """Key exchange ("RSA" where OpenSSL leaves it out) and cipher with hash."""
    match = _AUTHENTICATED_BY_RSA.search(name)
    start = match.start() if match else 0
    return (name[:start].rstrip("-") or "RSA", name[start:])


def _cipher(text: str) -> str:
    text = re.sub(r"(AES|ARIA|CAMELLIA)-?(128|256)", r"\1_\2", text)
    for ours, theirs in _BLOCK_CIPHERS.items():
        if text.startswith(ours + "-"):
            return theirs + "_" + text[len(ours) + 1 :].replace("-", "_")
    if text.startswith("CHACHA20-POLY1305"):
        return "CHACHA20_POLY1305_SHA256"
    if text.startswith(("NULL", "RC4")):
        return text.replace("RC4-", "RC4_128_").replace("-", "_")
    if "GCM" in text:
        return text.replace("-", "_")
    if "CCM" in text:
        return text.replace("-", "_").replace("CCM8", "CCM_8")
    # What is left is CBC, which OpenSSL's names leave unsaid.
    block, _, digest = text.replace("-CBC", "").rpartition("-")
    return f"{block}_CBC_{digest}"
