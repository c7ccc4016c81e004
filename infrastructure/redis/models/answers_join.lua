-- Returns a kept answer, or whose turn it is to ask.
-- KEYS: the answer, the lease. ARGV: token, the lease's milliseconds.
local answer = redis.call('GET', KEYS[1])
if answer then
    return {'kept', answer}
end
local holder = redis.call('GET', KEYS[2])
if holder == 'failed' then
    return {'alone', ''}
end
if holder and holder ~= ARGV[1] then
    return {'follow', ''}
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'lead', ''}
