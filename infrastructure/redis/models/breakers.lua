-- One breaker, in one step. KEYS[1]: its hash. ARGV: what happened, then what belongs to it.
--   admit, lease                  a call wants to be made, and would be a probe by this lease
--   succeeded, gate, lease        a call that was let through by this gate went well
--   failed, gate, lease, class    it failed in a way that counts
--   abandoned, lease              a probe was given up
-- Returns {gate, milliseconds until the next probe, failures in a row, lease, opened how often}.
local FAILURES = tonumber(ARGV[1])
local OPEN_MS = tonumber(ARGV[2])
local MAX_OPEN_MS = tonumber(ARGV[3])
local LEASE_MS = tonumber(ARGV[4])
local CALM_MS = tonumber(ARGV[5])
local KEPT_SECONDS = tonumber(ARGV[6])
local what, key = ARGV[7], KEYS[1]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', key, 'failures', 'open_until', 'opens', 'lease', 'lease_until', 'closed_at')
local failures = tonumber(found[1] or 0)
local open_until = tonumber(found[2] or 0)
local opens = tonumber(found[3] or 0)
local lease = found[4] or ''
local lease_until = tonumber(found[5] or 0)
local closed_at = tonumber(found[6] or 0)
local open = open_until > 0

local function kept(...)
  redis.call('HSET', key, ...)
  redis.call('EXPIRE', key, KEPT_SECONDS)
end

local function trip()
  if now - closed_at > CALM_MS and closed_at > 0 then opens = 0 end
  open_until = now + math.min(OPEN_MS * 2 ^ math.min(opens, 20), MAX_OPEN_MS)
  opens = opens + 1
  open, lease, lease_until = true, '', 0
  kept('open_until', string.format('%.0f', open_until), 'opens', opens, 'lease', '', 'lease_until', 0, 'closed_at', 0)
end

local function state(gate)
  local wait = 0
  if gate == 'open' then wait = math.max(open_until, lease_until) - now end
  return {gate, math.max(wait, 0), failures, lease, opens}
end

local function gate_now()
  if not open then return 'closed' end
  if now < open_until or (lease ~= '' and now < lease_until) then return 'open' end
  return 'probe'
end

if what == 'admit' then
  local gate = gate_now()
  if gate == 'probe' then
    lease, lease_until = ARGV[8], now + LEASE_MS
    kept('lease', lease, 'lease_until', string.format('%.0f', lease_until))
  end
  return state(gate)
elseif what == 'succeeded' then
  -- A probe whose lease ran out while it was under way has still shown that the model answers.
  if open and ARGV[8] == 'probe' then
    failures, open, open_until, lease, lease_until = 0, false, 0, '', 0
    kept('failures', 0, 'open_until', 0, 'lease', '', 'lease_until', 0, 'closed_at', string.format('%.0f', now))
  elseif not open and failures > 0 then
    failures = 0
    kept('failures', 0)
  end
elseif what == 'failed' then
  kept('last_error', ARGV[10])
  -- An open breaker counts nothing of the calls that it let through while it was closed.
  if not open then
    failures = failures + 1
    kept('failures', failures)
    if failures >= FAILURES then trip() end
  elseif ARGV[8] == 'probe' and ARGV[9] == lease then
    trip()
  end
elseif what == 'abandoned' and open and lease == ARGV[8] then
  lease, lease_until = '', 0
  kept('lease', '', 'lease_until', 0)
end
-- Whoever only reports isn't admitted: what it learns is whether others may call.
local gate = gate_now()
if gate == 'probe' then return state('half_open') end
return state(gate)
