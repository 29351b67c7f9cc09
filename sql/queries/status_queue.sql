SELECT due, oldest_due_s, background_due, waiting, leased, dead_letters, workers, paused FROM queue_health;
