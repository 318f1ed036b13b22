-- Runs: what makes a target equal to the platform again, one lane each (rules 45 to 49, workers/resync/).
--
-- run:ID is a run's hash; runs:of names a lane's run; runs:waiting has those that have not begun, by when they may, and
-- runs those that have, by when they are looked at next; runs:stalled has those of them whose integration is paused or
-- held: they take no room that others could begin in.
--
-- ARGV  3 'ask'   4 integration  5 segment  6 who  7 'resync' or 'verify'  then fields and values
--         Returns {id, '1' if it is a new one}: a second request of the same is the same request; one to change that comes
--         once the open run's first mark is sent may tell of what that run does not see, and is done behind it (finish), as
--         is one that comes when it is cancelled and not over yet.
--       3 'cancel'  4 id  5 who: the run's reader does it. Returns 1, or 0 if it is over.
--       3 'overrule'  4 integration  5 segment: the target's position of the lane fits nothing. Returns 1 if a resync has
--         begun there, which makes that good; the segment is flagged until it is done. Else 0.
--       All others are the reader's: 4 id  5 owner of its lease  6 ms until the next look, or ''
--         7 number of fields, these and their values; then
--       'look'   nothing more
--       'mark'   the mark for the intake
--       'part'   chunks, which stand before the mark from now on
--       'leave'  sequence before which the quarantine's entries are superseded, or '': the lane goes on behind the mark
--       'end'    seconds that the run is remembered; sequence up to which the segment's flag is taken back, or '';
--                '1' to flag it; record for the outcomes stream, or ''
--         Return {'ok'}, {'lost'} if another reads by now, {'over'} if the run is not open, {'busy'} while somebody
--         delivers what stands before the mark, {'gone'} if the lane has no mark of this run.

local what, runs, waiting, of = ARGV[3], ns .. ':runs', ns .. ':runs:waiting', ns .. ':runs:of'
local stalled = ns .. ':runs:stalled'
local function run_key(id) return ns .. ':run:' .. id end
local function lane_of(id)
  local v = redis.call('HMGET', run_key(id), 'integration', 'segment', 'state')
  return v[1], v[2], v[3]
end

-- Somebody's word for what one run has asked is none for another that is open by now.
local function is_word()
  for i = 8, #ARGV, 2 do
    if ARGV[i] == 'accepted_of' then return true end
  end
  return false
end

-- The same word, sent twice since its answer was lost.
local function was_given(id, by)
  for i = 8, #ARGV, 2 do
    if redis.call('HGET', run_key(id), ARGV[i]) ~= ARGV[i + 1] then return false end
  end
  return redis.call('HGET', run_key(id), 'by') == by
end

local function ask()
  local integration, segment, by, kind = unpack(ARGV, 4, 7)
  local lane = integration .. ':' .. segment
  local id = redis.call('HGET', of, lane)
  if id and redis.call('EXISTS', run_key(id)) == 1 then
    if is_word() then return { id, was_given(id, by) and '1' or '0' } end
    if kind == 'resync' then
      local at = redis.call('HMGET', run_key(id), 'kind', 'state', 'phase', 'cancelled')
      if at[4] or (at[2] ~= 'waiting' and not (at[2] == 'between' and at[3] == 'plan')) then
        redis.call('HSET', run_key(id), 'again', cjson.encode({ by, unpack(ARGV, 8) }))
      elseif at[1] == 'verify' then
        redis.call('HSET', run_key(id), 'kind', kind, 'by', by, unpack(ARGV, 8))
      end
      redis.call('HDEL', runs .. ':asking', lane)
    end
    return { id, '0' }
  end
  id = tostring(redis.call('INCR', runs .. ':last'))
  redis.call('HSET', run_key(id), 'id', id, 'integration', integration, 'segment', segment, 'by', by, 'kind', kind,
    'asked', now, 'state', 'waiting', unpack(ARGV, 8))
  redis.call('HSET', of, lane, id)
  redis.call('HDEL', runs .. ':asking', lane)
  redis.call('ZADD', waiting, now, id)
  ring()
  return { id, '1' }
end

local function cancel(id, by)
  local integration, segment, state = lane_of(id)
  if state and redis.call('HGET', runs .. ':asking', integration .. ':' .. segment) == id then
    redis.call('HDEL', runs .. ':asking', integration .. ':' .. segment)
  end
  if not state or state == 'ended' then return 0 end
  redis.call('HDEL', run_key(id), 'again')
  redis.call('HSET', run_key(id), 'cancelled', by)
  redis.call('ZADD', redis.call('ZSCORE', waiting, id) and waiting or runs, now, id)
  ring()
  return 1
