-- What spares a target that others live on: a connector's `rate` and an integration's `window` (rules 55, 56). Comes
-- after common.lua.
--
-- A statement is paid for when the batch that sends it is handed out, and what the batch had beyond one when it is
-- settled. `paid_until` of the connector's hash is when all of it will be paid for, one statement in each `pace`
-- milliseconds; nothing is handed out before that. Time in which nothing was sent is saved, but no more than SAVED_MS. A
-- connector that has come to its end rests until there is room for PORTION_MS, so that those who are woken for it find
-- something to do, and not one statement each.
local SAVED_MS, PORTION_MS, LONGEST_DEBT_MS = 500, 100, 3600000

local function paid_until(connector)
  local key = connector_key(connector)
  return time_in(key, 'paid_until', redis.call('HGET', key, 'paid_until'), LONGEST_DEBT_MS)
end

local function has_room(settings)
  return not settings.pace or paid_until(settings.connector) <= now
end

local function pay(settings, statements)
  if not settings.pace then return end
  local key, portion = connector_key(settings.connector), settings.pace < PORTION_MS and PORTION_MS or 0
  local rested = tonumber(redis.call('HGET', key, 'rests_until') or nil) or 0
  local paid = math.max(paid_until(settings.connector), now - SAVED_MS) + statements * settings.pace
  paid = math.min(paid, now + LONGEST_DEBT_MS)
  redis.call('HSET', key, 'paid_until', paid)
  if paid <= now then return end
  redis.call('HSET', key, 'rests_until', paid + portion)
  -- Whoever sleeps may have seen nothing to wait for.
  if rested <= now then ring() end
end

-- Until when a connector rests; not after now where it does not.
local function rests_until(connector)
  local key = connector_key(connector)
  local rests = time_in(key, 'rests_until', redis.call('HGET', key, 'rests_until'), LONGEST_DEBT_MS + PORTION_MS)
  return rests > now and rests or paid_until(connector)
end

-- An integration's `window`: its first and last minute of the day, how many minutes the zone is ahead of UTC, and from
-- when on it is how many others (workers/windows.py). Says from when on it is open, which is now while it is.
local MINUTE_MS, DAY_MS = 60000, 86400000

local function opens_in(at, ends, first, last, ahead)
  local time = (at + ahead) % DAY_MS
  if first < last and time >= first and time < last then return at end
  if first > last and (time >= first or time < last) then return at end
  local opens = at + (first - time) % DAY_MS
  return opens < ends and opens or nil
end

local function opens_at(window)
  local first, last, ahead, changes = string.match(window or '', '^(%d+) (%d+) (%-?%d+)(.*)$')
  if not first then return now end
  first, last, ahead = first * MINUTE_MS, last * MINUTE_MS, ahead * MINUTE_MS
  local at = now
  for change, minutes in string.gmatch(changes, ' (%d+):(%-?%d+)') do
    change = tonumber(change)
    if change > at then
      local opens = opens_in(at, change, first, last, ahead)
      if opens then return opens end
      at = change
    end
    ahead = minutes * MINUTE_MS
  end
  return opens_in(at, math.huge, first, last, ahead)
end
