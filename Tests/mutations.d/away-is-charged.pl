# Sources/Enrichment/Pipeline/APIHealth.swift
# expected: the API as a whole was away
# A failure is always its job's own, whether others are served or not.
s/(func isAlive\(afterFailure reply: Reply, _ credential: Credential\?\) async -> Bool \{\n)/$1        if credential != nil { return true }\n/;
