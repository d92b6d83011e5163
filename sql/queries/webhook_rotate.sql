-- $1: id, $2: the new secret. The old one signs too for another day.
update webhooks
set previous_secret = secret, previous_secret_expires_at = now() + interval '24 hours', secret = $2::text
where id = $1::uuid and kind = 'standard'
returning id
