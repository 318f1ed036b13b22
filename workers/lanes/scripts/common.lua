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

-- Revisions are counted anew in a Redis that was emptied: so whoever works by one names the installation, too.
local function current_revision()
  local at = redis.call('HMGET', ns .. ':config', 'revision', 'installation')
  if at[1] and at[2] and string.find(ARGV[2], ' ', 1, true) then return at[1] .. ' ' .. at[2] end
  return at[1] or ''
end

local function lane_key(integration, segment) return ns .. ':lane:' .. integration .. ':' .. segment end
local function open_key(integration, segment) return ns .. ':open:' .. integration .. ':' .. segment end
local function rows_key(integration, segment) return ns .. ':rows:' .. integration .. ':' .. segment end
local function unkeyed_key(integration, segment) return ns .. ':unkeyed:' .. integration .. ':' .. segment end
local function passed_over_key(integration) return ns .. ':passed_over:' .. integration end
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
    add(run[1] .. '.unsent', run[7] or 0)
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
    'hold_until', 'flip', 'connector', 'digest', 'max_backlog', 'when_full', 'max_quarantine', 'quarantined', 'orphaned',
    'pace', 'window')
  return {
    size = tonumber(v[1]) or 1, timeout = tonumber(v[2]) or 60000, clear = v[3] == '1',
    open = v[4] == '1' and not v[5], hold_until = tonumber(v[6]), flip = v[7], connector = v[8] or '',
    digest = v[9] or '', max_backlog = tonumber(v[10]), drops = v[11] == 'drop', orphaned = v[14] ~= false,
    -- Milliseconds that a statement of its connector is to take, over all workers; nil where any number may be sent.
    pace = tonumber(v[15] or nil), window = v[16],
    -- As many open entries as the quarantine may have of it: what would add to them is not tried (rule 31).
    no_room = (tonumber(v[13]) or 0) >= (tonumber(v[12]) or math.huge),
  }
end

-- Where a lane holds a run's mark, what stands at or behind it is not handed out (rule 45): the sequence, or ''.
local barrier = ''

local LANE_FIELDS = { 'owner', 'until', 'done', 'count', 'head', 'bar', 'clear', 'to', 'attempts', 'retry',
  'limit', 'off', 'digest', 'hold', 'starts', 'suspect', 'passed', 'far', 'aside', 'mark', 'before' }

