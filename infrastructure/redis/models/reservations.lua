-- Limits and budgets in one step: either all of a call's demand is reserved, or nothing.
-- KEYS: 1 limits of the provider's key, 2 tenants that wait for them, 3 the tenants' turns,
--       4 money of the tenant, 5 its reservations, 6 when they run out, 7 money of the job's run, 8 since when Redis knows,
--       9 what the tenant's begun jobs still need, 10 until when that is kept free for them
-- ARGV: 1 what to do, 2 attempt, 3 tenant, 4 money, 5 input tokens, 6 output tokens, and what belongs to it
--
-- Money is a whole number of 1e-10 dollars, as text: Lua's numbers are exact up to 900,719 dollars only. Redis adds such
-- numbers exactly, as integers of 64 bits, and here they are compared as text.
local what, attempt, tenant = ARGV[1], ARGV[2], ARGV[3]
local money_needed, input, output = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local LIMITS, WAITING, TURNS, MONEY, HELD, EXPIRING, JOB, SINCE, BEGUN, BEGUN_UNTIL = unpack(KEYS)

local HELD_MS = 1800 * 1000       -- a reservation that nobody settles
local LEARNED_MS = 60 * 1000      -- one that the ledger had under way: it may have ended a moment later
local GRACE_MS = 2 * 1000         -- what a call reserved before Redis lost it is in the ledger by then
local KNOWN_MS = 300 * 1000       -- so often what was spent is read anew
local BEGUN_MS = 300 * 1000       -- a job that hasn't asked for so long, since it has ended or waits, keeps nothing free
local POLL_MS = 3 * 1000          -- a tenant that hasn't asked for so long doesn't wait any more
local KEPT_SECONDS = 86400
local MINUTE_MS = 60 * 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local needs = {requests = 1, tokens = input + output, input_tokens = input, output_tokens = output}
local DIMENSIONS = {'requests', 'tokens', 'input_tokens', 'output_tokens'}

local function text(number) return string.format('%.0f', number) end

-- Money.

local function exceeds(one, other)
  if string.sub(one, 1, 1) == '-' then return false end
  if #one ~= #other then return #one > #other end
  return one > other
end

local function negative(number) return number == '0' and '0' or '-' .. number end

local function sum(key, ...)
  redis.call('HSET', key, 'sum', '0')
  for _, each in ipairs({...}) do redis.call('HINCRBY', key, 'sum', each) end
  return redis.call('HGET', key, 'sum')
end

local function periods()
  -- Days since 1970, and months since year 0, by Howard Hinnant's civil_from_days.
  local day = math.floor(time[1] / 86400)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local of_era = z - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local shifted = math.floor((5 * of_year + 2) / 153)
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return text(day), text((year + era * 400 + (month <= 2 and 1 or 0)) * 12 + month)
end

local function begin_periods()
  local day, month = periods()
  local known = redis.call('HMGET', MONEY, 'day', 'month', 'known_at')
  if not known[3] then return end
  if known[1] ~= day then redis.call('HSET', MONEY, 'day', day, 'spent_day', '0', 'noted_day', 0) end
  if known[2] ~= month then redis.call('HSET', MONEY, 'month', month, 'spent_month', '0', 'noted_month', 0) end
end

local function forget_expired()
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', now, 'LIMIT', 0, 100)) do
    local record = redis.call('HGET', HELD, old)
    if record then redis.call('HINCRBY', MONEY, 'held', negative(string.match(record, '^%d+'))) end
    redis.call('HDEL', HELD, old)
    redis.call('ZREM', EXPIRING, old)
    -- Its process died, or Redis had forgotten it: what was spent is the ledger's to say.
    redis.call('HDEL', MONEY, 'known_at')
  end
end

local function keep(key) redis.call('EXPIRE', key, KEPT_SECONDS) end

local function hold(id, record, milliseconds)
  redis.call('HSET', HELD, id, record)
  redis.call('ZADD', EXPIRING, now + milliseconds, id)
  redis.call('HINCRBY', MONEY, 'held', string.match(record, '^%d+'))
  keep(HELD) keep(EXPIRING) keep(MONEY)
