# Sources/Enrichment/Pipeline/Doorbell.swift
# expected: the look after LISTEN finds it
# After a reconnect the look at the queue comes first, and LISTEN second.
s/(\n *)(try await connection\.listen\(channel: channel\)\n)(.*?)\n *bell\.ring\(\)\n/$1bell.ring()$1$2$3\n/s;
