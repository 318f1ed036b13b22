-- Keeps a lane and a permit while a statement runs (rule 12).
--
-- ARGV  3 integration  4 segment  5 owner  6 lease ms  7 permits' queue  8 token  9 permit's ms
-- Returns 1, or 0 if the lane is another's by now.

local key = lane_key(ARGV[3], ARGV[4])
if redis.call('HGET', key, 'owner') ~= ARGV[5] then return 0 end
local till = now + tonumber(ARGV[6])
redis.call('HSET', key, 'until', till)
put_leased(ARGV[3], ARGV[4], till)
redis.call('ZADD', permits_key(ARGV[7]), 'XX', now + tonumber(ARGV[9]), ARGV[8])
return 1
