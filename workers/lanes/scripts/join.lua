-- Gives a deliverer that has claimed a lane which owes little more such lanes of the same integration, so that they go
-- into one transaction (rule 9). Each is owned by a claim of its own, and settled or given back like any other.
--
-- ARGV  3 connector  4 integration  5 permit's token  6 permit's ms  7 lease ms  8 budget in bytes
--       9 operations that a lane may owe at the most  then a claim for each lane that is wanted
-- Returns for each lane that was found what claim.lua returns, in the order of the claims.

local connector, integration, token, permit_ms, lease_ms, budget, most = unpack(ARGV, 3, 9)
budget, most = tonumber(budget), tonumber(most)
local found = {}
if current_revision() ~= ARGV[2] then return found end

local settings = read_integration(integration)
local barred = redis.call('HMGET', connector_key(connector), 'open_until', 'hold_until')
if settings.connector ~= connector or settings.orphaned or not settings.open or settings.hold_until or settings.no_room
  or barred[1] or barred[2] or opens_at(settings.window) > now then return found end

-- Nothing of it was tried, nothing is known of it but what it owes, and all of that is one batch of profiles.
local function owes_little(lane, segment)
  return lane.count > 0 and lane.count <= math.min(most, settings.size) and not lane.owner and lane.starts == 0
    and lane.attempts == 0 and lane.retry == 0 and lane.limit == 0 and lane.to == '' and lane.hold == ''
    and lane.suspect == '' and lane.passed == '' and lane.aside == '' and lane.mark == '' and lane.clear == ''
    and lane.bar <= lane.done and redis.call('EXISTS', open_key(integration, segment)) == 0
end

-- Sent twice: what they were given the first time.
local free = {}
for i = 10, #ARGV do
  local same = the_same_lane(ARGV[i], lease_ms, budget)
  found[#found + 1] = same
  if not same then free[#free + 1] = ARGV[i] end
end
if #found > 0 then return found end

local function join_from(set)
  for _, segment in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, #free)) do
    if #found == #free or budget <= 0 or not has_room(settings) then return end
    local lane = read_lane(lane_key(integration, segment))
    if owes_little(lane, segment) then
      local reply = begin(free[#found + 1], lease_ms, budget, integration, segment, settings, lane, '')
      found[#found + 1] = reply
      for i = 18, #reply do budget = budget - #reply[i] end
    end
  end
end
join_from(timed_key(integration))
join_from(full_key(integration))
redis.call('ZADD', permits_key('deliver.' .. connector), now + tonumber(permit_ms), token)
if #found > 0 then to_the_end(connector, integration) end
return found
