-- What every script begins with. ARGV[1] is the namespace, ARGV[2] the revision of the configuration that the
-- caller works by ('' where a script must run whatever the revision). Keys are named here and not passed in
-- KEYS: one installation is one Redis, no claim of Redis Cluster is made.

local ns = ARGV[1]

-- A full Redis refuses a script whose first write asks for memory, and lets one run to its end whose first
-- write frees some, even a DEL of nothing (rule 5). This is what lets a full Redis drain.
redis.call('DEL', ns .. ':nothing')

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local BELL_AHEAD_MS = 5000
local CHUNK_HEADER = 60

local function current_revision()
  return redis.call('HGET', ns .. ':config', 'revision') or ''
end

local function lane_key(integration, segment) return ns .. ':lane:' .. integration .. ':' .. segment end
local function open_key(integration, segment) return ns .. ':open:' .. integration .. ':' .. segment end
local function chunks_key(integration, segment) return ns .. ':chunks:' .. integration .. ':' .. segment end
local function full_key(integration) return ns .. ':due:' .. integration .. ':full' end
local function timed_key(integration) return ns .. ':due:' .. integration .. ':timed' end
local function integration_key(integration) return ns .. ':int:' .. integration end
local function connector_key(connector) return ns .. ':conn:' .. connector end
local function permits_key(queue) return ns .. ':permits:' .. queue end
local function lease_key(name) return ns .. ':lease:' .. name end

-- A time in the field of a hash, 0 where there is none; put right where it lies further ahead than any that is written
-- now could: a clock that was set back, or was wrong for a moment, must not make others wait for hours.
local function time_in(key, field, written, longest_ms)
  local at = tonumber(written) or 0
  if at <= now + longest_ms then return at end
  redis.call('HSET', key, field, now + longest_ms)
  return now + longest_ms
end

local rung = false
local function ring()
  if not rung then redis.call('XADD', ns .. ':bell', 'MAXLEN', 1, '*', 'r', '1') end
  rung = true
end

-- Beyond this many records a ledger that is away must not fill Redis: tries become sums, per integration, hour and
-- what came of them (rule 29). The drainer makes records of them again (workers/ledger/rollups.py). Nothing that the
-- quarantine is told of is ever folded.
local MOST_RECORDS = 200000

-- `packed` is outcomes.Delivery; false if it is another record (Redis 6.2 could not unpack the bytes in some).
local function fold(packed)
  if not string.find(string.sub(packed, 1, 12), '\168delivery', 1, true) then return false end
  local _, uid, integration, connector, _, outcome, first, last, operations, merged, moot, quarantined, _, started,
    duration, waited, code, reason, runs, tries, event_type = unpack(cmsgpack.unpack(packed), 1, 21)
  local folded = ns .. ':folded'
  -- Waiting times to the next power of two, so that latencies are still told within a factor of two.
  local bucket = waited < 1 and 0 or 2 ^ math.ceil(math.log(waited) / math.log(2))
  local hour = math.floor(started / 3600000)
  local group = cmsgpack.pack({ integration, connector, outcome, code, reason, event_type or '', hour, bucket })
  local function add(name, value) redis.call('HINCRBY', folded, name .. ':' .. group, value) end
  redis.call('HSETNX', folded, 'uid:' .. group, uid)
  redis.call('HSETNX', folded, 'first:' .. group, first)
  redis.call('HSET', folded, 'last:' .. group, last)
  add('tries', tries or 1)
  add('operations', operations)
  add('merged', merged)
  add('moot', moot)
  add('quarantined', quarantined)
  add('duration_us', duration)
  for _, run in ipairs(runs or {}) do
    add(run[1] .. '.profiles', run[2])
    add(run[1] .. '.statements', run[3])
    add(run[1] .. '.rows', run[4])
    add(run[1] .. '.duration_us', run[5])
    add(run[1] .. '.runs', run[6] or 1)
  end
  return true
end

local function record(outcomes, first)
  local full = first <= #outcomes and redis.call('XLEN', ns .. ':outcomes') >= MOST_RECORDS
  for i = first, #outcomes do
    if not (full and fold(outcomes[i])) then redis.call('XADD', ns .. ':outcomes', '*', 'r', outcomes[i]) end
  end
end

-- What became of an entry of the quarantine, as outcomes.Resolved.
local function resolve(entry, state, code, by)
  redis.call('XADD', ns .. ':outcomes', '*', 'r', cmsgpack.pack({ 'resolved', entry, state, now, code, '', by or '' }))
end

-- An integration's settings that scripts need stand in its hash, written by `apply`.
local function read_integration(integration)
  local v = redis.call('HMGET', integration_key(integration), 'size', 'timeout', 'clear', 'active', 'paused',
    'hold_until', 'flip', 'connector', 'digest', 'max_backlog', 'when_full', 'max_quarantine', 'quarantined', 'orphaned')
  return {
    size = tonumber(v[1]) or 1, timeout = tonumber(v[2]) or 60000, clear = v[3] == '1',
    open = v[4] == '1' and not v[5], hold_until = tonumber(v[6]), flip = v[7], connector = v[8] or '',
    digest = v[9] or '', max_backlog = tonumber(v[10]), drops = v[11] == 'drop', orphaned = v[14] ~= false,
    -- As many open entries as the quarantine may have of it: what would add to them is not tried (rule 31).
    no_room = (tonumber(v[13]) or 0) >= (tonumber(v[12]) or math.huge),
  }
