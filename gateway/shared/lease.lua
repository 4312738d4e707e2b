-- Takes and gives back permits of limits, and parts of budgets, for one replica.
-- Times are microseconds of this server's clock.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out, at = {}, 0
local mark -- of this data, as the replica knows it

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
  for i, slot in ipairs(over) do
    counts[slot] = nil
    over[i] = text(slot)
  end
  if #over > 0 then
    redis.call('HDEL', key, unpack(over))
  end
  local fresh = not counts[head] -- nobody has counted in this slot

  -- What was not used of the window flows into the burst.
  local window = (slots - 1) * width
  if burst > 0 and now > seen then
    local within = math.min(now - seen, window)
    local unused = within * math.max(limit - before, 0) + (now - seen - within) * limit
    saved = math.min(saved + unused / window, burst)
  end

  local changed = {}
  local function count(slot, n)
    counts[slot] = (counts[slot] or 0) + n
    sum = sum + n
    changed[slot] = true
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
  local fields = {}
  for slot in pairs(changed) do
    fields[#fields + 1] = text(slot)
    fields[#fields + 1] = text(counts[slot])
  end
  if burst > 0 then
    for _, v in ipairs({'saved', string.format('%.17g', saved), 'seen', text(now)}) do
      fields[#fields + 1] = v
    end
  end
  if #fields > 0 then
    redis.call('HSET', key, unpack(fields))
  end
  if fresh then -- once for all of the slot
    local kept = (slots + 1) * width
    if burst > 0 and limit > 0 then
      kept = kept + window * burst / limit
    end
    redis.call('PEXPIRE', key, text(math.ceil(kept / 1000)))
  end

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
  give(0)
  give(0)
  give(0)
end

local function keep(key, kept)
  if kept > 0 then
    redis.call('PEXPIRE', key, text(kept))
  end
end

local function rebase(key, amount, version, taken, exact, turn)
  redis.call('HSET', key, 'ledger', string.format('%.0f %.0f %.0f %.0f %.0f', amount, version, taken, exact, turn))
end

-- How long a replica is known that is not heard of, if the ledger tells as much. One
-- that has said what it spent in a window that is over says so again.
local forgotten = 3600 * 1000000

-- A budget's window is a hash of what each replica has spent, what it may spend,
-- and until when that is its own. What a replica does not renew others may have,
-- but for what it has spent.
--
-- Where all have one ledger, each says too what of that the ledger has, and which
-- turn of a window that rolls that is of. "ledger" is the base: what the ledger has
-- beside, which reading that is of, when it was taken, whether it is exact, and its
-- turn.
local function slices(key, me, span, common)
  local f = {others = 0, spent = 0, own = 0, till = 0, version = 0, claims = 0, open = false, old = {}}
  local gone, folded = {}, 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local name = all[i]
    if name == 'ledger' then
      local base, version, taken, exact, turn = string.match(all[i + 1], '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
      f.base, f.version, f.taken, f.exact, f.turn = tonumber(base), tonumber(version), tonumber(taken), tonumber(exact), tonumber(turn)
    else
      local s, c, u, claim, turn = string.match(all[i + 1], '^(%S+) (%S+) (%S+) ?(%S*) ?(%S*)$')
      s, c, u, claim = tonumber(s), tonumber(c), tonumber(u), tonumber(claim) or 0
      if name == me then
        f.till = u
        if u > now then
          f.own = c
        end
      elseif not common and span > 0 and u < now - span then
        redis.call('HDEL', key, name)
      elseif common and u > 0 and u < now - forgotten and (s == claim or span > 0 and u < now - span) then
        gone[#gone + 1], folded = name, folded + claim -- it is of the base from now on
        f.spent, f.others, f.claims = f.spent + claim, f.others + claim, f.claims + claim
      else
        f.spent = f.spent + s
        f.others = f.others + (u > now and math.max(s, c) or s)
        if common and string.sub(name, 1, #common.owner) == common.owner then
          f.old[#f.old + 1] = name -- of this replica, before it started again: the ledger has it
        else
          if common and u > now and tonumber(turn) ~= common.turn then
            claim = 0 -- it may be of what is not in the window any more
          end
          f.claims = f.claims + claim
          f.open = f.open or claim ~= s
        end
      end
    end
  end
  if f.base then
    if #gone > 0 then -- a reading that is under way has taken them off
      redis.call('HDEL', key, unpack(gone))
      rebase(key, f.base + folded, f.version + 1, f.taken, f.exact, f.turn)
      return slices(key, me, span, common)
    end
    f.spent, f.others = f.spent + f.base, f.others + f.base
  end
  return f
end

-- What is told of a ledger of all, where there is one.
local function ledger()
  if argument() == 0 then
    return nil
  end
  local c = {owner = word()}
  c.claim, c.before, c.turn, c.sure = argument(), argument(), argument(), argument()
  if argument() == 1 then
    c.reading = {version = argument(), base = argument(), before = argument(), exact = argument()}
  end
  return c
end

-- Takes what was read of the ledger as the base, if that was not done meanwhile.
-- Where all is new here, others have to say first what calls hold.
local function take(key, former, me, f, c, kept)
  local r = c.reading
  if not r or r.version ~= f.version then
    return false
  end
  if #f.old > 0 then
    redis.call('HDEL', key, unpack(f.old))
  end
  rebase(key, r.base, f.version + 1, now, r.exact, c.turn)
  if former ~= '' then
    local p = slices(former, me, 0, c)
    if #p.old > 0 then
      redis.call('HDEL', former, unpack(p.old))
    end
    rebase(former, r.before, p.version + 1, now, r.exact, c.turn)
    keep(former, kept)
  end
  return true
end

local function slice(key)
  local me, former = word(), word()
  local spent, reserved, need, extra, limit = argument(), argument(), argument(), argument(), argument()
  local carry, before, used = argument(), argument(), argument()
  local kept, span, term = argument(), argument(), argument()
  local c = ledger()
  local f = slices(key, me, span, c)

  local young, taken, begun = false, false, false
  if c then
    young = not f.base and (redis.call('GET', 'sluice:mark') ~= mark or redis.call('EXISTS', 'sluice:young') == 1)
    taken = not young and take(key, former, me, f, c, kept)
    if not f.base and not taken and not young and c.sure == 1 then
      rebase(key, 0, 1, now, 1, c.turn) -- nobody has spent anything in a window that has just begun
      begun = true
    end
    if taken or begun then
      f = slices(key, me, span, c)
    end
  end

  -- What the window before has left over. Who has not said since that it is over
  -- may have spent all that was its own.
  local past = {others = 0, claims = 0}
  if carry > 0 then
    past = slices(former, me, 0, c)
    if before ~= 0 then
      redis.call('HSET', former, me, text(before) .. ' ' .. text(before) .. ' 0' .. (c and ' ' .. text(c.before) .. ' ' .. text(c.turn) or ''))
      keep(former, kept)
    end
    if used == 1 or past.others ~= 0 then
      limit = limit + math.max(math.min(carry - before - past.others, carry), 0)
    end
  end

  local room = math.max(limit - math.max(f.others, 0), 0)
  if c and not f.base then
    room = 0 -- it is not known
  end
  local mine = math.min(need, room)
  if mine == need then
    mine = need + math.min(extra, math.floor((room - need) / 4))
  end
  -- What calls hold stays, and what was this replica's own if it still wants it.
  mine = math.max(mine, reserved, math.min(f.own, need + extra))
  redis.call('HSET', key, me, text(spent) .. ' ' .. text(mine) .. ' ' .. text(now + term) .. (c and ' ' .. text(c.claim) .. ' ' .. text(c.turn) or ''))
  -- Once a second for each replica is often enough for what is kept so long.
  if math.floor((f.till - term) / 1000000) ~= math.floor(now / 1000000) then
    keep(key, kept)
  end

  give(mine)
  give(f.spent)
  give(past.others)
  give(math.max(room - mine, 0))
  give(f.version)
  give(f.claims)
  give(past.claims)
  give((f.open and 1 or 0) + (f.exact == 1 and 2 or 0) + (taken and 4 or 0) + (young and 8 or 0))
  give(f.taken and now - f.taken or 0)
  give(f.turn or 0)
end

local kinds = {pool = pool, slice = slice}
mark = word()
for k = 1, #KEYS do
  kinds[word()](KEYS[k])
end
return out
