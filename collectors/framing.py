"""Messages out of a syslog stream (RFC 6587): octet counting and newline framing, told apart for each message."""

from __future__ import annotations

import re

LARGEST_MESSAGE = 64 * 1024
_COUNTED = re.compile(rb"([1-9]\d{0,8}) (?=<)")
_ONE, _NINE = 0x31, 0x39
_INCOMPLETE = -1


class Framer:
    """Cuts one connection's bytes into messages; holds no more than one message's worth of them.

    Attributes:
        oversize: Messages longer than ``largest``: thrown away while they come in.
        oversize_bytes: Their bytes.
    """

    def __init__(self, largest: int = LARGEST_MESSAGE) -> None:
        self._largest = largest
        self._rest = b""
        self._skip = 0  # octets of an announced message that is too long
        self._skip_line = False
        self.oversize = 0
        self.oversize_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now, delimiters left out, empty lines too."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        found: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            skipping = self._skip or self._skip_line
            step = self._pass_over(data, at) if skipping else self._cut(data, at, found)
            if step == _INCOMPLETE:
                break
            at = step
        self._keep(data[at:])
        return found

    def _cut(self, data: bytes, at: int, found: list[bytes]) -> int:
        """Take the message at ``at``; where the next one begins, or ``_INCOMPLETE``."""
        counted = _COUNTED.match(data, at) if _ONE <= data[at] <= _NINE else None
        if counted is None:
            stop = data.find(b"\n", at)
            if stop == _INCOMPLETE:
                return _INCOMPLETE
            self._line(data[at:stop], found)
            return stop + 1
        begin, octets = counted.end(), int(counted[1])
        if octets > self._largest:
            self._begin_skip(octets)
            return begin
        if begin + octets > len(data):
            return _INCOMPLETE
        found.append(data[begin : begin + octets])
        return begin + octets

    def finish(self) -> bytes:
        """What is left when the connection ends: the part of a message that came; empty if none."""
        rest, self._rest = self._rest, b""
        counted = _COUNTED.match(rest)
        return rest[counted.end() :] if counted else rest

    def _line(self, line: bytes, found: list[bytes]) -> None:
        if len(line) > self._largest:
            self.oversize += 1
            self.oversize_bytes += len(line)
        elif line:
            found.append(line)

    def _keep(self, rest: bytes) -> None:
        counted = _COUNTED.match(rest)
        if len(rest) > self._largest and not counted:
            self._skip_line = True
            self.oversize += 1
            self.oversize_bytes += len(rest)
        else:
            self._rest = rest

    def _begin_skip(self, octets: int) -> None:
        self._skip = octets
        self.oversize += 1
        self.oversize_bytes += octets

    def _pass_over(self, data: bytes, at: int) -> int:
        """Where the bytes end that belong to a message that is thrown away."""
        if self._skip:
            step = min(self._skip, len(data) - at)
            self._skip -= step
            return at + step
        stop = data.find(b"\n", at)
        self._skip_line = stop < 0
        self.oversize_bytes += (len(data) if stop < 0 else stop) - at
        return len(data) if stop < 0 else stop + 1
