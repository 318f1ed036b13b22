-- What came of connecting to a connector's target (rule 25).
--
-- ARGV  3 connector  4 'open' (it failed) or 'close' (it worked)  5 code  6 our sentence
-- Returns ms until the next probe, 0 when closed.

local key = connector_key(ARGV[3])
local FIRST_MS, LONGEST_MS = 250, 5000

if ARGV[4] == 'close' then
  if redis.call('HDEL', key, 'open_until', 'failures', 'open_code', 'open_reason') > 0 then ring() end
  return 0
end
local failures = redis.call('HINCRBY', key, 'failures', 1)
local delay = math.min(LONGEST_MS, FIRST_MS * 2 ^ math.min(failures, 10))
redis.call('HSET', key, 'open_until', now + delay, 'open_code', ARGV[5], 'open_reason', ARGV[6])
ring()
return delay
