/// An engagement as it was delivered, ready for Postgres to take apart.
package struct Document: Sendable {
    /// The JSON: valid UTF-8 without NUL and without a byte order mark. Whether it is valid JSON, Postgres says.
    package var json: [UInt8]
    /// The text of the transcript, if ``TranscriptCut`` took it out; `json` then has `true` in its place. Nil means
    /// that `json` is as it came. An empty transcript is an empty array.
    package var transcript: [UInt8]?
    /// Whether bytes had to be replaced by U+FFFD.
    package var repaired: Bool
    package var etag: String?
    package var apiVersion: String?
    package var requestID: String?
    /// The memory that the document takes from the budget. Release it once the document is written.
    package var reservation: Reservation?

    package init(
        json: [UInt8],
        transcript: [UInt8]? = nil,
        repaired: Bool = false,
        etag: String? = nil,
        apiVersion: String? = nil,
        requestID: String? = nil,
        reservation: Reservation? = nil
    ) {
        self.json = json
        self.transcript = transcript
        self.repaired = repaired
        self.etag = etag
        self.apiVersion = apiVersion
        self.requestID = requestID
        self.reservation = reservation
    }

    package var byteCount: Int { json.count + (transcript?.count ?? 0) }

    /// Makes a document from the body of a 200; nil when it does not begin like a JSON object.
    package init?(body: [UInt8]) {
        let clean = UTF8Repair.repair(body)
        let text = (clean ?? body).trimmingByteOrderMark()
        guard text.first(where: { !JSONByte.isSpace($0) }) == JSONByte.openBrace else { return nil }
        let (json, transcript) = TranscriptCut.cut(text)
        self.init(json: json, transcript: transcript, repaired: clean != nil)
    }
}

extension [UInt8] {
    fileprivate func trimmingByteOrderMark() -> [UInt8] {
        starts(with: [0xEF, 0xBB, 0xBF]) ? Array(dropFirst(3)) : self
    }
}
