-- Reads the intake from its beginning, as many events as fit a budget of bytes (rule 3). Writes nothing that matters.
--
-- What has been moved is trimmed in the same step, exactly; so whatever stands in the stream has not been moved, even
-- if somebody deleted the stream and its ids begin lower than the position.
--
-- ARGV  3 budget in bytes  4 entries at the most
-- Returns {position, open entries in the quarantine that never reached an integration, now in ms,
--   then for each entry its id, and its only field `event`, or {field, value, ...} where it has others}

local budget, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local at = redis.call('HMGET', ns .. ':intake', 'position', 'quarantined')
local reply, bytes, count, after = { at[1] or '', tonumber(at[2]) or 0, now }, 0, 0, '-'

-- Nothing stands behind the greatest id, and Redis refuses to look there.
local GREATEST = '18446744073709551615-18446744073709551615'

-- A few at a time, more only while they are small: giants must not pile up in the script's memory.
local step = 8
while count < most do
  local entries = redis.call('XRANGE', ns .. ':events', after, '+', 'COUNT', math.min(step, most - count))
  for i = 1, #entries do
    local fields = entries[i][2]
    reply[#reply + 1] = entries[i][1]
    reply[#reply + 1] = #fields == 2 and fields[1] == 'event' and fields[2] or fields
    for f = 2, #fields, 2 do bytes = bytes + #fields[f] end
  end
  count = count + #entries
  if #entries < step or bytes >= budget or entries[#entries][1] == GREATEST then break end
  after = '(' .. entries[#entries][1]
  step = math.max(1, math.min(step * 2, 500, math.floor((budget - bytes) * count / math.max(bytes, 1))))
end
return reply
