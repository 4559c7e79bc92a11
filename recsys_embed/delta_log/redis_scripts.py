"""The Lua scripts of a log in Redis: whatever must be checked and changed at one moment.

KEYS are always the head (a hash), the entries (a stream) and the lease (a string that expires).
Each returns a word and what belongs to it; a script that refuses has changed nothing.
"""

# ARGV: lineage, number of the base, its snapshot, identity, lease in ms, whether to take over
# ("1"), number that the writer starts at
TAKE = """
local held = redis.call('GET', KEYS[3])
local head = redis.call('HMGET', KEYS[1], 'lineage', 'token', 'number')
if held and ARGV[6] ~= '1' then return {'HELD', held, head[2] or '?'} end
if head[1] == ARGV[1] then
  if head[3] ~= ARGV[7] then return {'FORK', head[3]} end
  local base = redis.call('HGET', KEYS[1], 'base')
  if ARGV[3] ~= '' and tonumber(ARGV[2]) >= tonumber(base) then
    redis.call('HSET', KEYS[1], 'base', ARGV[2], 'snapshot', ARGV[3])
  end
else
  if ARGV[7] ~= ARGV[2] then return {'BEYOND'} end
  local entries = string.sub(KEYS[2], 1, -1 - string.len(ARGV[1]))
  if head[1] then redis.call('UNLINK', entries .. head[1]) end
  redis.call('UNLINK', KEYS[2])
  redis.call('HDEL', KEYS[1], 'hash')
  redis.call('HSET', KEYS[1], 'lineage', ARGV[1], 'number', ARGV[2], 'trimmed', ARGV[2],
             'base', ARGV[2], 'snapshot', ARGV[3])
end
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
redis.call('HSET', KEYS[1], 'writer', ARGV[4], 'attempt', 0, 'chunk', 0)
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
return {'OK', token, redis.call('HGET', KEYS[1], 'number')}
"""

_OWN = """
local head = redis.call('HMGET', KEYS[1], 'token', 'writer', 'number', 'hash', 'attempt', 'chunk')
if not head[1] then return {'LOST'} end
if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then return {'FENCED', head[1], head[2]} end
"""

# ARGV: token, identity, number, prev, attempt, chunk, data, header ("" but in the last), hash,
# lease in ms
APPEND = (
    _OWN
    + """
if head[3] == ARGV[3] then return {'HERE', head[4] or ''} end
if head[3] ~= ARGV[4] then return {'GAP', head[3]} end
local attempt, chunk = tonumber(ARGV[5]), tonumber(ARGV[6])
local seq
if chunk == 0 and attempt > tonumber(head[5]) then
  local left = redis.call('XRANGE', KEYS[2], ARGV[3] .. '-0', '+')
  for _, record in ipairs(left) do redis.call('XDEL', KEYS[2], record[1]) end
  seq = 0
  if redis.call('EXISTS', KEYS[2]) == 1 then
    local info = redis.call('XINFO', 'STREAM', KEYS[2])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        local number, last = string.match(info[i + 1], '^(%d+)-(%d+)$')
        if number == ARGV[3] then seq = tonumber(last) + 1 end
      end
    end
  end
elseif attempt == tonumber(head[5]) and chunk > 0 and chunk == tonumber(head[6]) then
  seq = tonumber(redis.call('HGET', KEYS[1], 'seq')) + 1
else
  return {'STALE', head[5], head[6]}
end
redis.call('XADD', KEYS[2], ARGV[3] .. '-' .. seq, 'data', ARGV[7])
redis.call('HSET', KEYS[1], 'attempt', ARGV[5], 'chunk', chunk + 1, 'seq', seq)
if ARGV[8] ~= '' then
  redis.call('XADD', KEYS[2], ARGV[3] .. '-' .. (seq + 1), 'header', ARGV[8])
  redis.call('HSET', KEYS[1], 'number', ARGV[3], 'hash', ARGV[9])
end
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[10])
return {'OK'}
"""
)

# ARGV: token, identity, number trimmed, id of the first record to keep, the base's number and
# snapshot
TRIM = (
    _OWN
    + """
local known = redis.call('HMGET', KEYS[1], 'trimmed', 'base')
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[4])  -- first: a server without memory lets it pass
if tonumber(ARGV[5]) >= tonumber(known[2]) then
  redis.call('HSET', KEYS[1], 'base', ARGV[5], 'snapshot', ARGV[6])
end
if tonumber(ARGV[3]) > tonumber(known[1]) then
  redis.call('HSET', KEYS[1], 'trimmed', ARGV[3])
end
return {'OK'}
"""
)

# ARGV: token, identity, lease in ms; 0 lets go
RENEW = (
    _OWN
    + """
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[3])
elseif redis.call('PEXPIRE', KEYS[3], ARGV[3]) == 0 then
  redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
end
return {'OK'}
"""
)
