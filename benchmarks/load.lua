-- Replays the lines of a plan over and over and checks every answer. See load.py, which writes the plan.
--
-- wrk does not say which request an answer belongs to, so the answer itself does: each line has a key that stands in
-- its answer (the first id, or the title). A line is sent by one connection at a time and comes back into the queue
-- with its answer, so whoever updates a task knows its version.

local threads = {}

function setup(thread)
   thread:set("thread_number", #threads)
   table.insert(threads, thread)
end

local function split(text)
   local parts = {}
   for part in (text .. "\t"):gmatch("(.-)\t") do parts[#parts + 1] = part end
   return parts
end

local queue, first, last = {}, 1, 0
local waiting = {}

local function put(line)
   last = last + 1
   queue[last] = line
end

local function take()
   local line = queue[first]
   if line == nil then return nil end
   queue[first] = nil
   first = first + 1
   return line
end

local function read_line(text)
   local parts = split(text)
   local line = { path = parts[1], token = parts[2], body = parts[3]:gsub("\\n", "\r\n"), key = parts[4], expected = {} }
   line.version = tonumber(parts[5])
   for at = 6, #parts do table.insert(line.expected, parts[at]) end
   line.headers = { ["Content-Type"] = content_type }
   if line.token ~= "" then line.headers["Authorization"] = scheme .. " " .. line.token end
   -- What is the same each time is put together once.
   if not line.version and idempotency_prefix == "" then
      line.request = wrk.format(method, line.path, line.headers, line.body ~= "" and line.body or nil)
   end
   return line
end

function init(args)
   wrong, first_wrong, keys_used = 0, "", 0
   local file = assert(io.open(args[1]))
   local settings = split(file:read("*l"))
   method, status, key_pattern = settings[1], tonumber(settings[2]), settings[3]
   idempotency_prefix, content_type, scheme = settings[4], settings[5], settings[6]
   local at, number_of_threads = 0, tonumber(args[2])
   for text in file:lines() do
      if at % number_of_threads == thread_number then put(read_line(text)) end
      at = at + 1
   end
   file:close()
end

local function complain(what, code, body)
   wrong = wrong + 1
   if first_wrong == "" then first_wrong = what .. "; status " .. code .. ": " .. (body or ""):sub(1, 600) end
end

local function format(line)
   if line.request then return line.request end
   local body = line.body
   if line.version then
      line.headers["If-Match"] = '"' .. line.version .. '"'
      -- Something else each time, or there would be nothing to change.
      body = line.version % 2 == 1 and '{"priority":"urgent"}' or '{"priority":"medium"}'
   end
   if idempotency_prefix ~= "" then
      keys_used = keys_used + 1
      line.headers["Idempotency-Key"] = idempotency_prefix .. thread_number .. "-" .. keys_used
   end
   return wrk.format(method, line.path, line.headers, body)
end

function request()
   local line = take()
   if line == nil then
      complain("more requests at a time than lines", 0, "")
      return wrk.format("GET", "/none")
   end
   waiting[line.key] = waiting[line.key] or {}
   table.insert(waiting[line.key], line)
   return format(line)
end

-- What is wrong with an answer, or nothing.
local function fault(line, code, headers, body)
   if code ~= status then return "another status" end
   for _, expected in ipairs(line.expected) do
      if not body:find(expected, 1, true) then return "without " .. expected end
   end
   if line.version then
      line.version = line.version + 1
      local told = tonumber(body:match('"version":(%d+)'))
      local tag = headers["etag"] or headers["ETag"]
      if told ~= line.version then return "not version " .. line.version end
      if tag and tag ~= '"' .. line.version .. '"' then return "ETag " .. tag .. ", version " .. line.version end
   end
end

function response(code, headers, body)
   local key = body:match(key_pattern)
   local lines = key and waiting[key]
   if not lines or #lines == 0 then
      complain("not an answer to what was asked", code, body)
   else
      local line = table.remove(lines)
      local what = fault(line, code, headers, body)
      if what then complain(what, code, body) end
      put(line)
   end
end

function done(summary, latency)
   local all_wrong, sample = 0, ""
   for _, thread in ipairs(threads) do
      all_wrong = all_wrong + thread:get("wrong")
      if sample == "" then sample = thread:get("first_wrong") end
   end
   local errors = summary.errors
   print(string.format("figures\t%d\t%d\t%d\t%d\t%d\t%d", summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), all_wrong,
      errors.connect + errors.read + errors.write + errors.timeout))
   print("sample\t" .. sample:gsub("[\r\n]", " "))
end
