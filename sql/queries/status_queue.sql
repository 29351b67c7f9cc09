SELECT lane, due, oldest_due_s, in_hand, waiting FROM queue_lanes();
