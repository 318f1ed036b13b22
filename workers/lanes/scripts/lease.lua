-- What one process at a time does: routing, upkeep. Takes, keeps or leaves the lease of it (rules 2, 12).
--
-- ARGV  3 name  4 owner: random for each take, so that a command that was sent twice is recognised
--       5 lease ms  6 'take', 'keep' or 'leave'
--       take:  7 the permit that it came with
--       leave: 7 ms to leave it alone, or 0  8 why, or ''
-- take:  {'ok', deaths} where `deaths` is how many processes have ended over it since it last got on;
--        {'busy'} while another has it, {'stale'} for another revision
-- keep:  {'ok'}, or {'lost'} if another has taken it
-- leave: {'ok'}
--
-- The hash lease:NAME: owner, until; deaths and died, the last one that was taken for dead; rest (until when it is left
-- alone) and why.

local name, owner, lease_ms, what = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local key = lease_key(name)
local at = redis.call('HMGET', key, 'owner', 'until', 'died')

local function take()
  -- What the permit was for is begun, or not needed: from now on the lease tells of it.
  redis.call('ZREM', permits_key(name), ARGV[7])
  if current_revision() ~= ARGV[2] then return { 'stale' } end
  if at[1] and at[1] ~= owner then
    if time_in(key, 'until', at[2], lease_ms) > now then return { 'busy' } end
    -- A lease is left whatever happens, but by a process that has ended (rule 13).
    redis.call('HINCRBY', key, 'deaths', 1)
    redis.call('HSET', key, 'died', at[1])
  end
  redis.call('HSET', key, 'owner', owner, 'until', now + lease_ms)
  redis.call('HDEL', key, 'rest', 'why')
  return { 'ok', tonumber(redis.call('HGET', key, 'deaths')) or 0 }
end

local function leave()
  if at[1] == owner then
    redis.call('HDEL', key, 'owner', 'until')
    if tonumber(ARGV[7]) > 0 then
      redis.call('HSET', key, 'rest', now + tonumber(ARGV[7]), 'why', ARGV[8])
    elseif name == 'route' and redis.call('XLEN', ns .. ':events') > 0 then
      ring()
    end
  elseif at[3] == owner then
    -- It was taken for dead because Redis could not be told: it was not.
    redis.call('HINCRBY', key, 'deaths', -1)
    redis.call('HDEL', key, 'died')
  end
  return { 'ok' }
end

if what == 'take' then return take() end
if what == 'leave' then return leave() end
if at[1] ~= owner then return { 'lost' } end
redis.call('HSET', key, 'until', now + lease_ms)
return { 'ok' }
