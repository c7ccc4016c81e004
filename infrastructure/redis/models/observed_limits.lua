-- What a provider's answer said of a key's limits. KEYS[1]: the limits of the key.
-- ARGV: 1 '1' if it refused for coming too fast, 2 milliseconds that it asked to wait, or '', then for each of requests, tokens,
-- input_tokens and output_tokens: limit, remaining, milliseconds until all is there again; each '' if it isn't said
local key, throttled, asked_ms = KEYS[1], ARGV[1] == '1', tonumber(ARGV[2])
local MIN_PACE, MINUTE_MS, DEFAULT_COOLDOWN_MS, MAX_LEARNED = 0.05, 60000, 1000, 100000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('HMGET', key, 'at', 'pace', 'cooldown', 'raised', 'learned', 'requests:limit', 'count', 'before', 'halved')
local at, pace, cooldown = tonumber(found[1] or now), tonumber(found[2] or 1), tonumber(found[3] or 0)
local raised, halved, learned = tonumber(found[4] or 0), tonumber(found[9] or 0), found[5] == '1'
local function text(number) return string.format('%.0f', number) end

local says_anything = false
for place, name in ipairs({'requests', 'tokens', 'input_tokens', 'output_tokens'}) do
  local limit, remaining, reset_ms = tonumber(ARGV[3 * place]), tonumber(ARGV[3 * place + 1]), tonumber(ARGV[3 * place + 2])
  if limit and limit > 0 then
    local known = redis.call('HMGET', key, name .. ':limit', name .. ':level')
    local level = remaining or limit
    if known[1] then
      -- The answer knows what others took, and we know what is on its way: the smaller one is right.
      level = math.min(tonumber(known[2]) + limit * pace * math.max(now - at, 0) / MINUTE_MS, level, limit)
    end
    redis.call('HSET', key, name .. ':limit', text(limit), name .. ':level', tostring(level))
    if name == 'requests' then learned = false end
    says_anything = true
  elseif remaining == 0 and reset_ms then
    cooldown = math.max(cooldown, now + reset_ms)
  end
end
if not says_anything and redis.call('HEXISTS', key, 'requests:limit') == 0 and not throttled then
  if cooldown > 0 then redis.call('HSET', key, 'cooldown', text(cooldown)) redis.call('EXPIRE', key, 3600) end
  return {tostring(pace)}
end

-- The levels that the answer said nothing of go on by themselves.
for _, name in ipairs({'requests', 'tokens', 'input_tokens', 'output_tokens'}) do
  local known = redis.call('HMGET', key, name .. ':limit', name .. ':level')
  if known[1] and (tonumber(ARGV[3 * ({requests = 1, tokens = 2, input_tokens = 3, output_tokens = 4})[name]]) or 0) == 0 then
    local limit = tonumber(known[1])
    local level = math.min(limit, tonumber(known[2] or limit) + limit * pace * math.max(now - at, 0) / MINUTE_MS)
    redis.call('HSET', key, name .. ':level', tostring(level))
  end
end

if throttled then
  cooldown = math.max(cooldown, now + (asked_ms or DEFAULT_COOLDOWN_MS))
  -- Those that were sent together are refused together, which is one sign and not many.
  if now - halved >= 1000 then
    pace, halved, raised = math.max(pace / 2, MIN_PACE), now, now
    if learned or redis.call('HEXISTS', key, 'requests:limit') == 0 then
      -- A provider that says nothing of its limits has shown one.
      local lately = math.max(tonumber(found[7] or 0), tonumber(found[8] or 0))
      local limit = math.max(math.floor((learned and tonumber(found[6]) or lately) / 2), 1)
      redis.call('HSET', key, 'requests:limit', text(limit), 'requests:level', '0')
      learned, pace = true, 1
    end
  end
elseif now - raised >= 1000 then
  pace, raised = math.min(1, pace + 0.02), now
  if learned then
    local limit = tonumber(redis.call('HGET', key, 'requests:limit')) + 1
    redis.call('HSET', key, 'requests:limit', text(math.min(limit, MAX_LEARNED)))
  end
end
redis.call('HSET', key, 'at', text(now), 'pace', tostring(pace), 'cooldown', text(cooldown), 'raised', text(raised),
  'halved', text(halved),  'learned', learned and '1' or '0')
redis.call('EXPIRE', key, 3600)
return {tostring(pace)}
