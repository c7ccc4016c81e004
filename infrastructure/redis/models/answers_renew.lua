-- Keeps the lease, if it is still the token's.
-- KEYS: the lease. ARGV: token, the lease's milliseconds.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