end

-- What was done under the mark already may have been lost with the position: then the flag outlives this run.
local function overrule(integration, segment)
  local at = redis.call('HMGET', lane_key(integration, segment), 'mark', 'run', 'done')
  if not at[1] then return 0 end
  local of_run = redis.call('HMGET', run_key(at[2]), 'kind', 'first')
  if of_run[1] ~= 'resync' then return 0 end
  local first, done = of_run[2] or '', at[3] or ''
  flag(integration, segment, first ~= '' and done >= first and done or '0')
  return 1
end

if what == 'ask' then return ask() end
if what == 'cancel' then return cancel(ARGV[4], ARGV[5]) end
if what == 'overrule' then return overrule(ARGV[4], ARGV[5]) end

local id, owner, next_ms = ARGV[4], ARGV[5], ARGV[6]
local fields, rest = tonumber(ARGV[7]) * 2, {}
for i = 8 + fields, #ARGV do rest[#rest + 1] = ARGV[i] end
local integration, segment, state = lane_of(id)
if redis.call('HGET', lease_key('resync'), 'owner') ~= owner then return { 'lost' } end
if not state or state == 'ended' then
  redis.call('ZREM', runs, id)
  redis.call('ZREM', waiting, id)
  redis.call('SREM', stalled, id)
  return { 'over' }
end
local key, list = lane_key(integration, segment), chunks_key(integration, segment)
local lane, set = read_lane(key), read_integration(integration)
local mine = lane.mark ~= '' and redis.call('HGET', key, 'run') == id

local function note()
  if fields > 0 then redis.call('HSET', run_key(id), unpack(ARGV, 8, 7 + fields)) end
  redis.call(redis.call('HGET', run_key(id), 'stalled') == '1' and 'SADD' or 'SREM', stalled, id)
  if next_ms ~= '' then
    redis.call('ZADD', redis.call('ZSCORE', waiting, id) and waiting or runs, now + tonumber(next_ms), id)
  end
  return { 'ok' }
end

local function put_lane_due()
  if not lane.owner then
    put_due(integration, segment, is_full(lane, set.size), due_at(lane, set.size, set.timeout))
  end
end

local function count(operations)
  lane.count = lane.count + operations
  note_backlog(integration, set, redis.call('HINCRBY', integration_key(integration), 'backlog', operations))
end

local function mark()
  redis.call('ZREM', waiting, id)
  redis.call('ZADD', runs, now, id)
  redis.call('XADD', ns .. ':events', '*', 'mark', rest[1])
  ring()
  return note()
end

-- The chunk that the mark is; what stands before it is little.
local function chunk_of_mark()
  local index = 0
  while true do
    local chunk = redis.call('LINDEX', list, index)
    if not chunk or chunk_first(chunk) >= lane.mark then return chunk end
    index = index + 1
  end
end

-- With no more than that left before its mark, the reader is to bring more.
local LOW = 5000
local function part()
  if not mine then return { 'gone' } end
  local pivot, operations = chunk_of_mark(), 0
  if not pivot then return { 'gone' } end
  for _, chunk in ipairs(rest) do
    redis.call('LINSERT', list, 'BEFORE', pivot, chunk)
    operations = operations + chunk_count(chunk)
  end
  if lane.before == 0 then lane.head = now end
  lane.before = lane.before + operations
  count(operations)
  redis.call('HSET', key, 'before', lane.before, 'count', lane.count, 'head', lane.head, 'low', LOW)
  put_lane_due()
  return note()
end

-- What was refused before the run began says nothing any more: the run has told what is so now (rule 48). A segment's
-- name and end are no members.
local function supersede(sequence)
  local open, rows = open_key(integration, segment), rows_key(integration, segment)
  local all = redis.call('HGETALL', open)
  for i = 1, #all, 2 do
    if all[i] ~= 'segment' and entry_since(all[i + 1]) < sequence then close_entry(open, rows, all[i], all[i + 1]) end
  end
  local unkeyed = unkeyed_key(integration, segment)
  all = redis.call('HGETALL', unkeyed)
  for i = 1, #all, 2 do
    if all[i + 1] < sequence then redis.call('HDEL', unkeyed, all[i]) end
  end
  redis.call('XADD', ns .. ':outcomes', '*', 'r', cmsgpack.pack({ 'cleared', integration, segment, sequence, now, 'resync' }))
end