end

local LANE_FIELDS = { 'owner', 'until', 'done', 'count', 'head', 'bar', 'clear', 'to', 'attempts', 'retry',
  'limit', 'off', 'digest', 'hold', 'starts', 'suspect' }

local function read_lane(key)
  local v = redis.call('HMGET', key, unpack(LANE_FIELDS))
  return {
    owner = v[1], till = tonumber(v[2]) or 0, done = v[3] or '', count = tonumber(v[4]) or 0,
    head = tonumber(v[5]) or 0, bar = v[6] or '', clear = v[7] or '', to = v[8] or '',
    attempts = tonumber(v[9]) or 0, retry = tonumber(v[10]) or 0, limit = tonumber(v[11]) or 0,
    off = tonumber(v[12]) or 0, digest = v[13] or '', hold = v[14] or '', starts = tonumber(v[15]) or 0,
    suspect = v[16] or '',
  }
end

-- Producers look at `full` before they push: a field for each integration that has reached its limit, and `reason`
-- (rule 31). It is taken back when a tenth of the limit is free again. One that is orphaned is sent nothing any more:
-- what it owes holds up nobody.
local function note_backlog(integration, settings, backlog)
  local limit, key = settings.max_backlog, ns .. ':full'
  if not limit or settings.drops or settings.orphaned then return end
  if backlog >= limit then
    local reason = 'integration ' .. integration .. ' has reached its max_backlog of ' .. limit .. ' operations'
    redis.call('HSET', key, integration, reason, 'reason', reason)
  elseif backlog <= limit * 0.9 and redis.call('HDEL', key, integration) == 1 then
    redis.call('HDEL', key, 'reason')
    local other = redis.call('HVALS', key)[1]
    if other then redis.call('HSET', key, 'reason', other) end
  end
end

-- Chunks are opaque but for their header: first and last sequence (27 digits each) and count (6 digits).
local function chunk_first(chunk) return string.sub(chunk, 1, 27) end
local function chunk_last(chunk) return string.sub(chunk, 28, 54) end
local function chunk_count(chunk) return tonumber(string.sub(chunk, 55, CHUNK_HEADER)) end

-- Reads chunks from index `start` until `enough(chunk, operations, bytes)` says so; returns them and the last
-- one's last sequence. A window of chunks at a time, sized by what the last chunk held.
local function read_chunks(key, start, want, enough)
  local out, got, bytes, index, last = {}, 0, 0, start, ''
  local window = 1
  while true do
    local part = redis.call('LRANGE', key, index, index + window - 1)
    for i = 1, #part do
      local chunk = part[i]
      out[#out + 1] = chunk
      got = got + chunk_count(chunk)
      bytes = bytes + #chunk
      last = chunk_last(chunk)
      if enough(last, got, bytes) then return out, last end
    end
    if #part < window then return out, last end
    index = index + #part
    -- Beyond `want` only what `enough` waits for is read.
    local missing = math.max(1, want - got)
    window = got < want and math.min(64, math.ceil(missing / chunk_count(part[#part]))) or 16
  end
end

-- The next operations of a lane: at least `want` of them where it has as many, bounded in bytes.
local function next_chunks(key, start, want, budget)
  return read_chunks(key, start, want, function(_, got, bytes) return got >= want or bytes >= budget end)
end

-- As many, and all up to a clear: what it makes moot is settled together with it, and with nothing else (rule 14).
-- Nil where that is more than the budget: then what stands before it is delivered.
local function chunks_to_clear(key, start, want, budget, clear)
  if clear == '' then return nil end
  local function enough(last, got, bytes) return bytes >= budget or (got >= want and last >= clear) end
  local chunks, last = read_chunks(key, start, want, enough)
  if last >= clear then return chunks, last end
end

-- What was handed out before: up to the sequence written then, so that every try cuts the same batch (rule 10).
local function same_chunks(key, to)
  return read_chunks(key, 0, 64, function(last) return last >= to end)
end

-- How the next batch is cut after a failure: at most `limit` operations ('' for a whole batch), and where a bad
-- profile is looked for, the end of the batch it was in (rules 23, 24).
local function narrow(key, limit, suspect)
  if limit == '' then redis.call('HDEL', key, 'limit') else redis.call('HSET', key, 'limit', limit) end
  if suspect == '' then redis.call('HDEL', key, 'suspect') else redis.call('HSET', key, 'suspect', suspect) end
end

-- The clear that makes what is before it moot, if it would run: a revision may have taken its query away since it
-- was appended, and then what it stood behind is owed after all (rule 14).
local function clear_that_runs(lane, settings) return settings.clear and lane.clear or '' end

-- What a deliverer is given at once: a batch, or in one-at-a-time mode as many as are worth a round trip.
local function hand_out_size(size) return math.max(size, 100) end
