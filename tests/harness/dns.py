"""A DNS server with scripted answers (RFC 1035), over UDP and TCP on one port."""

import ipaddress
import socket
import struct
import threading

A, PTR, AAAA = 1, 12, 28
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5


class Answer:
    """What a name is answered with: `addresses` (with `ttl` seconds), or an error code.
    `delay`: an Event that is waited for before the answer goes out. `silent`: no answer at all.
    `truncated`: over UDP only the TC bit, so that the client has to come back over TCP."""

    def __init__(self, *addresses, ttl=60, code=0, delay=None, silent=False, truncated=False,
                 pointer=None):
        self.addresses = [ipaddress.ip_address(a) for a in addresses]
        self.ttl, self.code, self.delay = ttl, code, delay
        self.silent, self.truncated, self.pointer = silent, truncated, pointer


class DnsServer:
    """Answers the names of `zone` ({"name": Answer or a list of them, one per query of type A,
    the last for good}); `.suffix` keys stand for the apex and all below; others are NXDOMAIN."""

    def __init__(self, zone, address="127.0.0.1", port=0):
        self.zone, self.queries = dict(zone), []
        self._lock = threading.Lock()
        self._udp, self._tcp = self._bind(address, port)
        self.address, self.port = self._udp.getsockname()
        self._stopped = False
        self._threads = [threading.Thread(target=work, daemon=True)
                         for work in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _bind(address, port):
        while True:  # one number free for both protocols
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, port))
            tcp = socket.socket()
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind(udp.getsockname())
                tcp.listen(128)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
                if port:
                    raise

    @property
    def authority(self):
        return f"{self.address}:{self.port}"

    def names_asked(self):
        with self._lock:
            return [name for name, _ in self.queries]

    def close(self):
        self._stopped = True
        for sock in (self._udp, self._tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes its thread
            except OSError:
                pass  # Linux wakes a UDP socket, and says ENOTCONN all the same
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _answer_for(self, name, kind):
        with self._lock:
            self.queries.append((name, kind))
            key, labels = name, name.split(".")
            while key not in self.zone and labels:
                key = "." + ".".join(labels)
                labels = labels[1:]
            answer = self.zone.get(key, Answer(code=NXDOMAIN))
            if isinstance(answer, list):
                first = answer[0]
                if kind == A and len(answer) > 1:
                    self.zone[key] = answer[1:]
                return first
            return answer

    def _serve_udp(self):
        while not self._stopped:
            try:
                query, peer = self._udp.recvfrom(4096)
            except OSError:
                return
            if self._stopped or len(query) < 12:
                continue
            threading.Thread(target=self._reply_udp, args=(query, peer), daemon=True).start()

    def _reply_udp(self, query, peer):
        reply = self._respond(query, over_udp=True)
        if reply and not self._stopped:
            try:
                self._udp.sendto(reply, peer)
            except OSError:
                pass

    def _serve_tcp(self):
        while not self._stopped:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._reply_tcp, args=(connection,), daemon=True).start()

    def _reply_tcp(self, connection):
        with connection, connection.makefile("rb") as stream:
            while len(size := stream.read(2)) == 2:
                reply = self._respond(stream.read(struct.unpack("!H", size)[0]), over_udp=False)
                if not reply:
                    return
                connection.sendall(struct.pack("!H", len(reply)) + reply)

    def _respond(self, query, over_udp):
        ident, flags = struct.unpack("!HH", query[:4])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1").lower())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        answer = self._answer_for(".".join(labels), kind)
        if answer.delay:
            answer.delay.wait()
        if answer.silent:
            return None
        records = []
        if over_udp and answer.truncated:
            flags |= 0x0200
        elif kind == PTR and answer.pointer:
            name = b"".join(bytes([len(l)]) + l.encode() for l in answer.pointer.split(".")) + b"\0"
            records.append(name)
        else:
            version = {A: 4, AAAA: 6}.get(kind)
            records = [a.packed for a in answer.addresses if a.version == version]
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, answer.ttl, len(r)) + r
                        for r in records)
        # QR, AA, RD as asked, RA, and the code.
        header = struct.pack("!HHHHHH", ident, 0x8480 | (flags & 0x0300) | answer.code,
                             1, len(records), 0, 0)
        return header + question + body