local function empty()
  redis.call('DEL', key, list)
  redis.call('ZREM', full_key(integration), segment)
  redis.call('ZREM', timed_key(integration), segment)
end

local function take_mark_out()
  redis.call('LPOP', list)
  count(-1)
  local left = lane.mark
  redis.call('HDEL', key, 'mark', 'before', 'run', 'low')
  lane.mark, lane.before, barrier = '', 0, ''
  if lane.count <= 0 then return empty() end
  if lane.bar == left then
    redis.call('HDEL', key, 'bar')
    lane.bar = ''
  end
  -- Nothing that is still owed was ever handed out: the mark was a barrier.
  redis.call('HDEL', key, 'off', 'to', 'attempts', 'starts')
  lane.head = math.min(now, tonumber(string.sub(chunk_first(redis.call('LINDEX', list, 0)), 1, 13)))
  redis.call('HSET', key, 'count', lane.count, 'head', lane.head)
  put_lane_due()
end

local function leave()
  if not mine then return note() end
  if lane.before > 0 or lane.owner then return { 'busy' } end
  local chunk = redis.call('LINDEX', list, 0)
  if not chunk or chunk_first(chunk) ~= lane.mark then return { 'gone' } end
  if rest[1] ~= '' then supersede(rest[1]) end
  take_mark_out()
  return note()
end

-- It was asked for once more while it went on: by the same number, for whoever waits for its end, and from nothing. A
-- flag that is there stays until that is done. `was` knows this step again, should its answer be lost.
local function begin_again(again, record)
  local asked = redis.call('HGET', run_key(id), 'asked')
  local has_begun = not redis.call('ZSCORE', waiting, id)  -- else it takes no room yet
  redis.call('DEL', run_key(id))
  redis.call('HSET', run_key(id), 'id', id, 'integration', integration, 'segment', segment, 'kind', 'resync',
    'asked', asked, 'state', has_begun and 'between' or 'waiting', 'phase', 'plan', 'was', redis.sha1hex(record),
    'by', unpack(again))
  redis.call('SREM', stalled, id)
  redis.call('ZADD', has_begun and runs or waiting, now, id)
  if record ~= '' then redis.call('XADD', ns .. ':outcomes', '*', 'r', record) end
  ring()
end

local function note_for_status(lane_name, outcome)
  -- Told by `status` until another run has seen or made it equal.
  if outcome == 'differs' then
    redis.call('HSET', runs .. ':differing', lane_name, id)
  elseif outcome == 'equal' or outcome == 'done' then
    redis.call('HDEL', runs .. ':differing', lane_name)
  end
  -- Told by `status` until somebody has said yes or no.
  if outcome == 'needs confirmation' then
    redis.call('HSET', runs .. ':asking', lane_name, id)
  end
end

local function finish()
  -- The mark has come since the reader looked: it would stand for ever.
  if mine then return { 'busy' } end
  local record = rest[4]
  if record ~= '' and redis.call('HGET', run_key(id), 'was') == redis.sha1hex(record) then return { 'ok' } end
  note()
  local at = redis.call('HMGET', run_key(id), 'kind', 'outcome', 'again', 'by')
  local only_looked = at[1] == 'resync' and (at[2] == 'equal' or at[2] == 'differs')
  if at[3] or only_looked then
    if rest[3] == '1' then flag(integration, segment, lane.done) end
    begin_again(at[3] and cjson.decode(at[3]) or { at[4] }, record)
    return { 'ok' }
  end
  redis.call('HSET', run_key(id), 'state', 'ended', 'ended', now)
  -- A mark that is still on its way is awaited by nobody.
  redis.call('HDEL', run_key(id), 'nonce')
  redis.call('EXPIRE', run_key(id), rest[1])
  local lane_name = integration .. ':' .. segment
  redis.call('HDEL', of, lane_name)
  redis.call('ZREM', runs, id)
  redis.call('ZREM', waiting, id)
  redis.call('SREM', stalled, id)
  note_for_status(lane_name, at[2])
  local flagged = redis.call('HGET', ns .. ':flagged:' .. integration, segment) or ''
  if rest[3] == '1' then
    flag(integration, segment, lane.done)
  elseif rest[2] ~= '' and flagged < rest[2] then
    unflag(integration, segment)
  end
  if rest[4] ~= '' then redis.call('XADD', ns .. ':outcomes', '*', 'r', rest[4]) end
  return { 'ok' }
end

if what == 'look' then return note() end
if what == 'mark' then return mark() end
if what == 'part' then return part() end
if what == 'leave' then return leave() end
assert(what == 'end', 'run: ' .. what)
return finish()
