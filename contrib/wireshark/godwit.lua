-- Wireshark dissector for Godwit: intros, packets of both forms, their messages and frames (docs/wire_spec.md sections 1
-- and 2, docs/extended_sessions.md sections 4 and 5). Copy it into a folder of Lua plugins (Help, About, Folders).
-- Payloads are shown when a key log is named (Preferences, Protocols, Godwit): a text file with lines
--   GODWIT_KEY 32-hexadecimal-digits         a key of the deployed form: of what is sent to whoever made it
--   GODWIT_SECRET 64-hexadecimal-digits      the first secret of one direction of an extended session
-- A key is tried until a packet authenticates under it; lines of other kinds are skipped.

local bits = bit32 or bit
local function u32(n) return n % 0x100000000 end
local function band(a, b) return u32(bits.band(a, b)) end
local function bxor(a, b) return u32(bits.bxor(a, b)) end
local function shl(a, n) return u32(bits.lshift(a, n)) end
local function shr(a, n) return u32(bits.rshift(a, n)) end
local function ror(a, n) return bxor(shr(a, n), shl(a, 32 - n)) end

local function word(s, at)
  local a, b, c, d = s:byte(at, at + 3)
  return a * 0x1000000 + b * 0x10000 + c * 0x100 + d
end
local function text_of(n)
  return string.char(shr(n, 24), band(shr(n, 16), 255), band(shr(n, 8), 255), band(n, 255))
end
local function words(s) return { word(s, 1), word(s, 5), word(s, 9), word(s, 13) } end

---- SHA-256, HMAC, and the Expand of extended sessions --------------------------------------------------------------

local primes = {}
do
  local n = 2
  while #primes < 64 do
    local prime = true
    for _, p in ipairs(primes) do
      if n % p == 0 then prime = false break end
    end
    if prime then primes[#primes + 1] = n end
    n = n + 1
  end
end
-- The first 32 bits behind the point. Doubles are exact enough: the constants of FIPS 180-4 come out.
local function fraction(x) return math.floor((x - math.floor(x)) * 0x100000000) end
local round_constants, first_state = {}, {}
for i, p in ipairs(primes) do
  round_constants[i] = fraction(p ^ (1 / 3))
  if i <= 8 then first_state[i] = fraction(p ^ 0.5) end
end

local function sha256(message)
  local length = #message
  message = message .. "\128" .. string.rep("\0", (55 - length) % 64) .. text_of(math.floor(length / 0x20000000)) ..
    text_of(u32(length * 8))
  local h = { (table.unpack or unpack)(first_state) }
  for block = 1, #message, 64 do
    local w = {}
    for i = 1, 16 do w[i] = word(message, block + 4 * i - 4) end
    for i = 17, 64 do
      local x, y = w[i - 15], w[i - 2]
      w[i] = u32(w[i - 16] + bxor(bxor(ror(x, 7), ror(x, 18)), shr(x, 3)) + w[i - 7] +
        bxor(bxor(ror(y, 17), ror(y, 19)), shr(y, 10)))
    end
    local a, b, c, d, e, f, g, k = h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]
    for i = 1, 64 do
      local t = u32(k + bxor(bxor(ror(e, 6), ror(e, 11)), ror(e, 25)) +
        bxor(band(e, f), band(0xffffffff - e, g)) + round_constants[i] + w[i])
      local s = u32(bxor(bxor(ror(a, 2), ror(a, 13)), ror(a, 22)) + bxor(bxor(band(a, b), band(a, c)), band(b, c)))
      k, g, f, e, d, c, b, a = g, f, e, u32(d + t), c, b, a, u32(t + s)
    end
    for i, x in ipairs({ a, b, c, d, e, f, g, k }) do h[i] = u32(h[i] + x) end
  end
  local out = {}
  for i = 1, 8 do out[i] = text_of(h[i]) end
  return table.concat(out)
end

local function xor_text(s, byte)
  return (s:gsub(".", function(c) return string.char(band(bxor(c:byte(), byte), 255)) end))
