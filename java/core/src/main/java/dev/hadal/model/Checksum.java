package dev.hadal.model;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/**
 * Tells a damaged file: CRC-32C and CRC-32 of the whole, with zeros in the checksum's own place. Together they find every
 * burst of errors of up to 64 bits, and miss other damage once in 2⁶⁴. They are no guard against forgery, nor is any
 * checksum that lies in the file itself; SHA-256 is a tenth of a second slower in a JVM that has just started.
 */
final class Checksum {
    /** Its key in a file's metadata. */
    static final String KEY = "hadal.crc";

    /** What lies in the checksum's place while it is computed. */
    static final String NONE = "0".repeat(16);

    private final CRC32C first = new CRC32C();
    private final CRC32 second = new CRC32();

    /** Adds what remains of the buffer. */
    void update(ByteBuffer bytes) {
        first.update(bytes.duplicate());
        second.update(bytes);
    }

    /** The checksum of all that was added: CRC-32C, then CRC-32. */
    String hex() {
        return HexFormat.of().toHexDigits(first.getValue() << 32 | second.getValue());
    }
}
