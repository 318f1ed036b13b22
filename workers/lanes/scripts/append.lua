-- Moves a part of the intake into the lanes: operations, what is known of segments, what nobody wanted, what was
-- malformed, the position and the trim, all or nothing (rule 2).
--
-- ARGV  3 owner of the lease of the routing  4 lease ms  5 position read from  6 new position
--       7 id of the last entry that is moved as a whole: the intake is trimmed up to it, and not beyond
--       then runs: count, each: segment, operations, head ms, last barrier's sequence or '',
--                last clear's sequence or '', chunk, '1' if it must not be dropped, 'RUN NONCE' if it is a run's mark or '',
--                number of integrations, integrations
--       segments count, each: id, facts or '' to forget
--       unwanted count, each: id, operations
--       resync   count, each: integration, segment, sequence
--       left     count, each: integration, segment: what has left it, and needs no resync there any more
--       counters events, operations, fields ignored, new entries of the quarantine among the records
--       records  the rest, for the outcomes stream
-- Returns {'ok', then integration and operations of each that has dropped some}, {'stale'} for another revision, {'lost'} for another owner or position.

if current_revision() ~= ARGV[2] then return { 'stale' } end

local intake, lease = ns .. ':intake', lease_key('route')
if redis.call('HGET', lease, 'owner') ~= ARGV[3] then return { 'lost' } end
local position = redis.call('HGET', intake, 'position') or ''
-- The client library sent it twice: it is answered as it was. (Two moves never end at the same position.)
if position == ARGV[6] and position ~= ARGV[5] then return { 'ok' } end
if position ~= ARGV[5] then return { 'lost' } end

-- All of it is read before the first write: what is not well-formed must leave no half behind (rule 5).
assert(string.find(ARGV[7] or '', '^%d+%-%d+$'), 'append: expected the id of an entry')
local i = 8
local function take()
  local value = ARGV[i]
  assert(value, 'append: arguments end too early')
  i = i + 1
  return value
end
local function take_number()
  local number = tonumber(take())
  assert(number, 'append: expected a number')
  return number
end
local function take_pairs(second)
  local pairs_ = {}
  for n = 1, take_number() do pairs_[n] = { take(), second() } end
  return pairs_
end

local runs = {}
for n = 1, take_number() do
  local run = { segment = take(), operations = take_number(), head = take_number(), bar = take(), clear = take(),
    chunk = take(), kept = take() == '1', mark = take(), integrations = {} }
  for m = 1, take_number() do run.integrations[m] = take() end
  runs[n] = run
end
local segments, unwanted, resync = take_pairs(take), take_pairs(take_number), {}
for n = 1, take_number() do resync[n] = { take(), take(), take() } end
local left = take_pairs(take)
local events, operations_routed, ignored, quarantined = take_number(), take_number(), take_number(), take_number()

local known = {}
local function settings(integration)
  local found = known[integration]
  if not found then
    found = read_integration(integration)
    found.backlog = tonumber(redis.call('HGET', integration_key(integration), 'backlog') or 0)
    found.added, found.sooner = 0, math.huge
    known[integration] = found
  end
  return found
end

-- Up to the entry and with it: no arithmetic on an id, of which the largest has none after it (rule 2). An intake whose
-- ids are far ahead of the clock begins anew once it is empty: or every later event would get such an id, too.
local FAR_MS = 86400000
local function trim_intake(last_id)
  local stream = ns .. ':events'
  redis.call('XTRIM', stream, 'MINID', '=', last_id)
  redis.call('XDEL', stream, last_id)
  if tonumber(string.match(last_id, '^%d+')) > now + FAR_MS and redis.call('XLEN', stream) == 0 then
    redis.call('DEL', stream)
    ring()
  end
end

-- Only ever lowers a score, or a hot lane would be pushed behind all others by each append (rule 8). What the
-- integration's place is lowered to is written once for all its lanes.
local function lower_due(integration, segment, set, full, score)
  local key = timed_key(integration)
  if full then
    redis.call('ZREM', key, segment)
    key = full_key(integration)
  elseif redis.call('ZSCORE', full_key(integration), segment) then
    key = full_key(integration)
  end
  if redis.call('ZADD', key, 'LT', 'CH', score, segment) == 1 then set.sooner = math.min(set.sooner, score) end
end

-- A lane that has waited for long is compacted, and again each time it has doubled (workers/delivery/compaction.py). Where
-- profiles go one at a time nothing is merged (rule 15).
local LONG_OPERATIONS, LONG_MS = 10000, 300000
local function note_long(integration, segment, key, lane, set)
  if lane.count < math.max(LONG_OPERATIONS, 10 * set.size) or set.size == 1 then return end
  if now - lane.head < LONG_MS + set.timeout then return end
  local compacted = tonumber(redis.call('HGET', key, 'compacted') or 0)
  if lane.count >= 2 * compacted then redis.call('SADD', ns .. ':long', integration .. ':' .. segment) end
end

-- The newest go, counted, so that one integration that stands still need not stop all others (rule 31).
local dropped = {}
local function is_dropped(integration, set, run)
  if not set.drops or not set.max_backlog or run.bar ~= '' or run.kept then return false end
  if set.backlog + set.added < set.max_backlog then return false end
  redis.call('HINCRBY', integration_key(integration), 'dropped', run.operations)
  flag(integration, run.segment, chunk_last(run.chunk))
  dropped[integration] = (dropped[integration] or 0) + run.operations
  return true
end

