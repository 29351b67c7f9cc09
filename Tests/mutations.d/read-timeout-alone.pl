# Sources/AskElephant/HTTP/Client.swift Sources/AskElephant/HTTP/ClientConfiguration.swift
# expected: the request took as long as the drip
# No total deadline around head and body: only the client's own time-out, which every byte begins anew.
s/NIODeadline\.now\(\) \+ TimeAmount\(configuration\.requestTimeout\)/NIODeadline.now() + .hours(1)/;
s/(timeout: Timeout\(connect: .*?\)\))(\),)/$1, read: TimeAmount(configuration.requestTimeout)$2/;