end

local function over_budget(scope, key, spent, limit)
  if limit == '' then return end
  local held = redis.call('HGET', key, 'held') or '0'
  if exceeds(sum(key, spent, held, money_needed), limit) then return {'over', scope, spent, held} end
end

-- What begun jobs still need is kept free for them: a new one begins only beside it, so that what is begun gets finished.

local function forget_begun(job)
  local needed = redis.call('HGET', BEGUN, job)
  if not needed then return end
  redis.call('HINCRBY', MONEY, 'promised', negative(needed))
  redis.call('HDEL', BEGUN, job)
  redis.call('ZREM', BEGUN_UNTIL, job)
end

local function note_begun(job, to_come)
  forget_begun(job)
  redis.call('HSET', BEGUN, job, to_come)
  redis.call('ZADD', BEGUN_UNTIL, now + BEGUN_MS, job)
  redis.call('HINCRBY', MONEY, 'promised', to_come)
  keep(BEGUN) keep(BEGUN_UNTIL) keep(MONEY)
end

local function has_to_wait(job, to_come, spent, limit)
  if limit == '' or redis.call('HEXISTS', BEGUN, job) == 1 then return false end
  local promised = redis.call('HGET', MONEY, 'promised') or '0'
  if promised == '0' then return false end
  return exceeds(sum(MONEY, spent, redis.call('HGET', MONEY, 'held') or '0', money_needed, to_come, promised), limit)
end

local function missing()
  local known_at = tonumber(redis.call('HGET', MONEY, 'known_at') or 0)
  if now - known_at <= KNOWN_MS then return {'known'} end
  redis.call('SET', SINCE, text(now), 'NX')
  return {'unknown', math.max(tonumber(redis.call('GET', SINCE)) + GRACE_MS - now, 0)}
end

local function money_refuses(job_limit, day_limit, month_limit, job, to_come)
  forget_expired()
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', BEGUN_UNTIL, '-inf', now, 'LIMIT', 0, 100)) do forget_begun(old) end
  if money_needed == '0' then return end
  if day_limit ~= '' or month_limit ~= '' then
    local refusal = missing()
    if refusal[1] == 'unknown' then return refusal end
    begin_periods()
    local spent = redis.call('HMGET', MONEY, 'spent_day', 'spent_month')
    local over = over_budget('day', MONEY, spent[1], day_limit) or over_budget('month', MONEY, spent[2], month_limit)
    if over then
      local limit = over[2] == 'day' and day_limit or month_limit
      if job ~= '' and exceeds(sum(MONEY, over[3], money_needed), limit) then forget_begun(job) end
      return over
    end
    if job ~= '' and (has_to_wait(job, to_come, spent[1], day_limit) or has_to_wait(job, to_come, spent[2], month_limit)) then
      return {'not_yet'}
    end
  end
  if job_limit ~= '' then
    local spent = redis.call('HGET', JOB, 'spent')
    if not spent then return {'unknown_job'} end
    return over_budget('job', JOB, spent, job_limit)
  end
end

-- Limits.

local function levels()
  local found = redis.call('HMGET', LIMITS, 'at', 'pace', 'cooldown')
  local at, pace = tonumber(found[1] or now), tonumber(found[2] or 1)
  local known = {cooldown = tonumber(found[3] or 0), pace = pace}
  for _, name in ipairs(DIMENSIONS) do
    local limit, level = unpack(redis.call('HMGET', LIMITS, name .. ':limit', name .. ':level'))
    if limit then
      limit = tonumber(limit)
      level = math.min(limit, tonumber(level or limit) + limit * pace * math.max(now - at, 0) / MINUTE_MS)
      known[name] = {limit = limit, level = level}
      known.any = true
    end
  end
  return known
end

local function store(known)
  for _, name in ipairs(DIMENSIONS) do
    if known[name] then redis.call('HSET', LIMITS, name .. ':level', tostring(known[name].level)) end
  end
  redis.call('HSET', LIMITS, 'at', text(now))
  redis.call('EXPIRE', LIMITS, 3600)
