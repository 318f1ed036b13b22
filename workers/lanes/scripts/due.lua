-- When a lane is due, and which integrations of a connector are worth a look (rules 8, 9). Comes after common.lua.

-- Due (rule 8): a full lane, or one with a segment event inside, is due at once; another when its timeout
-- since the first owed event has passed. A stream id of the future must not postpone that for ever, and nothing
-- is due before its retry time.
--
-- A run's mark is a barrier: what stands before it is due at once, and with nothing before it the lane waits for the
-- run's reader, and is looked at again after a while, should nobody be there to bring its parts (rule 45).
local WAITING_MS = 30000
local function waits_at_mark(lane) return lane.mark ~= '' and lane.before <= 0 end
local function is_full(lane, size) return lane.count >= size or lane.bar > lane.done end

local function due_at(lane, size, timeout)
  if waits_at_mark(lane) then return math.max(now + WAITING_MS, lane.retry) end
  local base = now
  if not is_full(lane, size) then base = math.min(lane.head, now) + timeout end
  return math.max(base, lane.retry)
end

-- The sorted set next:CONNECTOR: its integrations, each by a time before which none of its lanes is due. It is lowered at
-- once whenever a lane becomes due sooner, and put right when somebody looks; so a look at a connector costs the same
-- however many integrations it has. Never before now: whoever is served goes to the end of those that are due, and what
-- becomes due meanwhile does not pass by.
local function next_key(connector) return ns .. ':next:' .. connector end

-- In parts of a millisecond, or those that are served within one would not take turns.
local exactly_now = clock[1] * 1000 + clock[2] / 1000

local connectors = {}
local function note_due(integration, score)
  local connector = connectors[integration]
  if not connector then
    connector = redis.call('HGET', integration_key(integration), 'connector') or ''
    connectors[integration] = connector
  end
  redis.call('ZADD', next_key(connector), 'LT', math.max(score, exactly_now), integration)
end

-- When an integration's first lane is due, or nil.
local function earliest_due(integration)
  local full = redis.call('ZRANGE', full_key(integration), 0, 0, 'WITHSCORES')[2]
  local timed = redis.call('ZRANGE', timed_key(integration), 0, 0, 'WITHSCORES')[2]
  full, timed = tonumber(full or nil), tonumber(timed or nil)
  return full and timed and math.min(full, timed) or full or timed
end

-- When an integration may be served next: not after now, if it may be at once; nil if never. Puts its place right.
-- One that is paused or held is looked at again within a second: so nobody who lifts that need say so here.
local AGAIN_MS, LONGEST_HOLD_MS = 1000, 300000
local function look_at(connector, integration, settings)
  local at = earliest_due(integration)
  if not at or settings.connector ~= connector or settings.orphaned then
    redis.call('ZREM', next_key(connector), integration)
    return nil
  end
  local held = time_in(integration_key(integration), 'hold_until', settings.hold_until, LONGEST_HOLD_MS)
  if not settings.open then
    at = math.max(at, now + AGAIN_MS)
  elseif held > now then
    at = math.max(at, math.min(held, now + AGAIN_MS))
  end
  at = math.max(at, opens_at(settings.window))
  if at > now then redis.call('ZADD', next_key(connector), at, integration) end
  return at
end

-- The integration that is worth a look; where none is, the one that comes next, once: if its place were wrong, that
-- would put it right.
local looked_ahead = false
local function next_to_look_at(connector)
  local found = redis.call('ZRANGEBYSCORE', next_key(connector), '-inf', exactly_now, 'LIMIT', 0, 1)[1]
  if found or looked_ahead then return found end
  looked_ahead = true
  return redis.call('ZRANGE', next_key(connector), 0, 0)[1]
end

-- It has been served: the others that are due come first.
local function to_the_end(connector, integration)
  redis.call('ZADD', next_key(connector), math.max(earliest_due(integration) or 0, exactly_now), integration)
end

local function put_due(integration, segment, full, score)
  if full then
    redis.call('ZREM', timed_key(integration), segment)
    redis.call('ZADD', full_key(integration), score, segment)
  else
    redis.call('ZREM', full_key(integration), segment)
    redis.call('ZADD', timed_key(integration), score, segment)
  end
  note_due(integration, score)
  if score < now + BELL_AHEAD_MS then ring() end
end

-- A claimed lane comes due again when its lease ends, in whichever set it stands: if the deliverer dies,
-- nobody has to notice (rule 8).
local function put_leased(integration, segment, till)
  redis.call('ZADD', full_key(integration), 'XX', till, segment)
  redis.call('ZADD', timed_key(integration), 'XX', till, segment)
end

-- A lane whose run's mark has come to its head is the reader's next business, and so is one whose parts run short.
local function wake_reader(key)
  local at = redis.call('HMGET', key, 'run', 'low')
  if not at[1] then return false end
  redis.call('ZADD', ns .. ':runs', now, at[1])
  return true
end

-- A segment that needs a resync, and since which operation: only a run whose mark stands behind that takes it back.
local function flag(integration, segment, sequence)
  redis.call('SADD', ns .. ':resync:' .. integration, segment)
  redis.call('HSET', ns .. ':flagged:' .. integration, segment, sequence)
end
local function unflag(integration, segment)
  redis.call('SREM', ns .. ':resync:' .. integration, segment)
  redis.call('HDEL', ns .. ':flagged:' .. integration, segment)
end
