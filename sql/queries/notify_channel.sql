select notify_channel() as channel
