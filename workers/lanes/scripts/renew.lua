-- Keeps a lane and a permit while a statement runs (rule 12).
--
-- ARGV  3 integration  4 segment  5 claim  6 lease ms  7 permits' queue  8 token  9 permit's ms
-- Returns 1, or 0 if the lane is another claim's by now.

local integration, segment, claim, lease_ms, queue, token, permit_ms = unpack(ARGV, 3, 9)
local key = lane_key(integration, segment)
if redis.call('HGET', key, 'owner') ~= claim then return 0 end
local till = now + tonumber(lease_ms)
redis.call('HSET', key, 'until', till)
put_leased(integration, segment, till)
redis.call('ZADD', permits_key(queue), 'XX', now + tonumber(permit_ms), token)
return 1
