-- Takes and gives back permits of limits. Each key is a hash of how many were
-- counted in each slot, which is the time divided by the slot's width, and what
-- is saved of a burst. Times are microseconds of this server's clock.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out, at = {}, 0

local function argument()
  at = at + 1
  return tonumber(ARGV[at])
end

local function give(n)
  out[#out + 1] = math.floor(n)
end

for k = 1, #KEYS do
  local key = KEYS[k]
  local width, slots, limit, burst = argument(), argument(), argument(), argument()
  local need, least, extra, changes = argument(), argument(), argument(), argument()
  local head = math.floor(now / width)
  local oldest = head - slots + 1

  local counts, sum, before, over = {}, 0, 0, {}
  local saved, seen = burst, now
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local slot, n = tonumber(all[i]), tonumber(all[i + 1])
    if all[i] == 'saved' then
      saved = math.min(n, burst)
    elseif all[i] == 'seen' then
      seen = n
    else
      head = math.max(head, slot) -- a clock that was set back counts at the time that was
      counts[slot] = n
      before = before + n
    end
  end
  oldest = head - slots + 1
  for slot, n in pairs(counts) do
    if slot < oldest then
      over[#over + 1] = slot
    else
      sum = sum + n
    end
  end
  for _, slot in ipairs(over) do
    redis.call('HDEL', key, string.format('%.0f', slot))
    counts[slot] = nil
  end

  -- What was not used of the window flows into the burst.
  local window = (slots - 1) * width
  if burst > 0 and now > seen then
    local within = math.min(now - seen, window)
    local unused = within * math.max(limit - before, 0) + (now - seen - within) * limit
    saved = math.min(saved + unused / window, burst)
  end

  local function count(slot, n)
    counts[slot] = (counts[slot] or 0) + n
    sum = sum + n
    redis.call('HINCRBY', key, string.format('%.0f', slot), string.format('%.0f', n))
  end

  for _ = 1, changes do
    local slot, n = argument(), argument()
    if slot >= oldest then
      count(slot, math.max(n, -(counts[slot] or 0))) -- which may have been lost
    end
  end

  local room = math.max(limit - sum, 0)
  local taken, free = math.min(need, room), 0
  if taken == need then
    taken = taken + math.min(extra, math.floor((room - taken) / 4))
  elseif burst > 0 then
    free = math.min(need - taken, math.floor(saved))
    saved = saved - free
  end
  if taken > 0 then
    count(head, taken)
  end
  if burst > 0 then
    redis.call('HSET', key, 'saved', string.format('%.17g', saved), 'seen', string.format('%.0f', now))
  end
  local kept = (slots + 1) * width
  if burst > 0 and limit > 0 then
    kept = kept + window * burst / limit
  end
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(kept / 1000)))

  -- When the least that is needed has room, and when all of the limit is there.
  local wait, full = 0, 0
  if taken + free < need then
    local left = sum
    for slot = oldest, head do
      left = left - (counts[slot] or 0)
      wait = (slot + slots) * width - now
      if left + least <= limit then
        break
      end
    end
  end
  for slot = head, oldest, -1 do
    if (counts[slot] or 0) > 0 then
      full = (slot + slots) * width - now
      break
    end
  end

  give(taken)
  give(free)
  give(head)
  give((head + 1) * width - now)
  give(math.max(limit - sum, 0))
  give(math.max(wait, 0))
  give(math.max(full, 0))
end
return out
