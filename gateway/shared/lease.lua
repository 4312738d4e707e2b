-- Takes and gives back permits of limits, and parts of budgets, for one replica.
-- Times are microseconds of this server's clock.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out, at = {}, 0

local function word()
  at = at + 1
  return ARGV[at]
end

local function argument()
  return tonumber(word())
end

local function text(n)
  return string.format('%.0f', n)
end

local function give(n)
  out[#out + 1] = math.floor(n)
end

-- A limit is a hash of how many were counted in each slot, which is the time
-- divided by the slot's width, and what is saved of a burst.
local function pool(key)
  local width, slots, limit, burst = argument(), argument(), argument(), argument()
  local need, least, extra, changes = argument(), argument(), argument(), argument()
  local head = math.floor(now / width)
  local latest = head

  local counts, sum, before, over = {}, 0, 0, {}
  local saved, seen = burst, now
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local slot, n = tonumber(all[i]), tonumber(all[i + 1])
    if all[i] == 'saved' then
      saved = math.min(n, burst)
    elseif all[i] == 'seen' then
      seen = n
    elseif slot >= head + slots then
      over[#over + 1] = slot -- the clock was set back by more than all that counts
    else
      latest = math.max(latest, slot) -- by less: it counts at the time that was
      counts[slot] = n
      before = before + n
    end
  end
  head = latest
  if seen >= now + slots * width then
    seen = now
  end
  local oldest = head - slots + 1
  for slot, n in pairs(counts) do
    if slot < oldest then
      over[#over + 1] = slot
    else
      sum = sum + n
    end
  end
  for _, slot in ipairs(over) do
    redis.call('HDEL', key, text(slot))
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
    redis.call('HINCRBY', key, text(slot), text(n))
  end

  for _ = 1, changes do
    local slot, n = argument(), argument()
    if slot >= oldest and slot <= head then
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
    redis.call('HSET', key, 'saved', string.format('%.17g', saved), 'seen', text(now))
  end
  local kept = (slots + 1) * width
  if burst > 0 and limit > 0 then
    kept = kept + window * burst / limit
  end
  redis.call('PEXPIRE', key, text(math.ceil(kept / 1000)))

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

-- A budget's window is a hash of what each replica has spent, what it may spend,
-- and until when that is its own. What a replica does not renew others may have,
-- but for what it has spent.
local function slices(key, me, span)
  local others, spent, own = 0, 0, 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local s, c, u = string.match(all[i + 1], '^(%S+) (%S+) (%S+)$')
    s, c, u = tonumber(s), tonumber(c), tonumber(u)
    if all[i] == me then
      if u > now then
        own = c
      end
    elseif span > 0 and u < now - span then
      redis.call('HDEL', key, all[i])
    else
      spent = spent + s
      others = others + (u > now and math.max(s, c) or s)
    end
  end
  return others, spent, own
end

local function keep(key, kept)
  if kept > 0 then
    redis.call('PEXPIRE', key, text(kept))
  end
end

local function slice(key)
  local me, former = word(), word()
  local spent, base, need, extra, limit = argument(), argument(), argument(), argument(), argument()
  local carry, before, used = argument(), argument(), argument()
  local kept, span, term = argument(), argument(), argument()
  local others, theirs, own = slices(key, me, span)

  -- What the window before has left over.
  local past = 0
  if carry > 0 then
    local _, sum = slices(former, me, 0)
    past = sum
    if before ~= 0 then
      redis.call('HSET', former, me, text(before) .. ' ' .. text(before) .. ' 0')
      keep(former, kept)
    end
    if used == 1 or past ~= 0 then
      limit = limit + math.max(math.min(carry - before - past, carry), 0)
    end
  end

  local room = math.max(limit - math.max(others, 0), 0)
  local mine = math.min(need, room)
  if mine == need then
    mine = need + math.min(extra, math.floor((room - need) / 4))
  end
  -- What calls hold stays, and what was this replica's own if it still wants it.
  mine = math.max(mine, base, math.min(own, need + extra))
  redis.call('HSET', key, me, text(spent) .. ' ' .. text(mine) .. ' ' .. text(now + term))
  keep(key, kept)

  give(mine)
  give(theirs)
  give(past)
  give(math.max(room - mine, 0))
  give(0)
  give(0)
  give(0)
end

local kinds = {pool = pool, slice = slice}
for k = 1, #KEYS do
  kinds[word()](KEYS[k])
end
return out
