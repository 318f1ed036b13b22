-- Gives a deliverer the next due lane of a connector, or takes its permit back (rules 9, 10, 26a).
--
-- ARGV  3 connector  4 claim  5 lease ms  6 permit's token  7 permit's ms  8 parallelism  9 budget in bytes
-- Returns {'stale'}, {'idle'} (the permit is given back), {'probe', id of the hold or ''} (the connector is held, or its
-- circuit open: try to connect, and say what came of it), or
--   {'lane', integration, segment, done, to, clear, attempts, limit, suspect, passed, the last sequence that somebody
--   may have tried or '', processes that have ended over its head, id of the integration's hold that it is the probe of
--   or '', entries in the quarantine, 1 if it has no room for more, what is to be set aside, packed, or '', how many were
--   before, chunks...}

local connector, claim, lease_ms, token, permit_ms, parallelism, budget = unpack(ARGV, 3, 9)
local permits = permits_key('deliver.' .. connector)

local function idle()
  redis.call('ZREM', permits, token)
  return { 'idle' }
end

local function keep_permit() redis.call('ZADD', permits, now + tonumber(permit_ms), token) end

if current_revision() ~= ARGV[2] then
  redis.call('ZREM', permits, token)
  return { 'stale' }
end

local before = answered(claim)
if before and before[2] == 'probe' then return { 'probe', before[3] } end
local same = the_same_lane(claim, lease_ms, budget)
if same then
  keep_permit()
  return same
end

redis.call('ZREMRANGEBYSCORE', permits, '-inf', now)
-- A wake-up that came late finds its permit expired: it may go on if there is room for one.
if not redis.call('ZSCORE', permits, token) and redis.call('ZCARD', permits) >= tonumber(parallelism) then
  return { 'idle' }
end

-- A connector that is held, or whose circuit is open, is probed by connecting, and by nothing else: no lane is tried
-- meanwhile, and none that works on an old session, or has nothing to tell, lifts anything (rule 25). One probes at a
-- time; its right to do so expires.
local function probe_connector()
  local v = redis.call('HMGET', connector_key(connector), 'open_until', 'hold_until', 'hold_id', 'pace')
  local open_until, hold_until = tonumber(v[1] or nil), tonumber(v[2] or nil)
  if not open_until and not hold_until then
    return tonumber(v[4] or nil) and rests_until(connector) > now and idle() or nil
  end
  if math.max(open_until or 0, hold_until or 0) > now then return idle() end
  if open_until then redis.call('HSET', connector_key(connector), 'open_until', now + tonumber(permit_ms)) end
  if hold_until then redis.call('HSET', connector_key(connector), 'hold_until', now + tonumber(permit_ms)) end
  keep_permit()
  local id = hold_until and (v[3] or 'unnamed') or ''
  remember(claim, 'probe', id)
  return { 'probe', id }
end
local probe = probe_connector()
if probe then return probe end

-- A held integration probes itself: one lane goes when the time has come, and that moves the time on (rule 25).
local PROBE_MS = 60000
local function probes(key, hold_until)
  if not hold_until then return '' end
  redis.call('HSET', key, 'hold_until', now + PROBE_MS)
  return redis.call('HGET', key, 'hold_id') or 'unnamed'
end

-- The set's first due lane; what an emptied lane left behind is removed on the way.
local function first_due(integration, set)
  for _ = 1, 100 do
    local found = redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 1)[1]
    if not found then return nil end
    local at = redis.call('HMGET', lane_key(integration, found), 'count', 'mark', 'before')
    if not at[1] then
      redis.call('ZREM', set, found)
    elseif at[2] and tonumber(at[3]) <= 0 then
      redis.call('ZADD', set, now + WAITING_MS, found)
      wake_reader(lane_key(integration, found))
    else
      return found
    end
  end
end

-- Full and timed lanes by turns, so that neither kind starves the other (rule 9).
local function pick(integration, settings)
  local first, second = full_key(integration), timed_key(integration)
  if settings.flip == '1' then first, second = second, first end
  local found = first_due(integration, first) or first_due(integration, second)
  if found then
    redis.call('HSET', integration_key(integration), 'flip', settings.flip == '1' and '0' or '1')
  end
  return found
end

-- A connector's integrations take turns. Most looks find a lane; those that do not put a place right (lanes/scripts/due.lua).
local LOOKS = 100
for _ = 1, LOOKS do
  local integration = next_to_look_at(connector)
  if not integration then return idle() end
  local settings = read_integration(integration)
  local at = look_at(connector, integration, settings)
  local segment = at and at <= now and pick(integration, settings)
  if segment then
    local probing = probes(integration_key(integration), settings.hold_until)
    local lane = read_lane(lane_key(integration, segment))
    local answer = begin(claim, lease_ms, budget, integration, segment, settings, lane, probing)
    keep_permit()
    to_the_end(connector, integration)
    return answer
  end
end
return idle()
