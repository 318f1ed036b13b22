-- Retries or drops entries of the quarantine (rule 30). What became of each goes through the outcomes stream, so
-- that only the drainer writes it down, in order.
--
-- ARGV  3 'retry' or 'drop'  4 who  then for each entry:
--       uid, integration ('' if it never reached one), segment, its slot in the lane's hash of open entries
--       retry: the fields `event` and `retry` of the event
-- Returns for a retry one of these for each: 'ok'; 'gone', it is not open any more (or Redis has lost what came after
-- it); 'spelled', what came later may have been for its row; 'pushed', it was pushed again before, and the ledger does
-- not know yet. For a drop {}.

local what, by, verdicts = ARGV[3], ARGV[4], {}
local width = what == 'retry' and 6 or 4
assert((#ARGV - 4) % width == 0, 'entries: arguments end too early')

-- What never reached an integration has no slot that tells whether it is open. So it is remembered that it went, for as
-- long as the ledger may lag behind: it would be another event the second time.
local PUSHED_MS = 86400000
local function was_pushed(uid)
  local key = ns .. ':pushed:' .. uid
  if redis.call('EXISTS', key) == 1 then return true end
  redis.call('SET', key, 1, 'PX', PUSHED_MS)
  return false
end

-- What had no key when it was quarantined stands apart from what has a slot, until it is retried.
local function give_slot(uid, integration, segment, slot)
  local unkeyed = unkeyed_key(integration, segment)
  local since = redis.call('HGET', unkeyed, uid)
  if not since then return end
  redis.call('HDEL', unkeyed, uid)
  redis.call('HSET', open_key(integration, segment), slot, uid .. ' ' .. since)
end

local function retry(uid, integration, segment, slot, event, retry_field)
  if integration ~= '' then
    give_slot(uid, integration, segment, slot)
    local value = redis.call('HGET', open_key(integration, segment), slot)
    if entry_of(value) ~= uid then return 'gone' end
    if is_overtaken(rows_key(integration, segment), value) then return 'spelled' end
  elseif was_pushed(uid) then
    return 'pushed'
  end
  redis.call('XADD', ns .. ':events', '*', 'event', event, 'retry', retry_field)
  resolve(uid, 'retried', '', by)
  return 'ok'
end

local function drop(uid, integration, segment, slot)
  if integration ~= '' then
    local open = open_key(integration, segment)
    local value = redis.call('HGET', open, slot)
    if entry_of(value) == uid then close_entry(open, rows_key(integration, segment), slot, value) end
    redis.call('HDEL', unkeyed_key(integration, segment), uid)
  end
  resolve(uid, 'dropped', '', by)
end

for i = 5, #ARGV, width do
  if what == 'retry' then
    verdicts[#verdicts + 1] = retry(unpack(ARGV, i, i + 5))
  else
    drop(unpack(ARGV, i, i + 3))
  end
end
return verdicts
