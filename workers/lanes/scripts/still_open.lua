-- What became of entries of the quarantine since they were retried.
--
-- ARGV  3 integration  4 segment  then the slots of the entries
-- Returns for each that is open: uid, the sequence that it had first ('' where it was opened by a segsync that kept
-- none), '1' if something came later that may have been for its row, else ''.

local open, rows = open_key(ARGV[3], ARGV[4]), rows_key(ARGV[3], ARGV[4])
local found = {}
for i = 5, #ARGV do
  local value = redis.call('HGET', open, ARGV[i])
  if value then
    found[#found + 1] = entry_of(value)
    found[#found + 1] = entry_since(value)
    found[#found + 1] = is_overtaken(rows, value) and '1' or ''
  end
end
return found
