-- What must be woken now, and when to look again. The pulse, beat's sweep and every task's end run the same
-- (rules 26a, 26b); any number of them is harmless, because a wake-up is a permit.
--
-- ARGV  3 prefix for new tokens, the same where the same tick is sent again  4 permit's ms  5 longest sleep in ms
--       6 who asks: 'pulse', 'beat' or 'task'
--       7 lease ms
-- Returns {ms to sleep, last id of the intake, last id of the bell, then for each wake-up: queue, token, limit}
-- where `limit` is how many messages the queue may hold; {'stale'} for another revision.

-- Who only looks would never learn of a new revision otherwise.
if current_revision() ~= ARGV[2] then return { 'stale' } end

-- Times in Redis are compared with a clock that somebody may set back. Then, and where an older segsync has left no
-- place for integrations, every due time is looked at (lanes/scripts/rescore.lua).
local CLOCK_SLACK_MS = 1000
local function note_clock()
  local at = redis.call('HMGET', ns .. ':seen', 'clock', 'placed')
  local last = tonumber(at[1] or nil) or now
  local fell = now < last - CLOCK_SLACK_MS
  if fell then
    -- What was sent by the other clock is forgotten, rather than waited for.
    for _, connector in ipairs(redis.call('SMEMBERS', ns .. ':connectors')) do
      redis.call('HDEL', connector_key(connector), 'paid_until', 'rests_until')
    end
  end
  if fell or not at[2] then
    for _, integration in ipairs(redis.call('SMEMBERS', ns .. ':integrations')) do
      note_due(integration, now)
      if fell then redis.call('HSET', ns .. ':rescore', integration, 'timed 0') end
    end
    redis.call('HSET', ns .. ':seen', 'placed', 1)
  end
  if fell or not at[1] or now > last + CLOCK_SLACK_MS then redis.call('HSET', ns .. ':seen', 'clock', now) end
end
note_clock()

local prefix, ttl, longest = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local wake_at = now + longest
local reply = { 0, '0-0', '0-0' }
local made = 0

local function sooner(at)
  if at and at < wake_at then wake_at = at end
end

local function last_id(key)
  if redis.call('EXISTS', key) == 0 then return '0-0' end
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  return newest and newest[1] or '0-0'
end

