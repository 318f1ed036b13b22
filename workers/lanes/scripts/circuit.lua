-- What came of connecting to a connector's target (rule 25).
--
-- ARGV  3 connector
--       4 'open' (it is out of reach), 'hold' (it refuses us, and someone is needed) or 'close' (it worked)
--       5 code  6 our sentence  7 ms until the next probe of a hold  8 'close': id of the hold that was probed, or ''
-- Returns ms until the next probe, 0 when closed. What was tried by another revision says nothing of this one's target.

local connector, what, code, reason, hold_ms, hold_id = unpack(ARGV, 3, 8)
local key = connector_key(connector)
local FIRST_MS, LONGEST_MS = 250, 5000
local CIRCUIT_FIELDS = { 'open_until', 'failures', 'open_code', 'open_reason', 'open_since' }

if current_revision() ~= ARGV[2] then return 0 end

if what == 'close' then
  local closed = redis.call('HDEL', key, unpack(CIRCUIT_FIELDS)) > 0
  local lifted = hold_id ~= '' and lift(key, hold_id)
  if closed or lifted then ring() end
  return 0
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
