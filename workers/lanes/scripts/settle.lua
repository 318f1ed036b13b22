-- A batch has been committed: trims the lane up to it, records what came of it, and either hands out what is due
-- next or lets the lane rest, in one step (rules 10, 28).
--
-- ARGV  3 integration  4 segment  5 owner  6 settled so far  7 sequence settled now  8 operations settled
--       9 stream ms of the next operation the deliverer holds, or ''  10 operations it still holds
--       11 chunks it still holds  12 '1' to go on, '0' to let the lane rest  13 lease ms  14 budget in bytes
--       15 limit and 16 suspect of the next batch, or ''
--       17 a profile that a target refused and that goes to the quarantine, hashed, or ''
--       18 what it means for the lane's entries in the quarantine (slots.Change, packed), or ''
--       19 new entries among the records  20 the last sequence that somebody before us may have tried, or ''
--       then records for the outcomes stream
-- Returns {'lost'} if the lane is another's by now, {'systemic'} if so many profiles are refused that the query must
-- be at fault (nothing was settled then), {'empty'}, {'rest'},
--   or {'more', to, clear, entries in the quarantine, 1 if it has no room for more, chunks...}

local integration, segment, owner = ARGV[3], ARGV[4], ARGV[5]
local key, list = lane_key(integration, segment), chunks_key(integration, segment)
local lane = read_lane(key)
if lane.owner ~= owner or lane.done ~= ARGV[6] then return { 'lost' } end

local settled, operations = ARGV[7], tonumber(ARGV[8])
local change = ARGV[18] ~= '' and cmsgpack.unpack(ARGV[18])
local set = read_integration(integration)

-- More than half of at least twenty distinct profiles refused by the target is the query's fault, and none of the
-- profiles' (rule 23). Counted over ten minutes from the first; good ones are counted only while there are bad.
local bad, SYSTEMIC, WINDOW_MS = ns .. ':bad:' .. integration, 20, 600000
if ARGV[17] ~= '' then
  if redis.call('EXISTS', bad) == 0 then redis.call('HDEL', integration_key(integration), 'good') end
  redis.call('PFADD', bad, ARGV[17])
  redis.call('PEXPIRE', bad, WINDOW_MS)
  local refused = redis.call('PFCOUNT', bad)
  local good = tonumber(redis.call('HGET', integration_key(integration), 'good') or 0)
  if refused + good >= SYSTEMIC and refused > good then
    redis.call('DEL', bad)
    return { 'systemic' }
  end
elseif redis.call('EXISTS', bad) == 1 then
  redis.call('HINCRBY', integration_key(integration), 'good', operations)
end

-- The hash slot -> entry that a lane has while entries of it are open (rule 30, workers/slots.py). An entry is
-- resolved only where it still stands in its slot, so exactly once.
local open = open_key(integration, segment)
local SLOTS_AT_ONCE = 1000

