/// Just enough of gzip (RFC 1952) and deflate (RFC 1951) to write test bodies.
package enum Gzip {
    private static let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]

    /// The bytes in a "stored" block: valid, not smaller.
    package static func stored(_ bytes: [UInt8]) -> [UInt8] {
        precondition(bytes.count < 65_536)
        let length = UInt16(bytes.count)
        return header + [1] + littleEndian(length) + littleEndian(~length) + bytes
            + littleEndian(crc32(bytes)) + littleEndian(UInt32(bytes.count))
    }

    /// `{"a":"aaaa…`, which unpacks to more than `size` bytes from about a 160th of that. It has no end: whoever reads
    /// that far has failed the test.
    package static func bomb(size: Int) -> [UInt8] {
        var bits = BitWriter()
        bits.write(0b1, 1)
        bits.write(0b01, 2)
        for byte in "{\"a\":\"a".utf8 { bits.writeCode(UInt32(byte) + 0x30, 8) }
        // Symbol 285 is a length of 258, distance symbol 0 the byte before. Eight of them are 13 whole bytes, whatever bit they
        // begin at, so from the second eight on the bytes repeat.
        let start = bits.bytes.count
        for _ in 0..<24 {
            bits.writeCode(0b1100_0101, 8)
            bits.writeCode(0, 5)
        }
        let period = bits.bytes[start..<start + 13]
        return header + bits.bytes[..<start] + [[UInt8]](repeating: Array(period), count: size / 258 / 8 + 1).joined()
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }

    private static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
}

/// Bits from the lowest of each byte on; Huffman codes come with their highest bit first.
private struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var used = 8

    mutating func write(_ value: UInt32, _ count: Int) {
        for bit in 0..<count { append(value >> UInt32(bit) & 1) }
    }

    mutating func writeCode(_ code: UInt32, _ count: Int) {
        for bit in (0..<count).reversed() { append(code >> UInt32(bit) & 1) }
    }

    private mutating func append(_ bit: UInt32) {
        if used == 8 {
            bytes.append(0)
            used = 0
        }
        bytes[bytes.count - 1] |= UInt8(bit) << UInt8(used)
        used += 1
    }
}
