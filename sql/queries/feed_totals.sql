-- What the dashboard warns of: dead letters, and deliveries that are tried again or have died within 24 hours.
select (select count(*) from dead_letters) as dead_letters,
       (select count(*) from deliveries where status in ('pending', 'sending') and attempts > 0)
       + (select count(*) from deliveries where status = 'dead' and finished_at > now() - interval '24 hours') as failing_deliveries
