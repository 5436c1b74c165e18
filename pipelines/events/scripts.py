"""The Lua that the bus runs inside Redis, where several steps must be one."""

from __future__ import annotations

from typing import Final

#: Trim behind what every group has acknowledged; a stream without groups is never trimmed. Returns what was removed.
_TRIM: Final = """
local function trim(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err or #groups == 0 then return 0 end
  local function split(id)
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
  end
  local keep_ms, keep_seq
  for _, group in ipairs(groups) do
    local name, pending, last
    for i = 1, #group, 2 do
      if group[i] == 'name' then name = group[i + 1] end
      if group[i] == 'pending' then pending = group[i + 1] end
      if group[i] == 'last-delivered-id' then last = group[i + 1] end
    end
    local ms, seq
    if pending > 0 then
      ms, seq = split(redis.call('XPENDING', stream, name)[2])
    else
      ms, seq = split(last)
      seq = seq + 1
    end
    if not keep_ms or ms < keep_ms or (ms == keep_ms and seq < keep_seq) then keep_ms, keep_seq = ms, seq end
  end
  return redis.call('XTRIM', stream, 'MINID', string.format('%d-%d', keep_ms, keep_seq))
end
"""

#: KEYS stream, seen. ARGV max_length, remembered, remembered_ms, then id, body, id, body ... Returns how many of the
#: pairs are on the stream now; fewer than given means that it is full.
PUBLISH: Final = (
    _TRIM
    + """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local max_length, done, trimmed = tonumber(ARGV[1]), 0, false
for i = 4, #ARGV, 2 do
  if not redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    if redis.call('XLEN', KEYS[1]) >= max_length then
      if not trimmed then trim(KEYS[1]); trimmed = true end
      if redis.call('XLEN', KEYS[1]) >= max_length then break end
    end
    redis.call('XADD', KEYS[1], '*', 'event', ARGV[i + 1])
    redis.call('ZADD', KEYS[2], now_ms, ARGV[i])
  end
  done = done + 1
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_ms - tonumber(ARGV[3]))
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[2]) - 1)
return done
"""
)

TRIM_ONLY: Final = _TRIM + "return trim(KEYS[1])"

#: KEYS stream, dead. ARGV group, entry id, body, reason, attempts, dead_length. Only who still holds the entry
#: moves it.
DEAD_LETTER: Final = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'event', ARGV[3], 'reason', ARGV[4], 'attempts', ARGV[5],
  'entry', ARGV[2], 'group', ARGV[1])
return 1
"""

#: KEYS stream, dead. ARGV the entries that are meant, none: all. Those that were laid aside are on the stream again, as new
#: ones. Returns which.
REPLAY: Final = """
local wanted, again = {}, {}
for _, entry in ipairs(ARGV) do wanted[entry] = true end
for _, item in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  local letter = {}
  for i = 1, #item[2], 2 do letter[item[2][i]] = item[2][i + 1] end
  if #ARGV == 0 or wanted[letter.entry] then
    redis.call('XADD', KEYS[1], '*', 'event', letter.event)
    redis.call('XDEL', KEYS[2], item[1])
    table.insert(again, letter.entry)
  end
end
return again
"""

#: KEYS stream. ARGV group, consumer. A member that holds nothing is forgotten; one that does is left for the claim.
LEAVE: Final = """
local found = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if #found > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
"""
