-- wrk asks as fast as it is answered. With this it asks at a rate, whatever the answers do: request k is due at
-- start + k / rate, and is sent by whichever connection is free.
--   wrk -t1 -cN -s at_a_rate.lua URL -- RATE COUNT FILE
-- FILE has a request a line: METHOD, path, content type, visitor's address and body, with tabs between. It is begun anew
-- where it ends.
local ffi = require("ffi")
ffi.cdef[[
typedef struct { long seconds; long nanoseconds; } papers_time;
int clock_gettime(int clock, papers_time *time);
]]
local MONOTONIC = 1
local FOR_EVER = 1000000000
local holder = ffi.new("papers_time")
local threads = {}

local function now()
  ffi.C.clock_gettime(MONOTONIC, holder)
  return tonumber(holder.seconds) * 1000 + tonumber(holder.nanoseconds) / 1e6
end

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  rate, count = tonumber(args[1]), tonumber(args[2])
  lines = {}
  for line in io.lines(args[3]) do table.insert(lines, line) end
  taken, asked, succeeded, failed, latest = 0, 0, 0, 0, 0
  begin = now()
end

function delay()
  if taken >= count then return FOR_EVER end
  local wait = begin + taken * 1000 / rate - now()
  taken = taken + 1
  if wait < 0 then
    latest = math.max(latest, -wait)
    return 0
  end
  return wait
end

function request()
  local line = lines[asked % #lines + 1]
  asked = asked + 1
  local method, path, kind, visitor, body = line:match("^(%u+)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
  local headers = {["X-Forwarded-For"] = visitor}
  for name, value in pairs(wrk.headers) do headers[name] = value end
  if kind ~= "" then headers["Content-Type"] = kind end
  return wrk.format(method, path, headers, body ~= "" and body or nil)
end

function response(status)
  if status < 400 then succeeded = succeeded + 1 else failed = failed + 1 end
end

function done(summary, latency)
  local sums = {asked = 0, succeeded = 0, failed = 0, latest = 0}
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + thread:get(name) end
  end
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("\nfound %d %d %d %d %d %d %d %d %d\n", sums.asked, sums.succeeded, sums.failed, errors,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max, sums.latest))
end