end
local function expand(secret, label, length)
  local key = secret .. string.rep("\0", 64 - #secret)
  return sha256(xor_text(key, 0x5c) .. sha256(xor_text(key, 0x36) .. label .. "\1")):sub(1, length)
end

---- AES-128-GCM -----------------------------------------------------------------------------------------------------

local function double(x) return x < 128 and 2 * x or bxor(2 * x - 256, 0x1b) end
local sbox = {}
do
  local p, q = 1, 1
  repeat
    p = band(bxor(p, double(p)), 255)  -- times 3
    q = bxor(q, band(shl(q, 1), 255))  -- divided by 3
    q = bxor(q, band(shl(q, 2), 255))
    q = bxor(q, band(shl(q, 4), 255))
    if q >= 128 then q = bxor(q, 0x09) end
    local x = q
    for i = 1, 4 do x = bxor(x, band(bxor(shl(q, i), shr(q, 8 - i)), 255)) end
    sbox[p] = bxor(x, 0x63)
  until p == 1
  sbox[0] = 0x63
end

local function expand_key(key)
  local w = words(key)
  local constant = 1
  for i = 5, 44 do
    local t = w[i - 1]
    if i % 4 == 1 then
      t = shl(t, 8) + shr(t, 24)
      t = shl(sbox[shr(t, 24)], 24) + shl(sbox[band(shr(t, 16), 255)], 16) + shl(sbox[band(shr(t, 8), 255)], 8) +
        sbox[band(t, 255)]
      t = bxor(t, shl(constant, 24))
      constant = double(constant)
    end
    w[i] = bxor(w[i - 4], t)
  end
  return w
end

local table0 = {}
for x = 0, 255 do
  local s = sbox[x]
  table0[x] = shl(double(s), 24) + shl(s, 16) + shl(s, 8) + bxor(double(s), s)
end
local function encrypt_block(w, block)
  local s = {}
  for i = 1, 4 do s[i] = bxor(block[i], w[i]) end
  for round = 1, 9 do
    local t = {}
    for i = 0, 3 do
      t[i + 1] = bxor(bxor(table0[shr(s[i + 1], 24)], ror(table0[band(shr(s[(i + 1) % 4 + 1], 16), 255)], 8)),
        bxor(ror(table0[band(shr(s[(i + 2) % 4 + 1], 8), 255)], 16), ror(table0[band(s[(i + 3) % 4 + 1], 255)], 24)))
      t[i + 1] = bxor(t[i + 1], w[4 * round + i + 1])
    end
    s = t
  end
  local out = {}
  for i = 0, 3 do
    local x = shl(sbox[shr(s[i + 1], 24)], 24) + shl(sbox[band(shr(s[(i + 1) % 4 + 1], 16), 255)], 16) +
      shl(sbox[band(shr(s[(i + 2) % 4 + 1], 8), 255)], 8) + sbox[band(s[(i + 3) % 4 + 1], 255)]
    out[i + 1] = bxor(x, w[40 + i + 1])
  end
  return out
end

-- Multiplication by H a nibble at a time: shifting by four bits folds what falls out back in by a table of 16.
local function shift_right(v)
  local carry = band(v[4], 1)
  local r = { shr(v[1], 1), shl(band(v[1], 1), 31) + shr(v[2], 1), shl(band(v[2], 1), 31) + shr(v[3], 1),
    shl(band(v[3], 1), 31) + shr(v[4], 1) }
  if carry == 1 then r[1] = bxor(r[1], 0xe1000000) end
  return r
end
local function xor4(a, b) return { bxor(a[1], b[1]), bxor(a[2], b[2]), bxor(a[3], b[3]), bxor(a[4], b[4]) } end
local fold = {}
for n = 0, 15 do
  local v = { 0, 0, 0, n }
  for _ = 1, 4 do v = shift_right(v) end
  fold[n] = v[1]
end
local function hash_table(h)
  local multiples = { [0] = { 0, 0, 0, 0 }, [8] = h }
  for _, n in ipairs({ 4, 2, 1 }) do multiples[n] = shift_right(multiples[2 * n]) end
  for n = 1, 15 do
    if not multiples[n] then
      local top = n >= 8 and 8 or n >= 4 and 4 or 2
      multiples[n] = xor4(multiples[top], multiples[n - top])
    end
  end
  return multiples
end
local function multiply(multiples, x)
  local z1, z2, z3, z4 = 0, 0, 0, 0
  for i = 4, 1, -1 do
    local part = x[i]
    for shift = 0, 28, 4 do
      local f = fold[band(z4, 15)]
      z4 = shl(band(z3, 15), 28) + shr(z4, 4)
      z3 = shl(band(z2, 15), 28) + shr(z3, 4)
      z2 = shl(band(z1, 15), 28) + shr(z2, 4)
      z1 = bxor(shr(z1, 4), f)
      local m = multiples[band(shr(part, shift), 15)]
      z1, z2, z3, z4 = bxor(z1, m[1]), bxor(z2, m[2]), bxor(z3, m[3]), bxor(z4, m[4])
    end
  end
  return { z1, z2, z3, z4 }
end

local function make_cipher(key)
  local w = expand_key(key)
  return { w = w, multiples = hash_table(encrypt_block(w, { 0, 0, 0, 0 })) }
end

-- The plaintext of `sealed`, ciphertext and tag, or nil when it does not authenticate.
local function open(cipher, nonce, sealed)
  local length = #sealed - 16
  if length < 0 then return nil end
  local n = { word(nonce, 1), word(nonce, 5), word(nonce, 9), 1 }
  local padded = sealed:sub(1, length) .. string.rep("\0", -length % 16)
  local hash = { 0, 0, 0, 0 }
  for at = 1, #padded, 16 do hash = multiply(cipher.multiples, xor4(hash, words(padded:sub(at, at + 15)))) end
  hash = multiply(cipher.multiples, xor4(hash, { 0, 0, 0, length * 8 }))
  local tag = xor4(hash, encrypt_block(cipher.w, n))
  if text_of(tag[1]) .. text_of(tag[2]) .. text_of(tag[3]) .. text_of(tag[4]) ~= sealed:sub(length + 1) then return nil end
  local out = {}
  for at = 1, #padded, 16 do
    n[4] = n[4] + 1
    local b = xor4(encrypt_block(cipher.w, n), words(padded:sub(at, at + 15)))
    out[#out + 1] = text_of(b[1]) .. text_of(b[2]) .. text_of(b[3]) .. text_of(b[4])
  end
  return table.concat(out):sub(1, length)
end

---- Keys ------------------------------------------------------------------------------------------------------------

local function from_hex(s) return (s:gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end)) end

-- Generations of one direction of an extended session, made as they are needed.
local function next_generation(direction)
  local secret = direction.secret
  direction.generations[#direction.generations + 1] =
    { cipher = make_cipher(expand(secret, "godwit key", 16)), salt = expand(secret, "godwit salt", 12) }
  direction.secret = expand(secret, "godwit next", 32)
end

local loaded_name, keys, directions = nil, {}, {}
local function load_keys(name)
  if name == loaded_name then return end
  loaded_name, keys, directions = name, {}, {}
  local file = name ~= "" and io.open(name, "r")
  if not file then return end
  for line in file:lines() do
    local kind, digits = line:match("^(GODWIT_%u+) (%x+)%s*$")
    if kind == "GODWIT_KEY" and #digits == 32 then
      keys[#keys + 1] = make_cipher(from_hex(digits))
    elseif kind == "GODWIT_SECRET" and #digits == 64 then
      local direction = { secret = from_hex(digits), generations = {} }
      local start = expand(direction.secret, "godwit start", 8)
      direction.start_low, direction.start_high = word(start:sub(1, 4):reverse(), 1), word(start:sub(5, 8):reverse(), 1)
      next_generation(direction)
      directions[#directions + 1] = direction
    end
  end
  file:close()
end

-- Generation parity and number of a packet, by the start of a direction: the field is start + P * 2^63 + N.
local function number_of(direction, field)
  local low, high = word(field:sub(5, 8):reverse(), 1), word(field:sub(9, 12):reverse(), 1)
  local borrow = low < direction.start_low and 1 or 0
  low, high = u32(low - direction.start_low), u32(high - direction.start_high - borrow)
  return high >= 0x80000000 and 1 or 0, (high % 0x80000000) * 4294967296 + low
end
local function open_extended(direction, field, sealed)
  local parity, number = number_of(direction, field)
  if number > 2 ^ 48 then return nil end  -- another direction's start
  -- Mostly the newest generation of the parity; one more at most is made, so that junk costs little.
  local newest = #direction.generations
  if (newest - 1) % 2 ~= parity then
    if newest == 1 then next_generation(direction) end
  end
  for _ = 1, 2 do
    for g = #direction.generations, 1, -1 do
      if (g - 1) % 2 == parity then
        local generation = direction.generations[g]
        local a, b = words(field .. "\0\0\0\0"), words(generation.salt .. "\0\0\0\0")
        local n = xor4(a, b)
        local plaintext = open(generation.cipher, text_of(n[1]) .. text_of(n[2]) .. text_of(n[3]), sealed)
        if plaintext then return plaintext, g - 1, number end
      end
    end
    if #direction.generations > 64 then return nil end
    next_generation(direction)
    if (#direction.generations - 1) % 2 ~= parity then next_generation(direction) end
  end
  return nil
end

-- What opened a conversation's last packet is tried first.
local last_used = {}
local function decrypt(conversation, field, sealed)
  local last = last_used[conversation]
  local function try(key)
    if key.generations then return open_extended(key, field, sealed) end
    return open(key, field, sealed)
  end
  if last then
    local plaintext, generation, number = try(last)
    if plaintext then return plaintext, generation, number end
  end
  for _, list in ipairs({ directions, keys }) do
    for _, key in ipairs(list) do
      local plaintext, generation, number = try(key)
      if plaintext then
        last_used[conversation] = key
        return plaintext, generation, number
      end
    end
  end
  return nil
end

---- Dissection ------------------------------------------------------------------------------------------------------

local godwit = Proto("godwit", "Godwit")
godwit.prefs.keylog = Pref.string("Key log", "", "File with GODWIT_KEY and GODWIT_SECRET lines")
godwit.prefs.port = Pref.uint("UDP port", 31337, "Datagrams of this port are dissected; of others those that look like an intro")

local types = { [1] = "intro", [2] = "packet" }
local variants = { [0] = "ack connection", [1] = "short message", [2] = "stream fragment", [3] = "acknowledgements", [4] = "ping",
  [5] = "pong", [6] = "ack connection 2", [7] = "upgrade", [8] = "path challenge", [9] = "path response", [10] = "close code",
  [11] = "connection credit", [12] = "stream credit", [13] = "stream reset", [14] = "stream stop", [15] = "stream end",
  [16] = "size probe", [17] = "size answer", [18] = "acknowledgement", [19] = "path note",
  [20] = "acknowledgement with marks" }
local upgrades = { [0] = "offer", [1] = "accept", [2] = "decline" }
local F = {
  type = ProtoField.uint8("godwit.type", "Type", base.DEC, types),
  ephemeral = ProtoField.bytes("godwit.intro.ephemeral", "Ephemeral key"),
  sealed = ProtoField.bytes("godwit.sealed", "Sealed"),
  offer = ProtoField.bool("godwit.intro.extended", "As long as with an offer of an extended session"),
  nonce = ProtoField.bytes("godwit.nonce", "Nonce, or tag and number"),
  tag = ProtoField.bytes("godwit.tag", "Authentication tag"),
  form = ProtoField.string("godwit.form", "Form"),
  generation = ProtoField.uint32("godwit.generation", "Key generation"),
  number = ProtoField.uint64("godwit.number", "Packet number"),
  id = ProtoField.uint32("godwit.id", "Packet id"),
  acknowledgements = ProtoField.uint64("godwit.acknowledgements", "Acknowledgements"),
  acknowledgement = ProtoField.uint32("godwit.acknowledgement", "Acknowledgement"),
  largest = ProtoField.uint64("godwit.acknowledged.largest", "Highest packet number"),
  delay = ProtoField.uint32("godwit.acknowledged.delay", "Delay in microseconds"),
  ect0 = ProtoField.uint64("godwit.acknowledged.ect0", "Packets that came with ECT(0)"),
  ect1 = ProtoField.uint64("godwit.acknowledged.ect1", "Packets that came with ECT(1)"),
  ce = ProtoField.uint64("godwit.acknowledged.ce", "Packets that came with a mark of congestion"),
  gap = ProtoField.uint32("godwit.acknowledged.gap", "Missing numbers"),
  range = ProtoField.uint32("godwit.acknowledged.range", "Numbers"),
  variant = ProtoField.uint32("godwit.message", "Message", base.DEC, variants),
  payload = ProtoField.bytes("godwit.payload", "Payload"),
  length = ProtoField.uint64("godwit.payload.length", "Payload length"),
  stream = ProtoField.uint32("godwit.stream", "Stream", base.HEX),
  total = ProtoField.uint64("godwit.stream.total", "Bytes of the stream"),
  fragment = ProtoField.uint32("godwit.stream.fragment", "Fragment"),
  metadata = ProtoField.bytes("godwit.metadata", "Metadata"),
  sequence = ProtoField.uint64("godwit.sequence", "Sequence"),
  result = ProtoField.uint32("godwit.ack.result", "Result", base.DEC, { [0] = "ok", [1] = "error" }),
  key = ProtoField.bytes("godwit.ack.key", "Key of the sender"),
  observed4 = ProtoField.ipv4("godwit.ack.observed", "Observed address"),
  observed6 = ProtoField.ipv6("godwit.ack.observed6", "Observed address"),
  port = ProtoField.uint16("godwit.ack.port", "Observed port"),
  version = ProtoField.bytes("godwit.ack.version", "Version"),
  answer = ProtoField.bytes("godwit.ack.answer", "Answer to an offer"),
  text = ProtoField.string("godwit.ack.error", "Error"),
  upgrade = ProtoField.uint32("godwit.upgrade", "Upgrade", base.DEC, upgrades),
  attempt = ProtoField.uint32("godwit.upgrade.attempt", "Attempt"),
  data = ProtoField.bytes("godwit.path.data", "Data"),
  value = ProtoField.uint64("godwit.value", "Value"),
  code = ProtoField.uint64("godwit.code", "Code"),
  rest = ProtoField.bytes("godwit.rest", "Bytes behind the message"),
}
godwit.fields = F
local malformed = ProtoExpert.new("godwit.malformed", "Authentic, and yet no message", expert.group.PROTOCOL, expert.severity.ERROR)
godwit.experts = { malformed }

-- Reads one plaintext from the front. A read beyond its end raises an error, which makes the message malformed.
local function reader(tvb)
  return { tvb = tvb, at = 0, take = function(self, n)
    if n > self.tvb:len() - self.at then error("short") end
    self.at = self.at + n
    return self.tvb:range(self.at - n, n)
  end }
end
local function add(tree, field, range) tree:add_le(field, range) return range end
local function u64(range) return range:le_uint64():tonumber() end
local function counted(r, tree, field)
  local length = u64(add(tree, F.length, r:take(8)))
  if length > 0 then tree:add(field, r:take(length)) end
end
local function address(r, tree)
  local family = r:take(4):le_uint()
  if family > 1 then error("family") end
  tree:add(family == 0 and F.observed4 or F.observed6, r:take(family == 0 and 4 or 16))
  add(tree, F.port, r:take(2))
end
local flow = function(r, tree)
  add(tree, F.stream, r:take(4))
  add(tree, F.value, r:take(8))
  add(tree, F.code, r:take(8))
end
local path = function(r, tree) tree:add(F.data, r:take(8)) end
local fields_of = {
  [0] = function(r, tree)
    local result = add(tree, F.result, r:take(4)):le_uint()
    if result > 1 then error("result") end
    if result == 1 then return counted(r, tree, F.text) end
    tree:add(F.key, r:take(16))
    address(r, tree)
  end,
  [1] = function(r, tree) counted(r, tree, F.payload) end,
  [2] = function(r, tree)
    add(tree, F.stream, r:take(4))
    add(tree, F.total, r:take(8))
    add(tree, F.fragment, r:take(4))
    counted(r, tree, F.payload)
    local some = r:take(1):uint()
    if some > 1 then error("option") end
    if some == 1 then counted(r, tree, F.metadata) end
  end,
  [3] = function() end,
  [4] = function(r, tree) add(tree, F.sequence, r:take(8)) end,
  [6] = function(r, tree)
    tree:add(F.key, r:take(16))
    address(r, tree)
    tree:add(F.version, r:take(8))
    if r.tvb:len() - r.at > 7 and r.tvb:range(r.at, 4):uint() == 0x47647758 then tree:add(F.answer, r:take(r.tvb:len() - r.at)) end
  end,
  [7] = function(r, tree)
    local kind = add(tree, F.upgrade, r:take(4)):le_uint()
    if kind > 2 then error("upgrade") end
    add(tree, F.attempt, r:take(4))
    if kind ~= 1 then add(tree, F.value, r:take(kind == 0 and 4 or 1)) end
  end,
  [8] = path, [9] = path,
  [10] = function(r, tree) add(tree, F.code, r:take(8)) end,
  [11] = flow, [12] = flow, [13] = flow, [14] = flow, [15] = flow,
  [18] = function(r, tree)
    add(tree, F.largest, r:take(8))
    add(tree, F.delay, r:take(4))
    add(tree, F.range, r:take(4))
    local further = r:take(4):le_uint()
    if further > 63 then error("ranges") end
    for _ = 1, further do
      add(tree, F.gap, r:take(4))
      add(tree, F.range, r:take(4))
    end
  end,
  -- What follows a probe makes it as long as it is.
  [16] = function(r, tree)
    path(r, tree)
    if r.tvb:len() > r.at then tree:add(F.rest, r:take(r.tvb:len() - r.at)) end
  end,
  [17] = path, [19] = path,
}
fields_of[20] = function(r, tree)
  fields_of[18](r, tree)
  add(tree, F.ect0, r:take(8))
  add(tree, F.ect1, r:take(8))
  add(tree, F.ce, r:take(8))
end
fields_of[5] = fields_of[4]

local function message(r, tree, names)
  local begin = r.at
  local branch = tree:add(godwit, r.tvb:range(begin), "Message")
  add(branch, F.id, r:take(4))
  local acknowledgements = u64(add(branch, F.acknowledgements, r:take(8)))
  if acknowledgements > r.tvb:len() / 4 then error("acknowledgements") end
  for _ = 1, acknowledgements do add(branch, F.acknowledgement, r:take(4)) end
  local variant = add(branch, F.variant, r:take(4)):le_uint()
  if not fields_of[variant] then error("variant") end
  fields_of[variant](r, branch)
  branch:set_len(r.at - begin)
  branch:set_text("Message: " .. variants[variant])
  names[#names + 1] = variants[variant]
end

local function dissect_packet(tvb, pinfo, tree)
  tree:add(F.nonce, tvb(1, 12))
  tree:add(F.tag, tvb(tvb:len() - 16, 16))
  load_keys(godwit.prefs.keylog)
  local conversation = tostring(pinfo.src) .. ":" .. pinfo.src_port .. ">" .. tostring(pinfo.dst) .. ":" .. pinfo.dst_port
  local plaintext, generation, number = decrypt(conversation, tvb:raw(1, 12), tvb:raw(13, tvb:len() - 13))
  if not plaintext then
    tree:add(F.sealed, tvb(13, tvb:len() - 29))
    return "packet, no key"
  end
  tree:add(F.form, generation and "extended" or "deployed"):set_generated()
  if generation then
    tree:add(F.generation, generation):set_generated()
    tree:add(F.number, UInt64(number % 4294967296, math.floor(number / 4294967296))):set_generated()
  end
  local inner = ByteArray.new(plaintext, true):tvb("Opened packet")
  local r, names = reader(inner), {}
  -- One message in the deployed form, where trailing bytes mean nothing; one frame after another in the extended one.
  repeat
    local fine = pcall(message, r, tree, names)
    if not fine then
      tree:add_proto_expert_info(malformed)
      names[#names + 1] = "malformed"
      break
    end
  until not generation or r.at == inner:len()
  if r.at < inner:len() then tree:add(F.rest, inner:range(r.at)) end
  return table.concat(names, ", ")
end

function godwit.dissector(tvb, pinfo, root)
  if tvb:len() == 0 or not types[tvb(0, 1):uint()] then return 0 end
  pinfo.cols.protocol = "Godwit"
  local tree = root:add(godwit, tvb())
  local kind = tvb(0, 1):uint()
  tree:add(F.type, tvb(0, 1))
  local info = types[kind] .. ", too short"
  if kind == 1 and tvb:len() >= 49 then
    tree:add(F.ephemeral, tvb(1, 32))
    tree:add(F.sealed, tvb(33))
    tree:add(F.offer, tvb:len() > 80):set_generated()
    info = tvb:len() > 80 and "intro with an offer" or "intro"
  elseif kind == 2 and tvb:len() >= 29 then
    info = dissect_packet(tvb, pinfo, tree)
  end
  pinfo.cols.info = info
  tree:append_text(": " .. info)
  return tvb:len()
end

local bound
local function follow_preferences()
  local ports = DissectorTable.get("udp.port")
  if bound then ports:remove(bound, godwit) end
  bound = godwit.prefs.port
  ports:add(bound, godwit)
  loaded_name, last_used = nil, {}
end
godwit.prefs_changed = follow_preferences
follow_preferences()

-- A conversation is recognised by its intro, on whatever port.
godwit:register_heuristic("udp", function(tvb, pinfo, root)
  local length = tvb:len()
  if length ~= 73 and length ~= 226 or tvb(0, 1):uint() ~= 1 then return false end
  pinfo.conversation = godwit
  godwit.dissector(tvb, pinfo, root)
  return true
end)
