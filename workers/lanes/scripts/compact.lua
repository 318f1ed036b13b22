-- Replaces neighbouring chunks of a lane that waits by others that hold less (rule 31, workers/delivery/compaction.py).
--
-- ARGV  3 integration  4 segment  5 index of the first chunk  6 number of chunks, their headers as they were read
--         (0: the lane is done, and is looked at again when it has doubled)
--       then number of chunks that take their place, these; operations less; records for the outcomes stream
-- Returns {'ok'}, {'stale'}, or {'moved'} if they are not what was read any more; nothing is changed then.

-- By another revision's key other operations would be superseded.
if current_revision() ~= ARGV[2] then return { 'stale' } end

local integration, segment, first = ARGV[3], ARGV[4], tonumber(ARGV[5])
local key, list = lane_key(integration, segment), chunks_key(integration, segment)
local lane = read_lane(key)
local GONE = 'gone'

-- No lease is needed for it: a deliverer holds nothing beyond `to`, and chunks change in no other way than that they
-- come at the end and go at the head, where the first one may be settled in part.
local i = 7
local old = {}
for n = 1, tonumber(ARGV[6]) do old[n], i = ARGV[i], i + 1 end
local present = #old > 0 and redis.call('LRANGE', list, first, first + #old - 1) or {}
if first < 1 or #present ~= #old then return { 'moved' } end
for n = 1, #old do
  if string.sub(present[n], 1, CHUNK_HEADER) ~= old[n] then return { 'moved' } end
end
if lane.count == 0 or #old > 0 and (chunk_first(old[1]) <= lane.to or chunk_first(old[1]) <= lane.done) then
  return { 'moved' }
end
local fresh = {}
for n = 1, tonumber(ARGV[i]) do fresh[n] = ARGV[i + n] end
i = i + #fresh + 1
local less = tonumber(ARGV[i])
assert(less and #fresh <= #old, 'compact: arguments end too early')

for n = 1, #old do redis.call('LSET', list, first + n - 1, fresh[n] or GONE) end
-- From the end: what stands behind is compacted already, and short.
if #fresh < #old then redis.call('LREM', list, #fresh - #old, GONE) end
redis.call('HSET', key, 'count', lane.count - less, 'compacted', lane.count - less)
local backlog = redis.call('HINCRBY', integration_key(integration), 'backlog', 0 - less)
note_backlog(integration, read_integration(integration), backlog)
record(ARGV, i + 1)
return { 'ok' }
