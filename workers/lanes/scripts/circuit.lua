-- What came of connecting to a connector's target (rule 25).
--
-- ARGV  3 connector
--       4 'open' (it is out of reach), 'hold' (it refuses us, and someone is needed) or 'close' (it worked)
--       5 code  6 our sentence  7 ms until the next probe of a hold  8 'close': id of the hold that was probed, or ''
-- Returns ms until the next probe; 'close': {tries, ms, code, sentence} of what has ended, or 0 where nothing was wrong.
-- What was tried by another revision says nothing of this one's target.

local connector, what, code, reason, hold_ms, hold_id = unpack(ARGV, 3, 8)
local key = connector_key(connector)
local FIRST_MS, LONGEST_MS = 250, 5000
local CIRCUIT_FIELDS = { 'open_until', 'failures', 'open_code', 'open_reason', 'open_since' }

if current_revision() ~= ARGV[2] then return 0 end

if what == 'close' then
  local was = redis.call('HMGET', key, 'failures', 'open_since', 'open_code', 'open_reason')
  if not was[2] then was = redis.call('HMGET', key, 'hold_tries', 'hold_since', 'hold_code', 'hold') end
  local closed = redis.call('HDEL', key, unpack(CIRCUIT_FIELDS)) > 0
  local lifted = hold_id ~= '' and lift(key, hold_id)
  if not closed and not lifted then return 0 end
  ring()
  return { tonumber(was[1] or 0), now - tonumber(was[2] or now), was[3] or '', was[4] or '' }
end
if what == 'hold' then
  redis.call('HDEL', key, unpack(CIRCUIT_FIELDS))
  hold(key, redis.call('HGET', key, 'hold_id') or tostring(now), '', code, reason, tonumber(hold_ms))
  return tonumber(hold_ms)
end
local failures = redis.call('HINCRBY', key, 'failures', 1)
local delay = math.min(LONGEST_MS, FIRST_MS * 2 ^ math.min(failures, 10))
redis.call('HSETNX', key, 'open_since', now)
redis.call('HSET', key, 'open_until', now + delay, 'open_code', code, 'open_reason', reason)
ring()
return delay
