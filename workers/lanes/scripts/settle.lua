-- A batch is done with: trims the lane up to it, records what came of it, and either hands out what is due next or
-- lets the lane rest, in one step (rules 10, 28).
--
-- ARGV  3 integration  4 segment  5 claim  6 settled so far  7 sequence settled now  8 operations settled
--       9 stream ms of the next operation the deliverer holds, or ''  10 operations it still holds
--       11 chunks it still holds  12 '1' to go on, '0' to let the lane rest, '2' where the next batch is under way
--       13 lease ms  14 budget in bytes
--       15 limit, 16 suspect and 17 passed of the next batch, or ''
--       18 id of the integration's hold that this was the probe of and has run something, or ''
--       19 profiles that the target has taken  20 what is still to be set aside, packed, or ''
--       21 what it means for the lane's entries in the quarantine (superseding.Change, packed), or ''
--       22 new entries among the records  23 the last sequence that somebody before us may have tried, or ''
--       24 statements that the target was sent  25 refused ones of the lane's run that the quarantine has no room for
--       26 event types whose queries have run  27 operations up to there that are set aside
--       then records for the outcomes stream
-- Returns {'lost'} if the lane is another claim's by now, {'empty'}, {'rest'}, {'stop'} where the next batch is under way
--   and the lane may not go on: it is still the claim's, and what was handed out stays written, until that is undone,
--   or {'more', to, clear, entries in the quarantine, 1 if it has no room for more, chunks...}

local integration, segment, claim, settled_before, settled, operations, next_ms, held, chunks_held, go_on, lease_ms,
  budget, limit, suspect, passed, lifts, good, aside, change, entries, tried_to, statements, counted, ran,
  passed_over = unpack(ARGV, 3, 27)
local key, list = lane_key(integration, segment), chunks_key(integration, segment)
local open, rows = open_key(integration, segment), rows_key(integration, segment)
local lane, set = read_lane(key), read_integration(integration)
operations, held, chunks_held = tonumber(operations), tonumber(held), tonumber(chunks_held)

local function more(fresh)
  local reply = { 'more', lane.to, clear_that_runs(lane, set), redis.call('HLEN', open), set.no_room and 1 or 0 }
  for i = 1, #fresh do reply[#reply + 1] = fresh[i] end
  return reply
end

-- Sent twice: the same answer, and nothing is done again.
if lane.owner == claim and lane.done == settled and settled ~= settled_before then
  return more(chunks_up_to(list, chunks_held, lane.to))
end
if lane.owner ~= claim or lane.done ~= settled_before then
  local before = answered(claim)
  if before and before[2] == 'settled' and before[3] == settled then return { before[4] } end
  return { 'lost' }
end

---------------------------------------------------------------------------------------------------- 1. Trim the lane

-- The trim names the sequence it ends at, never a count (rule 11); `off` is how much of the first chunk is done.
local function trim()
  lane.off = lane.off + operations
  -- Of a lane that is empty then, all chunks go at once.
  while lane.count > operations do
    local chunk = redis.call('LINDEX', list, 0)
    if not chunk or chunk_last(chunk) > settled then
      if chunk and next_ms == '' then lane.head = tonumber(string.sub(chunk_first(chunk), 1, 13)) end
      break
    end
    lane.off = lane.off - chunk_count(chunk)
    redis.call('LPOP', list)
  end
  if next_ms ~= '' then lane.head = tonumber(next_ms) end
  lane.head = math.min(lane.head, now)
  lane.count = lane.count - operations
  lane.before = math.max(0, lane.before - operations)
  lane.done = settled
  lane.retry = 0
  note_backlog(integration, set, redis.call('HINCRBY', integration_key(integration), 'backlog', -operations))
end

----------------------------------------------------------------------------------------- 2. Record what came of it

-- The hash slot -> entry that a lane has while entries of it are open (rule 30, workers/delivery/superseding.py). An
-- entry is resolved only where it still stands in its slot, so exactly once. What has no key has no slot, and stands in
-- a hash of its own, entry -> the sequence it had first, until a clear or a retry: no delivery looks there.
-- A clear that is refused, and that something was told after, will not run any more: rows from before it may stay, so the
-- segment needs a resync, unless another clear waits.
local SLOTS_AT_ONCE = 1000
local function lacks_clear()
  return not (set.clear and lane.clear ~= '' and lane.clear > settled)