end

local function shortage(known)
  if known.cooldown > now then return 'cooldown', known.cooldown - now end
  local dimension, longest = nil, 0
  for _, name in ipairs(DIMENSIONS) do
    local one = known[name]
    if one then
      -- A call that is larger than the whole limit is let through when all of it is there: the provider decides.
      local missing = math.min(needs[name], one.limit) - one.level
      local wait = missing * MINUTE_MS / math.max(one.limit * known.pace, 0.001)
      if missing > 0 and wait >= longest then dimension, longest = name, wait end
    end
  end
  return dimension, longest
end

local function share(known)
  local largest = 0
  for _, name in ipairs(DIMENSIONS) do
    if known[name] then largest = math.max(largest, math.min(needs[name] / math.max(known[name].limit, 1), 1)) end
  end
  return largest
end

local function first_waiting()
  for _ = 1, 20 do
    local first = redis.call('ZRANGE', WAITING, 0, 0, 'WITHSCORES')
    if not first[1] then return end
    local seen = tonumber(redis.call('HGET', TURNS, 'seen:' .. first[1]) or 0)
    if now - seen <= POLL_MS then return first[1], tonumber(first[2]) end
    redis.call('ZREM', WAITING, first[1])
    redis.call('HDEL', TURNS, 'seen:' .. first[1])
  end
end

local function wait(start, dimension, milliseconds)
  redis.call('ZADD', WAITING, start, tenant)
  redis.call('HSET', TURNS, 'seen:' .. tenant, text(now))
  redis.call('EXPIRE', WAITING, 60)
  redis.call('EXPIRE', TURNS, 600)
  return {'throttled', dimension, math.ceil(milliseconds)}
end

local function limits_refuse(known)
  if not known.any and known.cooldown <= now then return end
  -- Start-time fair queueing: who has had less of the key lately comes first, and who is new comes before who waits again.
  local turns = redis.call('HMGET', TURNS, 'now', 'turn:' .. tenant)
  local start = math.max(tonumber(turns[1] or 0), tonumber(turns[2] or 0))
  local queued = redis.call('ZSCORE', WAITING, tenant)
  if queued then start = tonumber(queued) end
  local first, first_start = first_waiting()
  if first and first ~= tenant and first_start <= start then return wait(start, 'turn', 50) end
  local dimension, milliseconds = shortage(known)
  if dimension then return wait(start, dimension, milliseconds) end
  redis.call('HSET', TURNS, 'now', tostring(start), 'turn:' .. tenant, tostring(start + share(known)))
  redis.call('ZREM', WAITING, tenant)
  redis.call('HDEL', TURNS, 'seen:' .. tenant)
  redis.call('EXPIRE', TURNS, 600)
end

local function count_request()
  local minute = text(math.floor(now / MINUTE_MS))
  if redis.call('HGET', LIMITS, 'minute') ~= minute then
    redis.call('HSET', LIMITS, 'minute', minute, 'before', redis.call('HGET', LIMITS, 'count') or 0, 'count', 0)
  end
  redis.call('HINCRBY', LIMITS, 'count', 1)
  redis.call('EXPIRE', LIMITS, 3600)
end

-- What may be asked for.

local function reserve(job_limit, day_limit, month_limit, job, to_come)
  if redis.call('HEXISTS', HELD, attempt) == 1 then return {'reserved'} end
  local refusal = money_refuses(job_limit, day_limit, month_limit, job, to_come)
  if refusal then return refusal end
  local known = levels()
  refusal = limits_refuse(known)
  if refusal then return refusal end
  if known.any then
    for _, name in ipairs(DIMENSIONS) do
      if known[name] then known[name].level = known[name].level - math.min(needs[name], known[name].limit) end
    end
    store(known)
  end
  count_request()
  hold(attempt, table.concat({money_needed, text(input), text(output)}, ':'), HELD_MS)
  if redis.call('HEXISTS', JOB, 'spent') == 1 then redis.call('HINCRBY', JOB, 'held', money_needed) end
  if job ~= '' and money_needed ~= '0' and (day_limit ~= '' or month_limit ~= '') then note_begun(job, to_come) end
  return {'reserved'}
