"""TLS ClientHellos as bytes (RFC 8446 4.1.2, RFC 6066 3), well-formed or broken on purpose."""

import struct


def _vector(size, body):
    return len(body).to_bytes(size, "big") + body


def extension(kind, body):
    return struct.pack("!H", kind) + _vector(2, body)


def server_name(*names, name_type=0):
    entries = b"".join(bytes([name_type]) + _vector(2, n if isinstance(n, bytes) else n.encode())
                       for n in names)
    return extension(0, _vector(2, entries))


ECH_OUTER = extension(0xFE0D, b"\x00" + struct.pack("!HHB", 1, 1, 7) + _vector(2, b"k" * 32) +
                      _vector(2, b"p" * 64))
ECH_INNER = extension(0xFE0D, b"\x01")
ESNI = extension(0xFFCE, b"\x00" * 32)


def handshake(*names, extra=b"", padding=0):
    """The handshake message: a ClientHello with one SNI extension for `names` (none: without),
    the bytes of `extra` extensions, and a padding extension (RFC 7685) of that many octets."""
    extensions = server_name(*names) if names else b""
    extensions += extension(43, b"\x02\x03\x04")                      # supported_versions: TLS 1.3
    extensions += extension(10, _vector(2, b"\x00\x1d"))              # supported_groups: x25519
    extensions += extension(13, _vector(2, b"\x04\x03\x08\x04"))      # signature_algorithms
    extensions += extension(51, _vector(2, b"\x00\x1d" + _vector(2, b"s" * 32)))  # key_share
    extensions += extra
    if padding:
        extensions += extension(21, bytes(padding))
    body = (b"\x03\x03" + b"R" * 32 + _vector(1, b"S" * 32) + _vector(2, b"\x13\x01\x13\x02") +
            b"\x01\x00" + _vector(2, extensions))
    return b"\x01" + _vector(3, body)


def records(message, size=16384):
    """The message in TLS records of at most `size` octets."""
    return b"".join(b"\x16\x03\x01" + _vector(2, message[at:at + size])
                    for at in range(0, len(message), size))


def client_hello(*names, **options):
    return records(handshake(*names, **options))