-- Sends up to `wanted` wake-ups, no more at once than the queue has permits for. A tick whose answer nobody heard, and
-- that is sent again, tells of what it gave: those wake-ups would be missed until their permits run out.
local function wake(queue, wanted, limit)
  local permits = permits_key(queue)
  redis.call('ZREMRANGEBYSCORE', permits, '-inf', now)
  -- A clock that was set back makes no permit of hours: none lasts longer than one that is given now.
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', permits, '(' .. now + ttl, '+inf')) do
    redis.call('ZADD', permits, now + ttl, token)
  end
  local function send(token)
    made = made + 1
    reply[#reply + 1] = queue
    reply[#reply + 1] = token
    reply[#reply + 1] = limit
  end
  local all, given = redis.call('ZRANGE', permits, 0, -1), 0
  for _, token in ipairs(all) do
    if string.sub(token, 1, #prefix) == prefix then
      given = given + 1
      send(token)
    end
  end
  local room = limit - #all
  for number = given + 1, math.min(wanted, given + room) do
    redis.call('ZADD', permits, now + ttl, prefix .. number)
    send(prefix .. number)
  end
  if wanted - given > room then
    local oldest = redis.call('ZRANGE', permits, 0, 0, 'WITHSCORES')
    sooner(tonumber(oldest[2]))
  end
end

-- What one process at a time does: nobody is woken for it while somebody has its lease, or left it to rest. (Who leaves
-- it rings, or ticks.)
-- Nothing is left alone for longer than a ledger that is away (tasks/upkeep.py), nor is a circuit.
local LONGEST_REST_MS, LOOK_AGAIN_MS = 10000, 1000
local function wake_one(name)
  local key = lease_key(name)
  local at = redis.call('HMGET', key, 'owner', 'until', 'rest')
  local waits = time_in(key, 'rest', at[3], LONGEST_REST_MS)
  if at[1] then waits = math.max(waits, time_in(key, 'until', at[2], tonumber(ARGV[7]))) end
  if waits > now then sooner(math.min(waits, now + LOOK_AGAIN_MS)) else wake(name, 1, 1) end
end

if redis.call('XLEN', ns .. ':events') > 0 then wake_one('route') end
if redis.call('XLEN', ns .. ':outcomes') > 0
  or redis.call('EXISTS', ns .. ':long', ns .. ':folded', ns .. ':rescore') > 0 then
  wake_one('upkeep')
end

-- Runs that are due for a look, and, while fewer are open than may be, those that wait to begin (rule 45).
local OPEN_RUNS = 8
local function runs_in(key)
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  if not first then return false end
  if tonumber(first) <= now then return true end
  sooner(math.min(tonumber(first), now + longest))
  return false
end
local due_runs = runs_in(ns .. ':runs')
local begun = redis.call('ZCARD', ns .. ':runs') - redis.call('SCARD', ns .. ':runs:stalled')
if not due_runs and begun < OPEN_RUNS then due_runs = runs_in(ns .. ':runs:waiting') end
if runs_in(ns .. ':verifications') or due_runs then wake_one('resync') end

-- When the next lane comes due of an integration of which one is due already: its place does not tell, and whoever
-- serves the one that is due rings for no other.
local function sooner_in(set)
  sooner(tonumber(redis.call('ZRANGEBYSCORE', set, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or nil))
end

-- The number of a connector's due lanes, at most as many as could be served; the next one's time counts as well. Looks
-- at no more integrations than that, and some whose place is put right.
local LOOKS_BESIDE = 16
local function due_for(connector, parallelism)
  local total, looks, key = 0, parallelism + LOOKS_BESIDE, next_key(connector)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', exactly_now, 'LIMIT', 0, looks)
  for _, integration in ipairs(found) do
    local at = look_at(connector, integration, read_integration(integration))
    if at and at <= now then
      total = total + redis.call('ZCOUNT', full_key(integration), '-inf', now)
        + redis.call('ZCOUNT', timed_key(integration), '-inf', now)
      sooner_in(full_key(integration))
      sooner_in(timed_key(integration))
    end
    if total >= parallelism then
      sooner(now + LOOK_AGAIN_MS)
      return parallelism
    end
  end
  if #found == looks then sooner(now) end
  local coming = redis.call('ZRANGEBYSCORE', key, '(' .. exactly_now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  sooner(tonumber(coming[2]))
  return total
end

local LONGEST_TEND_MS = 60000
for _, connector in ipairs(redis.call('SMEMBERS', ns .. ':connectors')) do
  local v = redis.call('HMGET', connector_key(connector), 'parallelism', 'hold_until', 'open_until', 'ads', 'tend', 'pace')
  -- Held, or its circuit open, or both, as where a slower probe told of it later: nothing until the time of the next
  -- probe, as claim.lua has it, and then one.
  local parallelism, hold, key = tonumber(v[1]) or 1, nil, connector_key(connector)
  if v[3] then hold = time_in(key, 'open_until', v[3], LONGEST_REST_MS) end
  if v[2] then hold = math.max(hold or 0, time_in(key, 'hold_until', v[2], LONGEST_HOLD_MS)) end
  local pace = tonumber(v[6] or nil)
  local waits = math.max(hold or 0, pace and rests_until(connector) or 0)
  if waits > now then
    sooner(waits)
  else
    local due = due_for(connector, parallelism)
    -- What the store of an ad account owes, no lane knows (lanes/tending.py).
    if v[4] == '1' then
      local tend = time_in(key, 'tend', v[5], LONGEST_TEND_MS)
      if tend <= now then due = math.max(due, 1) else sooner(tend) end
    end
    if hold then due = math.min(due, 1) end
    -- No more than can be sent: each of the others would find that there is no room.
    if pace then due = math.min(due, 1 + math.floor((now - paid_until(connector)) / pace)) end
    if due > 0 then wake('deliver.' .. connector, due, parallelism) end
  end
end

-- How long an event has waited whose id lies ahead of the clock, the id does not tell. So it is noted when it was first
-- seen at the head of the intake.
local function note_ahead(newest)
  local function lies_ahead(id) return tonumber(string.match(id, '^%d+')) > now end
  if not lies_ahead(newest) then return end
  local first = redis.call('XRANGE', ns .. ':events', '-', '+', 'COUNT', 1)[1]
  if not first or not lies_ahead(first[1]) then return end
  local noted = redis.call('HGET', ns .. ':seen', 'ahead')
  if not noted or string.match(noted, '^%S+') ~= first[1] then
    redis.call('HSET', ns .. ':seen', 'ahead', first[1] .. ' ' .. now)
  end
end

-- With wake-ups to send it has not looked until they are sent: whoever sends them says so (lanes/seen.py).
if ARGV[6] ~= 'task' and made == 0 then redis.call('HSET', ns .. ':seen', ARGV[6], now) end
reply[1] = math.max(0, math.ceil(wake_at - now))
reply[2] = last_id(ns .. ':events')
note_ahead(reply[2])
reply[3] = last_id(ns .. ':bell')
return reply