end

local function give_back(reserved_input, reserved_output, unsent)
  local known = levels()
  if not known.any then return end
  local unused = {
    requests = unsent and 1 or 0, tokens = reserved_input + reserved_output - input - output,
    input_tokens = reserved_input - input, output_tokens = reserved_output - output,
  }
  for _, name in ipairs(DIMENSIONS) do
    local one = known[name]
    if one then one.level = math.min(one.limit, one.level + unused[name]) end
  end
  store(known)
end

local function reached(key, scope, spent, half, most, all)
  if all == '' or all == '0' or not spent then return 0 end
  local percent = 0
  if not exceeds(all, spent) then percent = 100
  elseif not exceeds(most, spent) then percent = 80
  elseif not exceeds(half, spent) then percent = 50 end
  local noted = 'noted_' .. scope
  if percent <= tonumber(redis.call('HGET', key, noted) or 0) then return 0 end
  redis.call('HSET', key, noted, percent)
  return percent
end

local function settle(unsent)
  local record = redis.call('HGET', HELD, attempt)
  if not record then
    if not unsent then
      -- Redis has forgotten it, so what it knows of money may have begun from a ledger that had this call under way.
      redis.call('HDEL', MONEY, 'known_at')
      redis.call('DEL', JOB)
    end
    return {'unknown'}
  end
  local held, reserved_input, reserved_output = string.match(record, '^(%d+):(%d+):(%d+)$')
  redis.call('HDEL', HELD, attempt)
  redis.call('ZREM', EXPIRING, attempt)
  redis.call('HINCRBY', MONEY, 'held', negative(held))
  if redis.call('HEXISTS', JOB, 'spent') == 1 then
    redis.call('HINCRBY', JOB, 'held', negative(held))
    redis.call('HINCRBY', JOB, 'spent', money_needed)
  end
  if redis.call('HEXISTS', MONEY, 'known_at') == 1 then
    begin_periods()
    redis.call('HINCRBY', MONEY, 'spent_day', money_needed)
    redis.call('HINCRBY', MONEY, 'spent_month', money_needed)
  end
  give_back(tonumber(reserved_input), tonumber(reserved_output), unsent)
  local spent = redis.call('HMGET', MONEY, 'known_at', 'spent_day', 'spent_month')
  if not spent[1] then spent = {false, false, false} end
  local by_job = redis.call('HGET', JOB, 'spent')
  return {
    'settled',
    reached(MONEY, 'day', spent[2], ARGV[7], ARGV[8], ARGV[9]), spent[2] or '0',
    reached(MONEY, 'month', spent[3], ARGV[10], ARGV[11], ARGV[12]), spent[3] or '0',
    reached(JOB, 'job', by_job, ARGV[13], ARGV[14], ARGV[15]), by_job or '0',
  }
end

-- What the ledger says was spent, and its attempts that are under way: pairs of id and money from ARGV[9] on.
local function learn()
  if missing()[1] == 'known' then return {'known'} end
  local day, month = periods()
  redis.call('HSET', MONEY, 'known_at', text(now), 'day', day, 'month', month, 'spent_day', ARGV[7], 'spent_month', ARGV[8])
  keep(MONEY)
  for place = 9, #ARGV, 2 do
    if redis.call('HEXISTS', HELD, ARGV[place]) == 0 then hold(ARGV[place], ARGV[place + 1] .. ':0:0', LEARNED_MS) end
  end
  return {'known'}
end

local function learn_job()
  redis.call('HSETNX', JOB, 'spent', ARGV[7])
  keep(JOB)
  return {'known'}
end

if what == 'reserve' then return reserve(ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]) end
if what == 'settle' then return settle(false) end
if what == 'release' then return settle(true) end
if what == 'missing' then return missing() end
if what == 'learn' then return learn() end
if what == 'learn_job' then return learn_job() end
return redis.error_reply('ERR nobody knows what ' .. what .. ' is')
