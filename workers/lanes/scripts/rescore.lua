-- Puts due times right that were written by another clock or another revision: some lanes of one integration at a time.
--
-- The hash rescore: integration -> the set that is walked and the cursor in it.
--
-- ARGV  3 lanes at the most, about  4 lease ms
-- Returns {'more'}, or {'done'} where nothing is left to look at.

local key = ns .. ':rescore'
local integration = redis.call('HRANDFIELD', key)
if not integration then return { 'done' } end

local LONGEST_RETRY_MS = 300000
local set = read_integration(integration)
time_in(integration_key(integration), 'hold_until', set.hold_until, LONGEST_HOLD_MS)

local function put_right(segment)
  local at = lane_key(integration, segment)
  local lane = read_lane(at)
  -- Of one that is at work, too: given back untried, it waits for what it had to wait for before.
  lane.retry = time_in(at, 'retry', lane.retry, LONGEST_RETRY_MS)
  if lane.count == 0 then
    redis.call('ZREM', full_key(integration), segment)
    redis.call('ZREM', timed_key(integration), segment)
  elseif lane.owner then
    local till = time_in(at, 'until', lane.till, tonumber(ARGV[4]))
    put_leased(integration, segment, till)
    note_due(integration, till)
  else
    put_due(integration, segment, is_full(lane, set.size), due_at(lane, set.size, set.timeout))
  end
end

local which, cursor = string.match(redis.call('HGET', key, integration), '^(%a+) (%d+)$')
if not which then which, cursor = 'timed', '0' end
-- A scan meets every member that is there all the while, whatever becomes of its score.
local name = which == 'full' and full_key(integration) or timed_key(integration)
local page = redis.call('ZSCAN', name, cursor, 'COUNT', ARGV[3])
for i = 1, #page[2], 2 do put_right(page[2][i]) end

if page[1] ~= '0' then
  redis.call('HSET', key, integration, which .. ' ' .. page[1])
elseif which == 'timed' then
  redis.call('HSET', key, integration, 'full 0')
else
  redis.call('HDEL', key, integration)
end
return { 'more' }