local function supersede_written(written)
  for first = 1, #written, SLOTS_AT_ONCE do
    local last = math.min(first + SLOTS_AT_ONCE - 1, #written)
    local entries = redis.call('HMGET', open, unpack(written, first, last))
    for i = first, last do
      local entry = entries[i - first + 1]
      if entry then
        redis.call('HDEL', open, written[i])
        resolve(entry, 'superseded', 'later operation')
      end
    end
  end
end

-- All but a segment's name and end. The drainer marks the entries, so that this does not grow with their number.
local function supersede_cleared(sequence)
  local kept = redis.call('HGET', open, 'segment')
  redis.call('UNLINK', open)
  if kept then redis.call('HSET', open, 'segment', kept) end
  redis.call('HSET', ns .. ':cleared:' .. integration, segment, sequence)
  local cleared = cmsgpack.pack({ 'cleared', integration, segment, sequence, now })
  redis.call('XADD', ns .. ':outcomes', '*', 'r', cleared)
end

local function keep_entries(retried, written, cleared, opened)
  for _, one in ipairs(retried) do
    local slot, entry, state, code = unpack(one)
    if redis.call('HGET', open, slot) == entry then
      redis.call('HDEL', open, slot)
      resolve(entry, state, code)
    end
  end
  supersede_written(written)
  if cleared ~= '' then supersede_cleared(cleared) end
  for _, one in ipairs(opened) do
    local slot, entry = unpack(one)
    local before = redis.call('HGET', open, slot)
    if before then resolve(before, 'superseded', 'later operation') end
    redis.call('HSET', open, slot, entry)
  end
end

-- The trim names the sequence it ends at, never a count (rule 11); `off` is how much of the first chunk is done.
lane.off = lane.off + operations
while true do
  local chunk = redis.call('LINDEX', list, 0)
  if not chunk or chunk_last(chunk) > settled then
    if chunk and ARGV[9] == '' then lane.head = tonumber(string.sub(chunk_first(chunk), 1, 13)) end
    break
  end
  lane.off = lane.off - chunk_count(chunk)
  redis.call('LPOP', list)
end
if ARGV[9] ~= '' then lane.head = tonumber(ARGV[9]) end
lane.count = lane.count - operations
lane.done = settled
lane.retry = 0

note_backlog(integration, set, redis.call('HINCRBY', integration_key(integration), 'backlog', -operations))
record(ARGV, 21)
if ARGV[19] ~= '0' then
  -- Upkeep sets it right by the ledger (workers/quarantine_room.py); until then it may be too much, never too little.
  local quarantined = redis.call('HINCRBY', integration_key(integration), 'quarantined', ARGV[19])
  set.no_room = quarantined >= (tonumber(redis.call('HGET', integration_key(integration), 'max_quarantine')) or math.huge)
end
if change then keep_entries(unpack(change)) end

-- What has just worked is held no longer, at any level.
redis.call('HDEL', integration_key(integration), 'hold', 'hold_code', 'hold_until')
redis.call('HDEL', connector_key(set.connector), 'hold', 'hold_code', 'hold_until')

if lane.count <= 0 then
  redis.call('DEL', key, list)
  redis.call('ZREM', full_key(integration), segment)
  redis.call('ZREM', timed_key(integration), segment)
  return { 'empty' }
end

redis.call('HDEL', key, 'attempts', 'retry', 'hold', 'starts')
narrow(key, ARGV[15], ARGV[16])
redis.call('HSET', key, 'done', settled, 'count', lane.count, 'head', lane.head, 'off', lane.off)
if lane.clear <= settled then
  redis.call('HDEL', key, 'clear')
  lane.clear = ''
end
if lane.bar <= settled then
  redis.call('HDEL', key, 'bar')
  lane.bar = ''
end

local score = due_at(lane, set.size, set.timeout)
local stays = ARGV[12] == '1' and score <= now and set.open and current_revision() == ARGV[2]

local held, chunks_held, fresh, last = tonumber(ARGV[10]), tonumber(ARGV[11]), nil, nil
if stays then
  local want, budget, clear = hand_out_size(set.size) - held, tonumber(ARGV[14]), clear_that_runs(lane, set)
  if clear > lane.to then fresh, last = chunks_to_clear(list, chunks_held, want, budget, clear) end
  -- The deliverer holds less than a batch: it gets what comes after what it holds.
  if not fresh and held < set.size then fresh, last = next_chunks(list, chunks_held, want, budget) end
  fresh = fresh or {}
  if last and last ~= '' then lane.to = last end
end
if stays then
  local till = now + tonumber(ARGV[13])
  redis.call('HSET', key, 'until', till, 'to', lane.to, 'starts', 1, 'digest', set.digest)
  put_leased(integration, segment, till)
  local reply = { 'more', lane.to, clear_that_runs(lane, set), redis.call('HLEN', open), set.no_room and 1 or 0 }
  for i = 1, #fresh do reply[#reply + 1] = fresh[i] end
  return reply
end

redis.call('HDEL', key, 'owner', 'until')
if ARGV[20] > settled then
  redis.call('HSET', key, 'to', ARGV[20])  -- what is left of an earlier try stays known as one
else
  redis.call('HDEL', key, 'to', 'digest')
end
put_due(integration, segment, is_full(lane, set.size), score)
return { 'rest' }
