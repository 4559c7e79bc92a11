"""Entries of a live log changed behind everybody's back."""

import random
from pathlib import Path

import redis

from recsys_embed.delta_log.directory_files import entry_path
from tests.chaos.follower import Version

# KEYS: the entries' stream. ARGV: number, which byte, its new value or "" to end there; at once,
# as a server would have them after a fault of its disk
REWRITE = """
local found = redis.call('XRANGE', KEYS[1], '-', '+')
redis.call('DEL', KEYS[1])
for _, entry in ipairs(found) do
  local id, fields = entry[1], entry[2]
  if string.match(id, '^' .. ARGV[1] .. '%-') and fields[1] == 'data' then
    local place, data = ARGV[2] % #fields[2], fields[2]
    local rest = ''
    if ARGV[3] ~= '' then
      rest = string.char(bit.bxor(string.byte(data, place + 1), ARGV[3]))
      rest = rest .. string.sub(data, place + 2)
    end
    fields[2] = string.sub(data, 1, place) .. rest
  end
  redis.call('XADD', KEYS[1], id, unpack(fields))
end
"""


def tamper(log: str, entry: Version, kind: str, chance: random.Random) -> None:
    """Flips a bit of an entry or cuts it short, anywhere."""
    place, bit = chance.randrange(1 << 30), 1 << chance.randrange(8)
    if "://" not in log:
        _tamper_file(entry_path(Path(log), entry.number, entry.lineage), kind, place, bit)
        return
    server, _, name = log.rpartition("/")
    with redis.Redis.from_url(server) as client:
        key = f"recsys:{{{name}}}:entries:{entry.lineage}"
        client.eval(REWRITE, 1, key, entry.number, place, bit if kind == "flipped" else "")


def _tamper_file(path: Path, kind: str, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    if kind == "flipped":
        data[place % len(data)] ^= bit
    else:
        del data[place % len(data) :]
    path.write_bytes(data)
