-- What wrk sends. The body comes from the caller, so that every generator sends the same; with BENCH_TENANTS, `TENANT` in it
-- stands for tenant-1, tenant-2, … in turn.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["content-type"] = "application/json"
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
