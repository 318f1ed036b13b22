-- A part of claim.lua and join.lua: how a lane is given to a claim.

local function hand_out(claim, lease_ms, budget, integration, segment, settings, lane, tried_to, deaths, probing)
  local key = lane_key(integration, segment)
  local list, clear = chunks_key(integration, segment), clear_that_runs(lane, settings)
  local chunks, to = first_chunks(key, list, lane, settings, tonumber(budget), tried_to, clear)
  local till = now + tonumber(lease_ms)
  redis.call('HSET', key, 'owner', claim, 'until', till, 'to', to, 'starts', lane.starts)
  put_leased(integration, segment, till)
  local entries = redis.call('HLEN', open_key(integration, segment))
  local passed_over = redis.call('HGET', passed_over_key(integration), segment) or 0
  local reply = { 'lane', integration, segment, lane.done, to, clear, lane.attempts, lane.limit, lane.suspect,
    lane.passed, tried_to, deaths, probing, entries, settings.no_room and 1 or 0, lane.aside, passed_over }
  for i = 1, #chunks do reply[#reply + 1] = chunks[i] end
  return reply
end

local function begin(claim, lease_ms, budget, integration, segment, settings, lane, probing)
  local key = lane_key(integration, segment)
  -- Counted before the head is touched. Every settlement and release takes it back, so the starts before this one ended
  -- with their process (rule 13).
  local deaths = lane.starts
  lane.starts = deaths + 1
  pay(settings, 1)
  remember(claim, 'lane', integration, segment, lane.to, deaths, probing)
  local reply = hand_out(claim, lease_ms, budget, integration, segment, settings, lane, lane.to, deaths, probing)
  -- That all tries before were undone holds until the next one, which nobody may live to tell of.
  local passed = string.gsub(lane.passed, '%s*undone', '')
  if passed ~= lane.passed then put_field(key, 'passed', passed) end
  return reply
end

-- Sent twice: the same lane, and nothing is counted again. Nil where the claim was not answered so, or has lost it.
local function the_same_lane(claim, lease_ms, budget)
  local before = answered(claim)
  if not before or before[2] ~= 'lane' then return nil end
  local _, _, integration, segment, tried_to, deaths, probing = unpack(before)
  local lane = read_lane(lane_key(integration, segment))
  if lane.owner ~= claim then return nil end
  local settings = read_integration(integration)
  return hand_out(claim, lease_ms, budget, integration, segment, settings, lane, tried_to, deaths, probing)
end
