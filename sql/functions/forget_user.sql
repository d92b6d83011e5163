-- Takes the name of a user out of everything but the raw events (user_forget_events): what it has used counts as the
-- user '(forgotten)', whom all who were forgotten share. Its own limits go, its keys are revoked. The audit log and
-- dead letters keep their entries without the name. The tenant's row is locked against record_events and
-- reserve_tokens.
create or replace function forget_user(p_tenant uuid, p_user text)
returns void
language plpgsql
as $$
begin
  perform from tenants where id = p_tenant for no key update;

  with gone as (
    delete from split_quarters where tenant_id = p_tenant and split = 'user' and value = p_user returning *
  )
  insert into split_quarters as q
  select tenant_id, split, '(forgotten)', quarter, total_tokens, event_count, input_tokens, cache_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  from gone
  on conflict on constraint split_quarters_pkey do update
  set total_tokens = q.total_tokens + excluded.total_tokens,
      event_count = q.event_count + excluded.event_count,
      input_tokens = q.input_tokens + excluded.input_tokens,
      cache_read_tokens = q.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = q.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = q.output_tokens + excluded.output_tokens,
      reasoning_tokens = q.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = q.cost_nanos + excluded.cost_nanos,
      priced_events = q.priced_events + excluded.priced_events;

  with gone as (
    delete from usage_splits where tenant_id = p_tenant and split = 'user' and value = p_user returning *
  )
  insert into usage_splits as s (
    tenant_id, period_start, split, value, total_tokens, event_count, input_tokens, cache_read_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select tenant_id, period_start, split, '(forgotten)', total_tokens, event_count, input_tokens, cache_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  from gone
  on conflict on constraint usage_splits_pkey do update
  set total_tokens = s.total_tokens + excluded.total_tokens,
      event_count = s.event_count + excluded.event_count,
      input_tokens = s.input_tokens + excluded.input_tokens,
      cache_read_tokens = s.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = s.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = s.output_tokens + excluded.output_tokens,
      reasoning_tokens = s.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = s.cost_nanos + excluded.cost_nanos,
      priced_events = s.priced_events + excluded.priced_events;

  with gone as (
    delete from usage_periods where tenant_id = p_tenant and user_id = p_user returning *
  )
  insert into usage_periods as u (
    tenant_id, quota_id, period_start, period_end, user_id, total_tokens, event_count, reserved_tokens, cost_nanos,
    priced_events
  )
  select tenant_id, quota_id, period_start, period_end, '(forgotten)', total_tokens, event_count, reserved_tokens,
         cost_nanos, priced_events
  from gone
  on conflict on constraint usage_periods_pkey do update
  set total_tokens = u.total_tokens + excluded.total_tokens,
      event_count = u.event_count + excluded.event_count,
      reserved_tokens = u.reserved_tokens + excluded.reserved_tokens,
      cost_nanos = u.cost_nanos + excluded.cost_nanos,
      priced_events = u.priced_events + excluded.priced_events;

  update reservations set user_id = '(forgotten)' where tenant_id = p_tenant and user_id = p_user;
  -- Two who were forgotten may have crossed the same threshold.
  update alerts set user_id = '(forgotten ' || left(id::text, 8) || ')'
  where tenant_id = p_tenant and user_id = p_user;
  delete from quota_users where tenant_id = p_tenant and user_id = p_user;
  update api_keys set user_id = '(forgotten)', revoked_at = coalesce(revoked_at, now())
  where tenant_id = p_tenant and user_id = p_user;
  update dead_letters
  set payload = replace(payload, '"user":' || to_json(p_user), '"user":"(forgotten)"')
  where position(p_tenant::text in payload) > 0 and position('"user":' || to_json(p_user) in payload) > 0;
  update audit_log
  set before = case when before ? 'user_id' then before || '{"user_id": "(forgotten)"}' else before end,
      after = case when after ? 'user_id' then after || '{"user_id": "(forgotten)"}' else after end
  where tenant_id = p_tenant and (before ->> 'user_id' = p_user or after ->> 'user_id' = p_user);
end
$$;