-- Anybody can push a mark, and one may come when its run is over: only the one that a run waits for is a barrier.
local function is_awaited(mark, lane)
  local id, nonce = string.match(mark, '^(%S+) (%S+)$')
  return id and lane.mark == '' and redis.call('HGET', ns .. ':run:' .. id, 'nonce') == nonce
end

-- What the lane owes by now stands before it. One that is held for its position in the target is tried at once: a run
-- settles that (rule 49).
local HELD_FOR_POSITION = '^segsync position:'
local function put_mark(key, lane, run)
  if string.find(redis.call('HGET', key, 'hold') or '', HELD_FOR_POSITION) then
    lane.retry = 0
    redis.call('HSET', key, 'retry', 0)
  end
  lane.mark, lane.before = run.bar, lane.count - run.operations
  redis.call('HSET', key, 'mark', lane.mark, 'before', lane.before, 'run', string.match(run.mark, '^%S+'))
  if lane.before == 0 and wake_reader(key) then ring() end
end

-- A lane as far as it matters here: this is done for every lane of every step.
local function read_end(key)
  local v = redis.call('HMGET', key, 'owner', 'count', 'head', 'bar', 'done', 'retry', 'mark', 'before')
  return { owner = v[1], count = tonumber(v[2]) or 0, head = tonumber(v[3]) or 0, bar = v[4] or '', done = v[5] or '',
    retry = tonumber(v[6]) or 0, mark = v[7] or '', before = tonumber(v[8]) or 0 }
end

local function append(integration, run)
  local segment, operations, bar, clear = run.segment, run.operations, run.bar, run.clear
  local key = lane_key(integration, segment)
  local set = settings(integration)
  if is_dropped(integration, set, run) then return end
  local lane = read_end(key)
  if run.mark ~= '' and not is_awaited(run.mark, lane) then return end
  -- What waits and is not full, or is full, is due when it was, unless there is something that changes that.
  local was_empty, was_full = lane.count == 0, is_full(lane, set.size)
  local changed = { 'count', lane.count + operations }
  local function put(field, value) changed[#changed + 1], changed[#changed + 2] = field, value end
  redis.call('RPUSH', chunks_key(integration, segment), run.chunk)
  set.added = set.added + operations
  if lane.count == 0 then
    -- What came with a time to come is as old as it is here, or nobody would learn that it is late.
    lane.head = math.min(run.head, now)
    put('head', lane.head)
  end
  lane.count = lane.count + operations
  if bar ~= '' then
    lane.bar = bar
    put('bar', bar)
  end
  if clear ~= '' and set.clear then
    put('clear', clear)
    -- What it makes moot may be what the lane is held by: it gets one try at once (rule 8).
    lane.retry = 0
    put('retry', 0)
    -- From here on it is told of every member.
    unflag(integration, segment)
  end
  redis.call('HSET', key, unpack(changed))
  if run.mark ~= '' then put_mark(key, lane, run) end
  note_long(integration, segment, key, lane, set)
  if lane.owner then return end
  local full = is_full(lane, set.size)
  if was_empty or bar ~= '' or full ~= was_full then
    lower_due(integration, segment, set, full, due_at(lane, set.size, set.timeout))
  end
end

for _, run in ipairs(runs) do
  for _, integration in ipairs(run.integrations) do append(integration, run) end
end
for integration, set in pairs(known) do
  if set.added > 0 then
    note_backlog(integration, set, redis.call('HINCRBY', integration_key(integration), 'backlog', set.added))
  end
  if set.sooner < math.huge then
    note_due(integration, set.sooner)
    if set.sooner < now + BELL_AHEAD_MS then ring() end
  end
end
local deleted = {}
for _, pair in ipairs(segments) do
  if pair[2] == '' then
    redis.call('HDEL', ns .. ':segments', pair[1])
    deleted[pair[1]] = true
  else
    redis.call('HSET', ns .. ':segments', pair[1], pair[2])
  end
end
-- Segments that nobody wants are counted each, up to so many: beyond that together, under a name that none can have.
local MOST_UNWANTED, OTHERS = 100000, '\1 others'
for _, pair in ipairs(unwanted) do
  local key = ns .. ':unwanted'
  local known = redis.call('HLEN', key) < MOST_UNWANTED or redis.call('HEXISTS', key, pair[1]) == 1
  redis.call('HINCRBY', key, known and pair[1] or OTHERS, pair[2])
end
for _, run in ipairs(runs) do
  if deleted[run.segment] then
    for _, integration in ipairs(run.integrations) do unflag(integration, run.segment) end
  end
end
for _, one in ipairs(resync) do flag(unpack(one)) end
for _, pair in ipairs(left) do unflag(pair[1], pair[2]) end
redis.call('HINCRBY', ns .. ':routed', 'events', events)
redis.call('HINCRBY', ns .. ':routed', 'operations', operations_routed)
if ignored > 0 then redis.call('HINCRBY', ns .. ':routed', 'ignored_fields', ignored) end
record(ARGV, i)

if quarantined > 0 then redis.call('HINCRBY', intake, 'quarantined', quarantined) end
redis.call('HSET', intake, 'position', ARGV[6])
redis.call('HSET', lease, 'until', now + ARGV[4])
redis.call('HDEL', lease, 'deaths', 'died')  -- it has got on
trim_intake(ARGV[7])
local reply = { 'ok' }
for integration, operations in pairs(dropped) do
  reply[#reply + 1] = integration
  reply[#reply + 1] = operations
end
return reply