end

local function supersede_written(written)
  for first = 1, #written, SLOTS_AT_ONCE do
    local last = math.min(first + SLOTS_AT_ONCE - 1, #written)
    local found = redis.call('HMGET', open, unpack(written, first, last))
    for i = first, last do
      local entry = entry_of(found[i - first + 1])
      if entry then
        close_entry(open, rows, written[i], found[i - first + 1])
        resolve(entry, 'superseded', 'later operation')
        if written[i] == 'clear' and lacks_clear() then flag(integration, segment, settled) end
      end
    end
  end
end

-- Under another spelling of its key an entry is superseded for nobody who knows: it is noted that it may be.
local function note_rows(written)
  if #written == 0 or redis.call('EXISTS', rows) == 0 then return end
  for _, one in ipairs(written) do
    local entries, last = read_row(rows, one[1])
    if entries > 0 and one[2] > last then write_row(rows, one[1], entries, one[2]) end
  end
end

-- All that is older but a segment's name and end. The drainer marks the entries, so that this does not grow with their
-- number. A clear that was retried is older than its place in the lane: what came after it first stays, and each that
-- goes is told by itself, since the drainer does not know when one first came that was refused again after a retry.
local function supersede_cleared(sequence)
  local kept = {}
  local all = sequence < settled and redis.call('HGETALL', open) or { 'segment', redis.call('HGET', open, 'segment') }
  for i = 1, #all, 2 do
    if all[i + 1] and (all[i] == 'segment' or entry_since(all[i + 1]) > sequence) then
      local _, last = read_row(rows, entry_row(all[i + 1]))
      kept[#kept + 1] = { all[i], all[i + 1], last }
    elseif all[i + 1] then
      resolve(entry_of(all[i + 1]), 'superseded', 'clear')
    end
  end
  redis.call('UNLINK', open, rows)
  for _, each in ipairs(kept) do open_entry(open, rows, unpack(each)) end
  local unkeyed = unkeyed_key(integration, segment)
  local later = sequence < settled and redis.call('HGETALL', unkeyed) or {}
  redis.call('UNLINK', unkeyed)
  for i = 1, #later, 2 do
    if later[i + 1] > sequence then
      redis.call('HSET', unkeyed, later[i], later[i + 1])
    else
      resolve(later[i], 'superseded', 'clear')
    end
  end
  local told = cmsgpack.pack({ 'cleared', integration, segment, sequence, now })
  redis.call('XADD', ns .. ':outcomes', '*', 'r', told)
end

-- A retried profile is as old as when it first came: a clear that was refused before that would undo it.
local function supersede_clear(brought)
  local clear = brought ~= '' and redis.call('HGET', open, 'clear')
  if clear and entry_since(clear) < brought then supersede_written({ 'clear' }) end
end

local function keep_entries(retried, written, told, cleared, opened, brought)
  for _, one in ipairs(retried) do
    local slot, entry, state, code = unpack(one)
    local value = redis.call('HGET', open, slot)
    if entry_of(value) == entry then
      if state ~= 'open' then close_entry(open, rows, slot, value) end
      resolve(entry, state, code)
    end
  end
  supersede_written(written)
  supersede_clear(brought)
  note_rows(told)
  if cleared ~= '' then
    supersede_cleared(cleared)
    if string.find(ran, 'segment_delete', 1, true) then unflag(integration, segment) end
  end
  for _, one in ipairs(opened) do
    local slot, entry, since, row, later, over = unpack(one)
    local replaced = redis.call('HGET', open, slot)
    if replaced then
      close_entry(open, rows, slot, replaced)
      resolve(entry_of(replaced), 'superseded', 'later operation')
    end
    if over then
      resolve(entry, 'superseded', 'later operation')
    elseif slot == '' then
      redis.call('HSET', unkeyed_key(integration, segment), entry, since)
    else
      open_entry(open, rows, slot, entry .. ' ' .. since .. (row == '' and '' or ' ' .. row), later)
    end
  end
end

-- Only the probe of a hold lifts it, and only where it has run something. The lane that the integration was held for
-- knows by that that others pass: what it is refused from now on is its own profiles' fault.
local function lift_hold()
  local held_for = redis.call('HGET', integration_key(integration), 'hold_segment')
  if not lift(integration_key(integration), lifts) then return end
  ring()
  if held_for and held_for ~= '' and held_for ~= segment then
    local other = lane_key(integration, held_for)
    if redis.call('HEXISTS', other, 'count') == 1 then redis.call('HSET', other, 'passed', 'add remove', 'attempts', 0) end
  end
end

local function keep_record()
  if good ~= '0' and redis.call('EXISTS', ns .. ':bad:' .. integration) == 1 then
    redis.call('HINCRBY', integration_key(integration), 'good', good)
  end
  if good ~= '0' then
    for kind in string.gmatch(ran, '%S+') do redis.call('HDEL', ns .. ':unasked:' .. integration, kind) end
  end
  record(ARGV, 28)
  local id = counted ~= '0' and redis.call('HGET', key, 'run')
  if id then redis.call('HINCRBY', ns .. ':run:' .. id, 'counted', counted) end
  if entries ~= '0' then
    -- Upkeep sets it right by the ledger (workers/quarantine/open_counts.py); until then it may be too much, never too
    -- little.
    local quarantined = redis.call('HINCRBY', integration_key(integration), 'quarantined', entries)
    set.no_room = quarantined >= (tonumber(redis.call('HGET', integration_key(integration), 'max_quarantine')) or math.huge)
  end
  if change ~= '' then keep_entries(unpack(cmsgpack.unpack(change))) end
  if lifts ~= '' then lift_hold() end
end

-------------------------------------------------------------------------------------------- 3. Go on, or let it rest

local function end_turn(answer)
  remember(claim, 'settled', settled, answer)
  return { answer }
end

local function empty()
  -- Of a segment that has ended nothing is kept.
  if string.find(ran, 'segment_delete', 1, true) then redis.call('HDEL', passed_over_key(integration), segment) end
  redis.call('DEL', key, list)
  redis.call('ZREM', full_key(integration), segment)
  redis.call('ZREM', timed_key(integration), segment)
  return end_turn('empty')
end

local function keep_lane()
  redis.call('HDEL', key, 'attempts', 'retry', 'hold', 'starts', 'failing', 'why')
  narrow(key, limit, suspect, passed)
  put_field(key, 'aside', aside)
  redis.call('HSET', key, 'done', settled, 'count', lane.count, 'head', lane.head, 'off', lane.off)
  if lane.clear <= settled then
    redis.call('HDEL', key, 'clear', 'far')
    lane.clear, lane.far = '', nil
  end
  if lane.bar <= settled then
    redis.call('HDEL', key, 'bar')
    lane.bar = ''
  end
  if lane.mark ~= '' then
    redis.call('HSET', key, 'before', lane.before)
    if lane.before <= (tonumber(redis.call('HGET', key, 'low')) or 0) and wake_reader(key) then ring() end
  end
end

local function keep_lease_for_the_next()
  local till = now + tonumber(lease_ms)
  redis.call('HSET', key, 'until', till, 'to', lane.to, 'starts', 1)
  put_leased(integration, segment, till)
end

local function go_on_with_it()
  pay(set, 1)
  local fresh = next_for(key, list, lane, set, held, chunks_held, tonumber(budget))
  keep_lease_for_the_next()
  return more(fresh)
end

local function stop()
  keep_lease_for_the_next()
  return { 'stop' }
end

local function rest(score)
  redis.call('HDEL', key, 'owner', 'until')
  -- What is left of an earlier try, or is set aside, stays known as tried.
  put_field(key, 'to', aside ~= '' and lane.to or tried_to > settled and tried_to or '')
  put_due(integration, segment, is_full(lane, set.size), score)
  return end_turn('rest')
end

trim()
keep_record()
pay(set, tonumber(statements) - 1)
-- Kept when the lane is empty: a position of its next life must tell of those before, too (rule 22).
if passed_over ~= '0' then redis.call('HINCRBY', passed_over_key(integration), segment, passed_over) end
if lane.count <= 0 then return empty() end
keep_lane()
local score = due_at(lane, set.size, set.timeout)
local may_go_on = go_on ~= '0' and score <= now and set.open and has_room(set) and opens_at(set.window) <= now
if may_go_on and current_revision() == ARGV[2] then return go_on_with_it() end
return go_on == '2' and stop() or rest(score)
