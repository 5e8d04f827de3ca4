"""Seals of counters and markers in Redis, as a host of the database makes them."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MASK = 2**64 - 1


def _rotated(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def siphash(key, data):
    """SipHash-2-4 of bytes, with a key of 16 bytes."""
    low, high = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    v = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]

    def mix(times):
        for _ in range(times):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = _rotated(v[1], 13) ^ v[0]
            v[0] = _rotated(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = _rotated(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = _rotated(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = _rotated(v[1], 17) ^ v[2]
            v[2] = _rotated(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        mix(2)
        v[0] ^= word
    v[2] ^= 0xFF
    mix(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _letters(number, count):
    return "".join(LETTERS[number >> 6 * place & 63] for place in reversed(range(count)))


class Sealer:
    """Seals as hosts of one database do; `sql`: a connection to it."""

    def __init__(self, sql):
        self._sql = sql
        self._secret = bytes.fromhex(sql.execute("SELECT secret FROM likesd_secret").fetchone()[0])

    def _hash(self, purpose, text):
        return siphash(self._secret, f"{purpose} {text}".encode())

    def version(self, token, item, count, version, age_seconds=0):
        """What stands beside the counter in Redis, sealed so long ago; hosts were never told of it."""
        return f"{token}.{self.entry(token, item, count, version, age_seconds)}:------"

    def entry(self, token, item, count, version, age_seconds=0):
        """Version and seal, as in a message."""
        seconds = self._sql.execute("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint").fetchone()[0]
        seconds -= age_seconds
        kind, number = item.split(":")
        key = b"".join(
            self._hash(f"counter-{half}", f"{token} {kind}").to_bytes(8, "little") for half in ("low", "high")
        )
        words = (int(number), count, version, seconds)
        digest = siphash(key, b"".join(word.to_bytes(8, "little", signed=True) for word in words))
        return f"{version}:{_letters(seconds, 6)}{_letters(digest, 11)}"

    def marker(self, text):
        """A marker's five words, sealed."""
        return f"{text} {self._hash('marker', text):016x}"
