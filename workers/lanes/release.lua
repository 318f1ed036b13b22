-- Gives a lane back unsettled: because the turn is over, or because a try failed (RULES.md 10, 25, 26).
--
-- ARGV  3 integration  4 segment  5 owner
--       6 'untried' (what was handed out was not touched), 'failed', or 'held'
--       7 ms until the next try  8 '1' to halve the batch
--       9 hold level ('lane', 'integration', 'connector') or ''  10 code  11 our sentence
--       then records for the outcomes stream
-- Returns {'lost'} if the lane is another's by now, else {'ok'}.

local integration, segment = ARGV[3], ARGV[4]
local key = lane_key(integration, segment)
local lane = read_lane(key)
if lane.owner ~= ARGV[5] then return { 'lost' } end

local set = read_integration(integration)
redis.call('HDEL', key, 'owner', 'until', 'starts')
record(ARGV, 12)

if ARGV[6] == 'untried' then
  -- Unless an earlier deliverer tried it: then the batch's end stays written.
  if lane.attempts == 0 then redis.call('HDEL', key, 'to', 'digest') end
else
  lane.retry = now + tonumber(ARGV[7])
  redis.call('HSET', key, 'attempts', lane.attempts + 1, 'retry', lane.retry)
  if ARGV[8] == '1' then redis.call('HINCRBY', key, 'halved', 1) end
  redis.call('HDEL', key, 'hold')
end

local level = ARGV[9]
if level == 'lane' then
  redis.call('HSET', key, 'hold', ARGV[10] .. ': ' .. ARGV[11])
elseif level ~= '' then
  local holder = level == 'integration' and integration_key(integration) or connector_key(set.connector)
  redis.call('HSET', holder, 'hold', ARGV[11], 'hold_code', ARGV[10], 'hold_until', now + tonumber(ARGV[7]))
  -- The level waits, not the lane: whichever lane probes first, all go on with it.
  lane.retry = 0
  redis.call('HDEL', key, 'retry')
end

put_due(integration, segment, is_full(lane, set.size), due_at(lane, set.size, set.timeout))
return { 'ok' }
