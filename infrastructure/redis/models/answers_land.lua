-- Keeps an answer, and hands the lease back.
-- KEYS: the answer, the lease, the tenant's index.
-- ARGV: token, sealed answer or '', its milliseconds, its name in the index, most answers, milliseconds of a failure or 0.
if ARGV[2] ~= '' then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    local now = redis.call('TIME')
    redis.call('ZADD', KEYS[3], now[1] + now[2] / 1000000, ARGV[4])
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now[1] - ARGV[3] / 1000)
    redis.call('PEXPIRE', KEYS[3], ARGV[3])
    local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[5])
    if over > 0 then
        local prefix = string.sub(KEYS[1], 1, #KEYS[1] - #ARGV[4])
        for place, name in ipairs(redis.call('ZPOPMIN', KEYS[3], over)) do
            if place % 2 == 1 then
                redis.call('DEL', prefix .. name)
            end
        end
    end
end
if redis.call('GET', KEYS[2]) == ARGV[1] then
    if ARGV[6] == '0' then
        redis.call('DEL', KEYS[2])
    else
        redis.call('SET', KEYS[2], 'failed', 'PX', ARGV[6])
    end
end
return 1
