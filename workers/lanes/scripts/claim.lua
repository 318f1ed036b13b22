-- Gives a deliverer the next due lane of a connector, or takes its permit back (rules 9, 10, 26a).
--
-- ARGV  3 connector  4 owner  5 lease ms  6 permit's token  7 permit's ms  8 parallelism  9 budget in bytes
-- Returns {'stale'}, {'idle'} (the permit is given back), {'probe'} (the circuit is open: try to connect, and say
-- what came of it), or
--   {'lane', integration, segment, done, to, clear, attempts, limit, suspect, the last sequence that somebody
--   may have tried or '', 1 if its head kills whoever touches it, hold, entries in the quarantine, 1 if it has no room for more, chunks...}

local connector, owner, lease, token = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local permits = permits_key('deliver.' .. connector)

local function idle()
  redis.call('ZREM', permits, token)
  return { 'idle' }
end

if current_revision() ~= ARGV[2] then
  redis.call('ZREM', permits, token)
  return { 'stale' }
end

redis.call('ZREMRANGEBYSCORE', permits, '-inf', now)
-- A wake-up that came late finds its permit expired: it may go on if there is room for one.
if not redis.call('ZSCORE', permits, token) and redis.call('ZCARD', permits) >= tonumber(ARGV[8]) then
  return { 'idle' }
end

-- A held level probes itself: one lane goes when the time has come, and that moves the time on (rule 25).
local PROBE_MS = 60000
local function may_probe(key, field_until)
  if not field_until then return true end
  if field_until > now then return false end
  redis.call('HSET', key, 'hold_until', now + PROBE_MS)
  return true
end

-- Only connection errors open a circuit, and only a connection closes it: no lane is tried meanwhile (rule 25).
-- One probes at a time; its right to do so expires.
local open_until = tonumber(redis.call('HGET', connector_key(connector), 'open_until') or nil)
if open_until then
  if open_until > now then return idle() end
  redis.call('HSET', connector_key(connector), 'open_until', now + tonumber(ARGV[7]))
  redis.call('ZADD', permits, now + tonumber(ARGV[7]), token)
  return { 'probe' }
end

local connector_hold = tonumber(redis.call('HGET', connector_key(connector), 'hold_until') or nil)
if connector_hold and connector_hold > now then return idle() end

-- The set's first due lane; what an emptied lane left behind is removed on the way.
local function first_due(integration, set)
  for _ = 1, 100 do
    local found = redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 1)[1]
    if not found then return nil end
    if redis.call('HEXISTS', lane_key(integration, found), 'count') == 1 then return found end
    redis.call('ZREM', set, found)
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

local DEATHS = 3

local function hand_out(integration, segment, settings)
  local key = lane_key(integration, segment)
  local lane = read_lane(key)
  local list, budget, clear = chunks_key(integration, segment), tonumber(ARGV[9]), clear_that_runs(lane, settings)
  local want, tried_to = hand_out_size(settings.size) + lane.off, lane.to
  local chunks, to
  if clear > tried_to then chunks, to = chunks_to_clear(list, 0, want, budget, clear) end
  if not chunks and tried_to ~= '' then
    chunks, to = same_chunks(list, tried_to)
    to = tried_to
  elseif not chunks then
    chunks, to = next_chunks(list, 0, want, budget)
  end
  lane.to = to
  if tried_to == '' then redis.call('HSET', key, 'digest', settings.digest) end
  local deadly = 0
  local till = now + lease
  redis.call('HSET', key, 'owner', owner, 'until', till, 'to', lane.to, 'starts', lane.starts + 1)
  -- Counted before the head is touched. Every settlement and release takes it back, so these starts ended with
  -- their process: what kills it is closed in on (rule 13).
  if lane.starts >= DEATHS then
    lane.limit = math.max(1, math.floor((lane.limit > 0 and lane.limit or settings.size) / 2))
    redis.call('HSET', key, 'limit', lane.limit)
    -- Down to one, and three more: this one is not touched again.
    local halvings = math.ceil(math.log(settings.size) / math.log(2))
    if lane.limit == 1 and lane.starts >= 2 * DEATHS + halvings then deadly = 1 end
  end
  put_leased(integration, segment, till)
  redis.call('ZADD', permits, now + tonumber(ARGV[7]), token)
  local reply = { 'lane', integration, segment, lane.done, lane.to, clear, lane.attempts,
    lane.limit, lane.suspect, tried_to, deadly, lane.hold, redis.call('HLEN', open_key(integration, segment)), settings.no_room and 1 or 0 }
  for i = 1, #chunks do reply[#reply + 1] = chunks[i] end
  return reply
end

-- A connector's integrations take turns. Most looks find a lane; those that do not put a place right (lanes/due.lua).
local LOOKS = 100
for _ = 1, LOOKS do
  local integration = next_to_look_at(connector)
  if not integration then return idle() end
  local settings = read_integration(integration)
  local at = look_at(connector, integration, settings)
  local segment = at and at <= now and pick(integration, settings)
  if segment then
    may_probe(integration_key(integration), settings.hold_until)
    may_probe(connector_key(connector), connector_hold)
    local answer = hand_out(integration, segment, settings)
    to_the_end(connector, integration)
    return answer
  end
end
return idle()
