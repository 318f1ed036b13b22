-- Takes, keeps or gives back the routing of the intake: one router at a time (rules 2, 26a).
--
-- ARGV  3 owner  4 lease ms  5 'take', or 'leave'  6 permit's token  7 permit's ms
-- take:  {'ok', position, starts}, {'busy'} while another routes, {'stale'}
-- leave: {'ok'}

local intake = ns .. ':intake'
local permits = permits_key('route')
local at = redis.call('HMGET', intake, 'owner', 'until', 'position', 'starts')

if ARGV[5] == 'leave' then
  if at[1] == ARGV[3] then redis.call('HDEL', intake, 'owner', 'until', 'starts') end
  redis.call('ZREM', permits, ARGV[6])
  if redis.call('XLEN', ns .. ':events') > 0 then ring() end
  return { 'ok' }
end

if current_revision() ~= ARGV[2] then
  redis.call('ZREM', permits, ARGV[6])
  return { 'stale' }
end
if at[1] and at[1] ~= ARGV[3] and tonumber(at[2]) > now then
  redis.call('ZREM', permits, ARGV[6])
  return { 'busy' }
end
-- Counted before the first event is touched: one that kills its router three times is set aside (rule 13).
local starts = tonumber(at[4] or 0) + 1
redis.call('HSET', intake, 'owner', ARGV[3], 'until', now + tonumber(ARGV[4]), 'starts', starts)
redis.call('ZADD', permits, now + tonumber(ARGV[7]), ARGV[6])
return { 'ok', at[3] or '', starts }
