-- What wrk sends: a POST, or a GET without a body. The body comes from the caller, so that every generator sends the
-- same. With BENCH_TENANTS, `TENANT` in it is replaced by tenant-1, tenant-2, … in turn.
local body = os.getenv("BENCH_BODY")
if body ~= "" then
  wrk.method = "POST"
  wrk.body = body
  wrk.headers["content-type"] = "application/json"
end
wrk.headers["authorization"] = os.getenv("BENCH_AUTHORIZATION")

local tenants = tonumber(os.getenv("BENCH_TENANTS") or "0")
if tenants > 0 then
  local bodies = {}
  for i = 1, tenants do bodies[i] = string.gsub(wrk.body, "TENANT", "tenant-" .. i) end
  local turn = 0
  request = function()
    turn = turn % tenants + 1
    return wrk.format(nil, nil, nil, bodies[turn])
  end
end
