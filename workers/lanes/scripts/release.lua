-- Gives a lane back unsettled, because a try failed, or keeps it for a shorter one (rules 10, 25, 26).
--
-- ARGV  3 integration and 4 segment, both '' where the deliverer never learned what its claim got  5 claim
--       6 'untried' (what was handed out was not touched), 'failed', 'untouched' (failed, and what ends every process
--         that touches it still does), or 'again' (tried again at once: the lane stays its claim's)
--       7 ms until the next try  8 failed tries by now  9 limit, 10 suspect and 11 passed of the next batch, or ''
--       12 hold level ('lane', 'integration', 'connector') or ''  13 connector that was tried  14 code  15 our sentence
--       16 lease ms  17 a profile that the target refused and that is to go to the quarantine, hashed, or ''
--       18 what is to go to the quarantine when it is settled, packed, or '' where nothing more is
--       19 its kind and its key, hashed, if nobody else could be asked, or ''  then records for the outcomes stream
-- Returns {'lost'} if the lane is another claim's by now, {'systemic', code, how often, ...} if so many profiles are
-- refused that the query must be at fault, {'alike'} if another one that nobody could be asked of was refused with the
-- same code and none was delivered since (the lane was not changed then), else {'ok'}.

local integration, segment, claim, how, delay_ms, attempts, limit, suspect, passed, level, connector, code, reason,
  lease_ms, bad, aside, unasked = unpack(ARGV, 3, 19)

if integration == '' then
  local answer = answered(claim)
  if not answer or answer[2] ~= 'lane' then return { 'lost' } end
  integration, segment = answer[3], answer[4]
end
local key = lane_key(integration, segment)
local lane = read_lane(key)

-- An overtaken deliverer that still lives was counted as a death when it started: it was none.
local function take_back_death()
  local answer = answered(claim)
  if not answer or answer[2] ~= 'lane' then return end
  remember(claim, 'given back')
  if lane.starts > 1 then redis.call('HINCRBY', key, 'starts', -1) end
end

if lane.owner ~= claim then
  take_back_death()
  return { 'lost' }
end
local set = read_integration(integration)

-- A profile with nobody else to ask blames nobody; a second one that is refused alike, and nothing of its kind delivered
-- between them, is no coincidence: where events come slowly nothing else would tell a target that refuses everybody. By
-- its key, since a profile that changes and is refused again is one profile. Forgotten by itself, being somebody's.
local WEEK_MS = 604800000
local function is_alike()
  local kind, profile = string.match(unasked, '^(%S+) (%S+)$')
  local key_of_unasked = ns .. ':unasked:' .. integration
  local last = redis.call('HGET', key_of_unasked, kind)
  local last_profile, last_code = string.match(last or '', '^(%S+) (.*)$')
  if last_code == code and last_profile ~= profile then return true end
  redis.call('HSET', key_of_unasked, kind, profile .. ' ' .. code)
  redis.call('PEXPIRE', key_of_unasked, WEEK_MS)
  return false
end
if unasked ~= '' and is_alike() then return { 'alike' } end

-- More than half of at least twenty distinct profiles refused by the target is the query's fault, and none of the
-- profiles' (rule 23). Counted over ten minutes from the first; good ones are counted only while there are bad.
local SYSTEMIC, WINDOW_MS = 20, 600000
local key_of_bad, key_of_codes = ns .. ':bad:' .. integration, ns .. ':bad_codes:' .. integration
local function is_systemic()
  local is_first = redis.call('EXISTS', key_of_bad) == 0
  if is_first then redis.call('HDEL', integration_key(integration), 'good') end
  redis.call('PFADD', key_of_bad, bad)
  redis.call('HINCRBY', key_of_codes, code, 1)
  -- From the first: what is refused now and then in the course of a day must not add up.
  if is_first then
    redis.call('PEXPIRE', key_of_bad, WINDOW_MS)
    redis.call('PEXPIRE', key_of_codes, WINDOW_MS)
  end
  local refused = redis.call('PFCOUNT', key_of_bad)
  local good = tonumber(redis.call('HGET', integration_key(integration), 'good') or 0)
  return refused + good >= SYSTEMIC and refused > good
end
if bad ~= '' and is_systemic() then return { 'systemic', unpack(redis.call('HGETALL', key_of_codes)) } end

record(ARGV, 20)

-- Why it fails and since when, for people: until something of the lane is settled.
local function note_why()
  if reason == '' then return end
  redis.call('HSETNX', key, 'failing', now)
  redis.call('HSET', key, 'why', code .. ': ' .. reason)
end

if how == 'again' then
  note_why()
  pay(set, 1)
  local till = now + tonumber(lease_ms)
  redis.call('HSET', key, 'attempts', attempts, 'until', till, 'starts', 1)
  narrow(key, limit, suspect, passed)
  if aside ~= '' then redis.call('HSET', key, 'aside', aside) end
  put_leased(integration, segment, till)
  return { 'ok' }
end
redis.call('HDEL', key, 'owner', 'until')
local was_claimed = answered(claim)
remember(claim, 'given back')

local function untried()
  -- Unless an earlier deliverer tried it, or died over it: then what was tried, and that start, stay written.
  if lane.attempts == 0 and lane.starts <= 1 and redis.call('HEXISTS', key, 'aside') == 0 and was_claimed then
    local tried_to = was_claimed[5]
    put_field(key, 'to', tried_to > lane.done and tried_to or '')
  end
  put_field(key, 'starts', lane.starts > 1 and lane.starts - 1 or '')
end

local function failed()
  note_why()
  lane.retry = now + tonumber(delay_ms)
  redis.call('HSET', key, 'attempts', attempts, 'retry', lane.retry)
  narrow(key, limit, suspect, passed)
  redis.call('HDEL', key, 'hold')
  put_field(key, 'starts', how == 'untouched' and lane.starts > 1 and lane.starts - 1 or '')
end

if how == 'untried' then untried() else failed() end

-- A try by an old revision says nothing of the applied one: not of its queries, nor of the connector it names.
local tried_now = current_revision() == ARGV[2] and (connector == '' or set.connector == connector)

if level == 'lane' and tried_now then
  redis.call('HSET', key, 'hold', code .. ': ' .. reason)
elseif level ~= '' then
  if tried_now then
    local holder = level == 'integration' and integration_key(integration) or connector_key(set.connector)
    hold(holder, claim, segment, code, reason, tonumber(delay_ms))
    if level == 'integration' then redis.call('DEL', key_of_bad, key_of_codes) end
  end
  -- The level waits, not the lane: whichever lane probes first, all go on with it.
  lane.retry = 0
  redis.call('HDEL', key, 'retry')
end

put_due(integration, segment, is_full(lane, set.size), due_at(lane, set.size, set.timeout))
return { 'ok' }