local function read_lane(key)
  local v = redis.call('HMGET', key, unpack(LANE_FIELDS))
  barrier = v[20] or ''
  return {
    owner = v[1], till = tonumber(v[2]) or 0, done = v[3] or '', count = tonumber(v[4]) or 0,
    head = tonumber(v[5]) or 0, bar = v[6] or '', clear = v[7] or '', to = v[8] or '',
    attempts = tonumber(v[9]) or 0, retry = tonumber(v[10]) or 0, limit = tonumber(v[11]) or 0,
    off = tonumber(v[12]) or 0, digest = v[13] or '', hold = v[14] or '', starts = tonumber(v[15]) or 0,
    suspect = v[16] or '', passed = v[17] or '', far = tonumber(v[18]), aside = v[19] or '', mark = barrier,
    before = tonumber(v[21]) or 0,
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
      if barrier ~= '' and chunk_first(chunk) >= barrier then return out, last end
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

-- A field that is absent at its default.
local function put_field(key, field, value)
  if value == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
end

-- How the next batch is cut after a failure: at most `limit` operations ('' for a whole batch), and where the one at
-- fault is looked for, the end of the batch it was in, and the event types that passed since (rules 23, 24).
local function narrow(key, limit, suspect, passed)
  put_field(key, 'limit', limit)
  put_field(key, 'suspect', suspect)
  put_field(key, 'passed', passed)
end

-- A claim is named <process>/<nonce>, and what its process was answered last is kept for as long as a lease: a command
-- that the client library sends twice, since the first answer was lost, is answered again as it was.
local ANSWER_MS = 30000
local function answer_key(claim) return ns .. ':answer:' .. (string.match(claim, '^(.*)/') or claim) end
local function remember(claim, ...)
  redis.call('SET', answer_key(claim), cmsgpack.pack({ claim, ... }), 'PX', ANSWER_MS)
end
local function answered(claim)
  local packed = redis.call('GET', answer_key(claim))
  local answer = packed and cmsgpack.unpack(packed)
  if answer and answer[1] == claim then return answer end
end

-- What a hold is called: only the probe that was sent for it may lift it.
local HOLD_FIELDS = { 'hold', 'hold_code', 'hold_until', 'hold_id', 'hold_since', 'hold_segment', 'hold_tries' }
local function hold(key, id, segment, code, reason, ms)
  local since = redis.call('HGET', key, 'hold_until') and redis.call('HGET', key, 'hold_since') or now
  redis.call('HINCRBY', key, 'hold_tries', 1)
  redis.call('HSET', key, 'hold', reason, 'hold_code', code, 'hold_until', now + ms, 'hold_id', id,
    'hold_since', since, 'hold_segment', segment)
end
local function lift(key, id)
  if (redis.call('HGET', key, 'hold_id') or 'unnamed') ~= id then return false end
  redis.call('HDEL', key, unpack(HOLD_FIELDS))
  return true
end

-- The clear that makes what is before it moot, if it would run: a revision may have taken its query away since it
-- was appended, and then what it stood behind is owed after all (rule 14).
local function clear_that_runs(lane, settings)
  if lane.mark ~= '' and lane.clear > lane.mark then return '' end
  return settings.clear and lane.clear or ''
end

-- What a deliverer is given at once: a batch and the one after it, which it gets ready while the target is at work; or
-- as many as are worth a round trip. It is given more where it holds less than those two batches.
local function hand_out_size(size) return math.max(2 * size, 100) end

-- Chunks from an index on, up to a sequence that a chunk ends with.
local function chunks_up_to(list, start, to)
  local first = redis.call('LINDEX', list, start)
  if not first or chunk_first(first) > to then return {} end
  local chunks = read_chunks(list, start, 64, function(last) return last >= to end)
  return chunks
end

-- A clear that is further away than the budget is not looked for again before half of what stood before it is done:
-- each look reads as much as the budget.
local function to_clear(key, list, lane, start, want, budget, clear)
  if clear == '' or (lane.far and lane.count > lane.far) then return nil end
  local chunks, last = chunks_to_clear(list, start, want, budget, clear)
  if chunks then
    redis.call('HDEL', key, 'far')
  else
    redis.call('HSET', key, 'far', math.floor(lane.count / 2))
  end
  return chunks, last
end

-- What whoever claims a lane is handed out: what was handed out before, so that every try cuts the same batch, or what
-- comes first. `tried_to` is '' where nobody can have tried any of it.
local function first_chunks(key, list, lane, set, budget, tried_to, clear)
  local want = hand_out_size(set.size) + lane.off
  local chunks, to
  if clear > tried_to then chunks, to = to_clear(key, list, lane, 0, want, budget, clear) end
  if chunks then return chunks, to end
  if tried_to ~= '' then return same_chunks(list, tried_to), tried_to end
  return next_chunks(list, 0, want, budget)
end

-- What comes after what a deliverer holds, if that is less than a batch, or up to a clear; moves lane.to.
local function next_for(key, list, lane, set, held, chunks_held, budget)
  local want, clear = hand_out_size(set.size) - held, clear_that_runs(lane, set)
  local fresh, last
  if clear > lane.to then fresh, last = to_clear(key, list, lane, chunks_held, want, budget, clear) end
  if not fresh and held < 2 * set.size then fresh, last = next_chunks(list, chunks_held, want, budget) end
  if last and last ~= '' then lane.to = last end
  return fresh or {}
end
