-- A part of every script, behind common.lua: the open entries that a lane has in the quarantine (rule 30).

-- An open entry of the quarantine stands in its lane's hash as its uid, the sequence that it had first and what its key
-- has in common with all that may be its row, as in 'uid sequence row'; what was kept by an older segsync, or had no key,
-- lacks what comes last.
local function entry_of(value) return value and string.match(value, '^%S+') end
local function entry_since(value) return string.match(value, '^%S+ (%d+)') or '' end
local function entry_row(value) return string.match(value, '^%S+ %d+ (%S+)') or '' end

-- Of each row that an open entry may be for: how many entries, and the last sequence that was written for it since, as
-- in 'entries sequence' (workers/delivery/superseding.py).
local function read_row(rows, row)
  local entries, last = string.match(redis.call('HGET', rows, row) or '0 ', '^(%d+) (%d*)$')
  return tonumber(entries), last
end
local function write_row(rows, row, entries, last)
  if entries > 0 then redis.call('HSET', rows, row, entries .. ' ' .. last) else redis.call('HDEL', rows, row) end
end
local function is_overtaken(rows, value)
  local row = entry_row(value)
  if row == '' then return false end
  local _, last = read_row(rows, row)
  return last > entry_since(value)
end
local function open_entry(open, rows, slot, value, later)
  redis.call('HSET', open, slot, value)
  local row = entry_row(value)
  if row == '' then return end
  local entries, last = read_row(rows, row)
  write_row(rows, row, entries + 1, later > last and later or last)
end
local function close_entry(open, rows, slot, value)
  redis.call('HDEL', open, slot)
  local row = entry_row(value)
  if row == '' then return end
  local entries, last = read_row(rows, row)
  write_row(rows, row, entries - 1, last)
end

