-- Reads the next events of the intake, as many as fit a budget of bytes (rule 3). Writes nothing that matters.
--
-- ARGV  3 id to read after  4 budget in bytes  5 events at the most
-- Returns {id, event, id, event, ...}; an entry without the field `event` gives false in its place, one that comes
-- out of the quarantine {event, retry}.

local after, budget, most = '(' .. ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local reply, bytes, count = {}, 0, 0

local function event_of(fields)
  local event, retry = false, nil
  for i = #fields - 1, 1, -2 do
    if fields[i] == 'event' then
      event = fields[i + 1]
    elseif fields[i] == 'retry' then
      retry = fields[i + 1]
    end
  end
  return event, retry
end

-- A few at a time, more only while they are small: giants must not pile up in the script's memory.
local step = 8
while count < most do
  local entries = redis.call('XRANGE', ns .. ':events', after, '+', 'COUNT', math.min(step, most - count))
  for i = 1, #entries do
    local event, retry = event_of(entries[i][2])
    reply[#reply + 1] = entries[i][1]
    reply[#reply + 1] = retry and { event, retry } or event
    bytes = bytes + (event and #event or 0)
  end
  count = count + #entries
  if #entries < step or bytes >= budget then break end
  after = '(' .. entries[#entries][1]
  step = math.max(1, math.min(step * 2, 500, math.floor((budget - bytes) * count / math.max(bytes, 1))))
end
return reply
