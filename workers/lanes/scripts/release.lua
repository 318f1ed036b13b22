-- Gives a lane back unsettled: because the turn is over, or because a try failed (rules 10, 25, 26).
--
-- ARGV  3 integration  4 segment  5 owner
--       6 'untried' (what was handed out was not touched), 'failed', 'again' (failed, and tried again at once: the lane
--         stays its owner's), or 'deadly' (not touched, since its head kills: its deaths stay counted)
--       7 ms until the next try  8 limit and 9 suspect of the next batch, or ''
--       10 hold level ('lane', 'integration', 'connector') or ''  11 code  12 our sentence  13 lease ms
--       then records for the outcomes stream
-- Returns {'lost'} if the lane is another's by now, else {'ok'}.

local integration, segment = ARGV[3], ARGV[4]
local key = lane_key(integration, segment)
local lane = read_lane(key)
if lane.owner ~= ARGV[5] then return { 'lost' } end

local set = read_integration(integration)
record(ARGV, 14)

if ARGV[6] == 'again' then
  local till = now + tonumber(ARGV[13])
  redis.call('HSET', key, 'attempts', lane.attempts + 1, 'until', till, 'starts', 1)
  narrow(key, ARGV[8], ARGV[9])
  put_leased(integration, segment, till)
  return { 'ok' }
end
redis.call('HDEL', key, 'owner', 'until')

if ARGV[6] == 'untried' then
  -- Unless an earlier deliverer tried it, or died over it: then the batch's end, and that start, stay written.
  if lane.attempts == 0 and lane.starts <= 1 then redis.call('HDEL', key, 'to', 'digest') end
  if lane.starts > 1 then
    redis.call('HSET', key, 'starts', lane.starts - 1)
  else
    redis.call('HDEL', key, 'starts')
  end
else
  if ARGV[6] ~= 'deadly' then redis.call('HDEL', key, 'starts') end
  lane.retry = now + tonumber(ARGV[7])
  redis.call('HSET', key, 'attempts', lane.attempts + 1, 'retry', lane.retry)
  narrow(key, ARGV[8], ARGV[9])
  redis.call('HDEL', key, 'hold')
end

local level = ARGV[10]
if level == 'lane' then
  redis.call('HSET', key, 'hold', ARGV[11] .. ': ' .. ARGV[12])
elseif level ~= '' then
  local holder = level == 'integration' and integration_key(integration) or connector_key(set.connector)
  redis.call('HSET', holder, 'hold', ARGV[12], 'hold_code', ARGV[11], 'hold_until', now + tonumber(ARGV[7]))
  -- The level waits, not the lane: whichever lane probes first, all go on with it.
  lane.retry = 0
  redis.call('HDEL', key, 'retry')
end

put_due(integration, segment, is_full(lane, set.size), due_at(lane, set.size, set.timeout))
return { 'ok' }
